//! The differences between the slices of one family: the numbers behind questions of fairness.

use std::fmt::Write as _;
use tidemill_core::markup::escape;

use tidemill_core::TaskKind;

use super::data::family;
use super::html::{decimals, shortened};
use crate::metrics::Metric;
use crate::{Evaluation, SliceEvaluation};

/// Smaller slices are not compared: a few unlucky rows can produce any number.
const ROWS_MIN: u64 = 30;
/// The maximum number of families shown.
const FAMILIES_MAX: usize = 50;

/// The lowest and the highest value of a metric among the slices of a family.
#[derive(Debug, PartialEq)]
struct Gap<'a> {
    lowest: (&'a SliceEvaluation, f64),
    highest: (&'a SliceEvaluation, f64),
}

fn metrics(task: TaskKind) -> &'static [Metric] {
    match task {
        TaskKind::MultiClass => &[Metric::Accuracy, Metric::BalancedAccuracy, Metric::MacroF1],
        TaskKind::Binary => &[
            Metric::PositiveRate,
            Metric::FalsePositiveRate,
            Metric::FalseNegativeRate,
            Metric::Precision,
            Metric::Accuracy,
            Metric::Calibration,
        ],
        TaskKind::MultiLabel => &[Metric::Auc, Metric::MacroF1, Metric::HammingLoss],
        TaskKind::Ranking => &[Metric::Ndcg, Metric::Map, Metric::Mrr],
        TaskKind::Regression => &[Metric::Mae, Metric::Bias, Metric::R2, Metric::Calibration],
    }
}

/// A table with a row for each family of slices and the widest gap of each metric; empty if there is nothing to
/// compare.
pub(super) fn gaps_table(evaluation: &Evaluation) -> String {
    let metrics = metrics(evaluation.task.kind());
    let mut families: Vec<(String, Vec<&SliceEvaluation>)> = Vec::new();
    for slice in evaluation.slices.iter().filter(|slice| !slice.slice.is_overall() && slice.rows >= ROWS_MIN) {
        let name = family(&slice.slice);
        match families.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slices)) => slices.push(slice),
            None => families.push((name, vec![slice])),
        }
    }
    families.retain(|(_, slices)| slices.len() > 1);
    families.truncate(FAMILIES_MAX);
    if families.is_empty() {
        return String::new();
    }
    let mut out =
        String::from("<div class=\"scroll\"><table class=\"gaps\"><thead><tr><th scope=\"col\">slices by</th>");
    for metric in metrics {
        let _ = write!(out, "<th scope=\"col\" data-tip=\"{}\">{}</th>", escape(metric.about()), metric.title());
    }
    out.push_str("</tr></thead><tbody>");
    for (name, slices) in &families {
        let _ = write!(
            out,
            "<tr class=\"f\"><td class=\"n\"><div class=\"name\">{}</div><div class=\"type\">{} slices</div></td>",
            escape(name),
            slices.len()
        );
        for metric in metrics {
            out.push_str(&gap(slices, *metric).map_or_else(|| "<td class=\"none\">–</td>".to_owned(), cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

fn cell(gap: Gap<'_>) -> String {
    let side = |(slice, value): (&SliceEvaluation, f64)| {
        let values: Vec<String> = slice.slice.terms().iter().map(|term| term.value.to_string()).collect();
        let text = values.join(", ");
        format!(
            "<span class=\"end\"><span class=\"val\" data-tip=\"{0}\">{0}</span><b>{1}</b></span>",
            escape(&shortened(&text)),
            decimals(value)
        )
    };
    let width = decimals(gap.highest.1 - gap.lowest.1);
    format!("<td><div class=\"gap\">{width}</div>{}{}</td>", side(gap.highest), side(gap.lowest))
}

fn gap<'a>(slices: &[&'a SliceEvaluation], metric: Metric) -> Option<Gap<'a>> {
    let mut values = slices.iter().filter_map(|slice| Some((*slice, slice.metrics.get(metric)?)));
    let first = values.next()?;
    let mut gap = Gap { lowest: first, highest: first };
    let mut more = false;
    for (slice, value) in values {
        more = true;
        if value < gap.lowest.1 {
            gap.lowest = (slice, value);
        }
        if value > gap.highest.1 {
            gap.highest = (slice, value);
        }
    }
    more.then_some(gap)
}
