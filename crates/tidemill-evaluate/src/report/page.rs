//! The page around the data.

use std::fmt::Write as _;
use tidemill_core::markup::{About, BASE_SCRIPT, BASE_STYLE, escape, fill, script_safe};

use tidemill_core::{Digest, Task};

use super::data::{PageData, SLICES_MAX};
use super::gaps::gaps_table;
use super::probes::{behaviour_table, effects_section, own_cards, suspicions_section};
use super::tables::{banner, cards, classes_table, found_table, metrics_table, thresholds_table};
use crate::metrics::Metric;
use crate::summary::with_separators;
use crate::{Blessing, Evaluation, IntervalMethod};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Renders an evaluation as one HTML page: the verdict if `blessing` is given, metrics with their intervals beside the
/// baseline, curves, slices.
///
/// The page needs no network and holds aggregates only. Its size is bounded: of very many slices the largest
/// thousand are shown. The same input gives the same bytes. `about` says which model, run and data it is of.
pub fn render_evaluation_report(evaluation: &Evaluation, blessing: Option<&Blessing>, about: Option<&About>) -> String {
    let data = PageData::new(evaluation);
    let title = format!("Evaluation of {} on {}", evaluation.label, evaluation.split);
    let json = serde_json::to_string(&data).unwrap_or_else(|_| "{}".to_owned());
    let parts = [
        ("{{page_title}}", escape(&about.map_or_else(|| title.clone(), |about| about.page_title(&title)))),
        ("{{title}}", escape(&title)),
        ("{{of}}", about.map(About::html).unwrap_or_default()),
        ("{{style}}", [BASE_STYLE, STYLE].concat()),
        ("{{facts}}", facts(evaluation)),
        ("{{verdict}}", blessing.map(banner).unwrap_or_default()),
        ("{{cards}}", cards(evaluation)),
        ("{{legend}}", legend(evaluation)),
        ("{{own}}", section("own", "Figures of your own", &own_cards(evaluation))),
        ("{{behaviour}}", section("behaviour", "Behaviour", &behaviour_table(evaluation))),
        ("{{effects}}", section("effects", "What the model makes of its inputs", &effects_section(evaluation))),
        ("{{suspicions}}", section("suspicions", "Likely mistakes", &suspicions_section(evaluation))),
        ("{{bounds}}", section("bounds", "Thresholds", &blessing.map(thresholds_table).unwrap_or_default())),
        ("{{metrics}}", metrics_table(evaluation)),
        ("{{classes}}", section("classes", "Classes", &classes_table(evaluation))),
        ("{{found}}", section("found", "Where the model is worst", &found_table(evaluation))),
        ("{{gaps}}", section("gaps", "Gaps between groups", &gaps(evaluation))),
        ("{{notes}}", notes(evaluation)),
        ("{{data}}", script_safe(&json)),
        ("{{script}}", [BASE_SCRIPT, SCRIPT].concat()),
    ];
    fill(PAGE, &parts)
}

/// A section of the page, omitted if it is empty.
fn section(id: &str, title: &str, content: &str) -> String {
    if content.is_empty() { String::new() } else { format!("<section id=\"{id}\"><h2>{title}</h2>{content}</section>") }
}

fn gaps(evaluation: &Evaluation) -> String {
    let table = gaps_table(evaluation);
    if table.is_empty() {
        return table;
    }
    let of_baseline = evaluation
        .baseline_decision_threshold
        .map_or_else(String::new, |threshold| format!(", and of the baseline at {threshold}"));
    let at = evaluation.decision_threshold.map_or_else(String::new, |threshold| {
        format!(" Rates are those at the decision threshold {threshold}{of_baseline}.")
    });
    format!(
        "{table}<p class=\"foot\">For each family of slices, the highest and the lowest value and what lies between them; slices of 30 rows or more.{at}</p>"
    )
}

/// Facts about the evaluation, in one line.
fn facts(evaluation: &Evaluation) -> String {
    let mut out = String::new();
    let mut fact = |value: &str, label: &str| {
        let _ = write!(out, "<div class=\"fact\"><b>{}</b><span>{}</span></div>", escape(value), escape(label));
    };
    fact(&with_separators(evaluation.rows), &format!("rows of {}", evaluation.split));
    let labels = evaluation.overall().and_then(|overall| overall.metrics.get(Metric::LabelMean));
    if let Some(mean) = labels {
        match evaluation.task {
            Task::Binary => fact(&format!("{:.1} %", mean * 100.0), "positive"),
            _ => fact(&crate::gate::number(mean), &format!("mean {}", evaluation.label)),
        }
    }
    let slices = evaluation.slices.iter().filter(|slice| !slice.slice.is_overall()).count();
    fact(&with_separators(slices as u64), if slices == 1 { "slice" } else { "slices" });
    let mut package = |digest: &Option<Digest>, label: &str| {
        if let Some(digest) = digest {
            fact(digest.short(), label);
        }
    };
    package(&evaluation.model, "model digest");
    package(&evaluation.baseline, "baseline digest");
    out
}

/// The legend: the colour of each model.
fn legend(evaluation: &Evaluation) -> String {
    if evaluation.baseline_curves.is_none() {
        return String::new();
    }
    let mut out = String::new();
    for (index, name) in ["candidate", "baseline"].iter().enumerate() {
        let _ = write!(out, "<span class=\"key\"><i class=\"dot c{index}\"></i>{name}</span>");
    }
    out
}

/// How the numbers were computed, and what is not shown.
fn notes(evaluation: &Evaluation) -> String {
    let mut notes: Vec<String> = Vec::new();
    if let Some(options) = evaluation.confidence_intervals {
        notes.push(format!(
            "Intervals hold the true value in {} % of cases: {}Poisson bootstrap, {} replicas{}; a change in grey is within chance.",
            crate::gate::number(options.level * 100.0),
            if options.method == IntervalMethod::Auto { "DeLong for AUC, Wilson for rates, otherwise " } else { "" },
            options.replicas,
            evaluation.interval_group.as_ref().map_or_else(String::new, |column| format!(
                ", rows of one {} together",
                escape(column)
            ))
        ));
    }
    notes.push(
        "Guessing is the best that one prediction for all rows can do: the share of positives or of each class, or the mean."
            .to_owned(),
    );
    if let Some(weight) = &evaluation.weight {
        notes.push(format!("Rows are weighted by {}.", escape(weight)));
    }
    let slices = evaluation.slices.len().saturating_sub(1);
    if slices > SLICES_MAX {
        notes.push(format!(
            "Of {} slices the largest {} are shown; all are in evaluation.json.",
            with_separators(slices as u64),
            with_separators(SLICES_MAX as u64)
        ));
    }
    if evaluation.dropped.slices > 0 {
        notes.push(format!(
            "{} slices of fewer than {} rows are not shown.",
            with_separators(evaluation.dropped.slices),
            with_separators(evaluation.dropped.min_slice_size)
        ));
    }
    let mut out = String::new();
    for note in notes {
        let _ = write!(out, "<p class=\"foot\">{note}</p>");
    }
    out
}
