//! What was found by trying the model: behaviour tests, importance and curves of inputs, likely mistakes.

use std::fmt::Write as _;

use tidemill_core::markup::{escape, marked};

use super::html::{decimals, shortened};
use crate::behaviour::BehaviourResult;
use crate::effects::{Curve, InputEffect};
use crate::metrics::Metric;
use crate::summary::with_separators;
use crate::{Evaluation, SliceEvaluation};

/// Failing rows shown of each test.
const FAILURES_SHOWN: usize = 5;
/// Inputs shown in the table of importance.
const INPUTS_SHOWN: usize = 30;

/// The behaviour tests, failures first, with the rows that fail.
pub(super) fn behaviour_table(evaluation: &Evaluation) -> String {
    if evaluation.behaviour.is_empty() {
        return String::new();
    }
    let mut results: Vec<&BehaviourResult> = evaluation.behaviour.iter().collect();
    results.sort_by_key(|result| result.holds);
    let mut out = String::from(
        "<div class=\"scroll\"><table class=\"bounds\"><thead><tr><th scope=\"col\">test</th><th scope=\"col\">holds for</th><th scope=\"col\">of rows</th><th scope=\"col\" class=\"l\">result</th></tr></thead><tbody>",
    );
    for result in results {
        let (class, told) = if result.holds { ("good", "holds") } else { ("hot", "does not hold") };
        let share = if result.rows > 0 { 100.0 * result.passed as f64 / result.rows as f64 } else { 0.0 };
        let mut rows = String::new();
        for failure in result.failures.iter().take(FAILURES_SHOWN) {
            let changed =
                if failure.changed.is_empty() { String::new() } else { format!(" ({})", failure.changed.join(", ")) };
            let moved = if failure.changed.is_empty() {
                failure.after.clone()
            } else {
                format!("{} → {}", failure.before, failure.after)
            };
            let _ = write!(
                rows,
                "<div class=\"type\">row {}: {}</div>",
                with_separators(failure.row),
                escape(&shortened(&format!("{moved}{changed}")))
            );
        }
        let _ = write!(
            out,
            "<tr class=\"f\"><td><span class=\"name\">{}</span></td><td>{share:.1} %</td><td class=\"sub\">{}</td><td class=\"l\"><span class=\"{class}\">{told}</span>{rows}</td></tr>",
            escape(&shortened(&result.test.name)),
            with_separators(result.rows)
        );
    }
    out.push_str("</tbody></table></div>");
    out
}

/// Importance of the inputs, and how predictions follow the most important ones.
pub(super) fn effects_section(evaluation: &Evaluation) -> String {
    let Some(effects) = &evaluation.effects else { return String::new() };
    let widest = effects.inputs.iter().map(|input| input.importance).fold(0.0, f64::max).max(1e-12);
    let mut out = format!(
        "<div class=\"scroll\"><table class=\"found\"><thead><tr><th scope=\"col\">input</th><th scope=\"col\" class=\"l\">{} lost without it</th><th scope=\"col\">±</th></tr></thead><tbody>",
        escape(effects.metric.title())
    );
    for input in effects.inputs.iter().take(INPUTS_SHOWN) {
        let _ = write!(
            out,
            "<tr class=\"f\"><td><span class=\"name\">{}</span></td><td class=\"l\"><span class=\"effect plain\"><i style=\"width:{:.1}%\"></i></span>{}</td><td class=\"sub\">{}</td></tr>",
            escape(&shortened(&input.column)),
            (input.importance / widest * 100.0).max(0.0),
            decimals(input.importance),
            decimals(input.deviation)
        );
    }
    out.push_str("</tbody></table></div><div class=\"curves\">");
    for input in &effects.inputs {
        if let Some(curve) = &input.curve {
            out.push_str(&curve_card(input, curve));
        }
    }
    let _ = write!(
        out,
        "</div><p class=\"foot\">On {} rows of {}. Importance: how much worse {} gets when the values of the column are shuffled among the rows, over five shuffles. Thick line: the mean prediction if every row had the value (partial dependence). Thin lines: single rows. Dashed: accumulated local effects, which ask of no row what it could not be.</p>",
        with_separators(effects.rows),
        escape(&evaluation.split),
        escape(effects.metric.title())
    );
    out
}

/// A small chart of one input.
fn curve_card(input: &InputEffect, curve: &Curve) -> String {
    const WIDTH: f64 = 250.0;
    const HEIGHT: f64 = 120.0;
    let all = || curve.individual.iter().flatten().chain(&curve.partial).copied();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let span = if high > low { high - low } else { 1.0 };
    let last = (curve.values.len() - 1).max(1) as f64;
    let x = |at: usize| 4.0 + at as f64 / last * (WIDTH - 8.0);
    let y = |value: f64| 4.0 + (1.0 - (value - low) / span) * (HEIGHT - 8.0);
    let line = |values: &[f64]| {
        let mut path = String::new();
        for (at, value) in values.iter().enumerate() {
            let _ = write!(path, "{}{:.1},{:.1}", if at == 0 { "M" } else { "L" }, x(at), y(*value));
        }
        path
    };
    let (first_value, last_value) =
        (curve.values.first().map_or("", String::as_str), curve.values.last().map_or("", String::as_str));
    let mut out = format!(
        "<div class=\"chart small\"><h3>{}</h3><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"mean prediction {} at {}, {} at {}\">",
        escape(&shortened(&input.column)),
        decimals(curve.partial[0]),
        escape(first_value),
        decimals(curve.partial[curve.partial.len() - 1]),
        escape(last_value)
    );
    for row in &curve.individual {
        let _ = write!(out, "<path class=\"faint\" d=\"{}\"/>", line(row));
    }
    if !curve.accumulated.is_empty() {
        // Effects are centred; beside the partial dependence they are shown around its mean.
        let mean = curve.partial.iter().sum::<f64>() / curve.partial.len() as f64;
        let moved: Vec<f64> = curve.accumulated.iter().map(|effect| (effect + mean).clamp(low, high)).collect();
        let _ = write!(out, "<path class=\"local\" d=\"{}\"/>", line(&moved));
    }
    let _ = write!(out, "<path class=\"mean\" d=\"{}\"/></svg>", line(&curve.partial));
    let _ = write!(
        out,
        "<div class=\"ends\"><span>{}</span><span>{} to {}</span><span>{}</span></div></div>",
        escape(&shortened(first_value)),
        decimals(low),
        decimals(high),
        escape(&shortened(last_value))
    );
    out
}

/// Metrics that the pipeline file defines: the figures of the business, beside those of the model.
pub(super) fn own_cards(evaluation: &Evaluation) -> String {
    let Some(overall) = evaluation.overall() else { return String::new() };
    let own: Vec<Metric> =
        overall.metrics.iter().map(|(metric, _)| metric).filter(|m| m.definition().is_some()).collect();
    if own.is_empty() {
        return String::new();
    }
    let mut out = String::from("<div class=\"cards\">");
    for metric in own {
        out.push_str(&own_card(overall, metric));
    }
    out.push_str("</div>");
    out
}

fn own_card(overall: &SliceEvaluation, metric: Metric) -> String {
    let value = overall.metrics.get(metric).map_or_else(|| "–".to_owned(), decimals);
    let interval = overall.intervals.as_ref().and_then(|intervals| intervals.get(&metric));
    let interval =
        interval.map_or_else(String::new, |found| format!("{} to {}", decimals(found.low), decimals(found.high)));
    let baseline = overall.baseline.as_ref().and_then(|metrics| metrics.get(metric));
    let baseline = baseline.map_or_else(String::new, |value| format!("<span>baseline {}</span>", decimals(value)));
    format!(
        "<div class=\"stat\" data-tip=\"{}\"><span>{}</span><b>{value}</b><em><span>{interval}</span>{baseline}</em></div>",
        escape(metric.about()),
        escape(metric.title())
    )
}

/// Likely mistakes, or that none was found.
pub(super) fn suspicions_section(evaluation: &Evaluation) -> String {
    let Some(found) = &evaluation.suspicions else { return String::new() };
    let warnings = found.warnings(&evaluation.split);
    let looked_for = escape(&found.looked_for());
    if warnings.is_empty() {
        return format!("<p class=\"foot\">None found. {looked_for} No input tells the label alone.</p>");
    }
    let mut out = String::from("<div class=\"verdict\"><ul>");
    for warning in warnings {
        let _ = write!(out, "<li>{}</li>", marked(&warning));
    }
    let _ = write!(out, "</ul></div><p class=\"foot\">{looked_for}</p>");
    out
}
