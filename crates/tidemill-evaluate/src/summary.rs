//! The summary of an evaluation on a terminal, at the end of a run or after `tidemill evaluate`.

use tidemill_core::{SummaryTable, TaskKind, Tone};

use crate::gate::number;
use crate::metrics::{Direction, Metric};
use crate::slices::SliceKey;
use crate::{Blessing, Check, CheckOutcome, Evaluation, Rule, SliceEvaluation};

/// Smaller slices are not called the worst: a few unlucky rows can produce any number.
const WORST_ROWS_MIN: u64 = 30;
/// How many slices are shown.
const WORST_SHOWN: usize = 5;
/// Metrics on request are shown if they are up to this many.
const ASKED_SHOWN: usize = 20;
/// The text for an undefined number.
const UNDEFINED: &str = "–";

/// "AUC 0.954 (baseline 0.951) on 5,001 rows: blessed".
pub fn summary_headline(evaluation: &Evaluation, blessing: &Blessing) -> String {
    let metric = Metric::headline(evaluation.task.kind());
    let overall = evaluation.overall();
    let value = |found: Option<f64>| found.map_or_else(|| UNDEFINED.to_owned(), three_decimals);
    let candidate = value(overall.and_then(|slice| slice.metrics.get(metric)));
    let baseline = overall
        .and_then(|slice| slice.baseline.as_ref())
        .map(|metrics| format!(" (baseline {})", value(metrics.get(metric))))
        .unwrap_or_default();
    let rows = with_separators(evaluation.rows);
    format!("{} {candidate}{baseline} on {rows} rows: {}", metric.title(), blessing.verdict)
}

/// The tables of the end-of-run summary: metrics with their bounds, the worst slices, the slices found.
pub fn summary_tables(evaluation: &Evaluation, blessing: &Blessing) -> Vec<SummaryTable> {
    [metrics_table(evaluation, blessing), classes_table(evaluation), worst_slices(evaluation), found_slices(evaluation)]
        .into_iter()
        .flatten()
        .collect()
}

fn metrics_table(evaluation: &Evaluation, blessing: &Blessing) -> Option<SummaryTable> {
    let overall = evaluation.overall()?;
    let shown = [
        Metric::Ndcg,
        Metric::NdcgAt5,
        Metric::NdcgAt10,
        Metric::Map,
        Metric::Mrr,
        Metric::Auc,
        Metric::AucMicro,
        Metric::PrAuc,
        Metric::Accuracy,
        Metric::BalancedAccuracy,
        Metric::SubsetAccuracy,
        Metric::HammingLoss,
        Metric::MacroF1,
        Metric::LogLoss,
        Metric::Rmse,
        Metric::Mae,
        Metric::R2,
        Metric::PinballLoss,
        Metric::Coverage,
        Metric::Calibration,
    ];
    // Of very many, as `all` asks for, the JSON has all.
    let asked: Vec<Metric> = overall.metrics.iter().map(|(metric, _)| metric).filter(|m| m.is_on_request()).collect();
    let asked = if asked.len() > ASKED_SHOWN { Vec::new() } else { asked };
    let has_bound =
        |metric: Metric| blessing.checks.iter().any(|check| check.slice.is_overall() && check.metric == metric);
    let is_binary = evaluation.task.kind() == TaskKind::Binary;
    // Of two classes accuracy is enough for a table.
    let is_shown = |metric: Metric| shown.contains(&metric) && !(is_binary && metric == Metric::BalancedAccuracy);
    let is_asked = |metric: Metric| metric.is_on_request() && asked.contains(&metric);
    let is_computed = |metric: Metric| overall.metrics.iter().any(|(computed, _)| computed == metric);
    let mut rows: Vec<(Tone, Vec<String>)> = Metric::of(&evaluation.task)
        .chain(asked.iter().copied().filter(|metric| matches!(metric, Metric::Written(_))))
        .filter(|metric| (is_shown(*metric) && is_computed(*metric)) || has_bound(*metric) || is_asked(*metric))
        .map(|metric| metric_row(overall, &SliceKey::overall(), metric, &blessing.checks))
        .collect();
    // Bounds on slices are shown only if they are not met.
    let mut shown_slices: Vec<(&SliceKey, Metric)> = Vec::new();
    for check in blessing.checks.iter().filter(|check| check.outcome == CheckOutcome::Failed) {
        let place = (&check.slice, check.metric);
        if check.slice.is_overall() || shown_slices.contains(&place) {
            continue;
        }
        shown_slices.push(place);
        let missing = SliceEvaluation {
            slice: check.slice.clone(),
            rows: 0,
            metrics: crate::Metrics::default(),
            baseline: None,
            intervals: None,
            change_intervals: None,
        };
        let slice = evaluation.slice(&check.slice).unwrap_or(&missing);
        rows.push(metric_row(slice, &check.slice, check.metric, &blessing.checks));
    }
    let columns = ["metric", "candidate", "baseline", "change", "bound", "ok"];
    Some(SummaryTable { title: "Metrics".into(), columns: columns.map(str::to_owned).into(), rows })
}

fn metric_row(slice: &SliceEvaluation, key: &SliceKey, metric: Metric, checks: &[Check]) -> (Tone, Vec<String>) {
    let checks: Vec<&Check> = checks.iter().filter(|check| check.slice == *key && check.metric == metric).collect();
    let value = slice.metrics.get(metric);
    let baseline = slice.baseline.as_ref().and_then(|metrics| metrics.get(metric));
    let any = |outcome| checks.iter().any(|check| check.outcome == outcome);
    let (tone, ok) = if any(CheckOutcome::Failed) {
        (Tone::Bad, "no")
    } else if any(CheckOutcome::Passed) {
        (Tone::Good, "yes")
    } else if any(CheckOutcome::NotApplied) {
        (Tone::Plain, "no baseline")
    } else {
        (Tone::Plain, "")
    };
    let bounds: Vec<String> = checks.iter().map(|check| bound(check)).collect();
    let name = if key.is_overall() { metric.title().to_owned() } else { format!("{} of {key}", metric.title()) };
    let interval = slice.intervals.as_ref().and_then(|intervals| intervals.get(&metric));
    let candidate = match (value, interval) {
        (Some(value), Some(interval)) => {
            format!("{} ±{}", number(value), two_digits((interval.high - value).max(value - interval.low)))
        }
        _ => cell(value),
    };
    let change = value.zip(baseline).map(|(value, baseline)| value - baseline);
    let change = change.map_or_else(|| UNDEFINED.to_owned(), signed);
    (tone, vec![name, candidate, cell(baseline), change, bounds.join(", "), ok.to_owned()])
}

/// "≥ 0.9", "≥ baseline - 0.005".
pub(crate) fn bound(check: &Check) -> String {
    let Check { rule, limit, metric, .. } = check;
    let (sign, worse) = match metric.direction() {
        Direction::Higher => ("≥", "-"),
        Direction::Lower => ("≤", "+"),
        Direction::Towards(_) | Direction::Neutral => ("", ""),
    };
    let better = if worse == "-" { "+" } else { "-" };
    match rule {
        Rule::AtLeast => format!("≥ {limit}"),
        Rule::AtMost => format!("≤ {limit}"),
        Rule::NoWorseThanBaselineBy if sign.is_empty() => format!("worse by ≤ {limit}"),
        Rule::NoWorseThanBaselineByPercent if sign.is_empty() => format!("worse by ≤ {limit} %"),
        Rule::BetterThanBaselineBy if sign.is_empty() => format!("better by ≥ {limit}"),
        Rule::NoWorseThanBaselineBy => format!("{sign} baseline {worse} {limit}"),
        Rule::NoWorseThanBaselineByPercent => format!("{sign} baseline {worse} {limit} %"),
        Rule::ChangeAtLeast => format!("change ≥ {limit}"),
        Rule::ChangeAtMost => format!("change ≤ {limit}"),
        Rule::RelativeChangeAtLeast => format!("relative change ≥ {limit}"),
        Rule::RelativeChangeAtMost => format!("relative change ≤ {limit}"),
        Rule::BetterThanBaselineBy => format!("{sign} baseline {better} {limit}"),
    }
}

/// Classes shown in a table; a report shows more.
const CLASSES_SHOWN: usize = 12;

/// The quality of each class, and the class it is most often confused with.
fn classes_table(evaluation: &Evaluation) -> Option<SummaryTable> {
    let classes = evaluation.classes.as_ref()?;
    let mut shown: Vec<_> = classes.iter().collect();
    if shown.len() > CLASSES_SHOWN {
        // If there are many, the worst ones.
        shown.sort_by(|a, b| a.f1.unwrap_or(0.0).total_cmp(&b.f1.unwrap_or(0.0)));
        shown.truncate(CLASSES_SHOWN);
    }
    let row = |class: &&crate::ClassEvaluation| {
        let mut taken: Vec<(&String, f64)> = class
            .predicted
            .iter()
            .filter(|(name, _)| **name != class.class)
            .map(|(name, rows)| (name, *rows))
            .collect();
        taken.sort_by(|a, b| b.1.total_cmp(&a.1));
        let taken = match taken.first() {
            Some((name, rows)) if *rows > 0.0 => format!("{name} ({})", number(*rows)),
            _ => String::new(),
        };
        let cells = [class.precision, class.recall, class.f1, class.auc].map(cell);
        (Tone::Plain, [class.class.clone(), number(class.rows)].into_iter().chain(cells).chain([taken]).collect())
    };
    let columns = ["class", "rows", "precision", "recall", "F1", "AUC", "taken for"].map(str::to_owned).to_vec();
    let mut table = SummaryTable { title: "Classes".into(), columns, rows: shown.iter().map(row).collect() };
    if evaluation.task.kind() == TaskKind::MultiLabel {
        // A row has several labels, so none is taken for another.
        table.title = "Labels".into();
        table.columns = ["label", "rows", "precision", "recall", "F1", "AUC"].map(str::to_owned).to_vec();
        table.rows.iter_mut().for_each(|(_, cells)| cells.truncate(table.columns.len()));
    }
    Some(table)
}

fn worst_slices(evaluation: &Evaluation) -> Option<SummaryTable> {
    let (headline, loss) = (Metric::headline(evaluation.task.kind()), Metric::loss(evaluation.task.kind()));
    let mut slices: Vec<&SliceEvaluation> = evaluation
        .slices
        .iter()
        .filter(|slice| !slice.slice.is_overall() && slice.rows >= WORST_ROWS_MIN)
        .filter(|slice| slice.metrics.get(loss).is_some())
        .collect();
    let of = |slice: &SliceEvaluation| slice.metrics.get(loss).unwrap_or(0.0);
    // A loss is worst where it is largest, the quality of a ranking where it is smallest.
    let badness = |slice: &SliceEvaluation| if loss.direction() == Direction::Higher { -of(slice) } else { of(slice) };
    slices.sort_by(|a, b| badness(b).total_cmp(&badness(a)));
    if slices.is_empty() {
        return None;
    }
    let second = match headline {
        Metric::Ndcg => Metric::Map,
        same if same == loss => Metric::Mae,
        other => other,
    };
    let compared = slices.iter().any(|slice| slice.baseline.is_some());
    let mut columns = vec!["slice".to_owned(), "rows".into(), loss.title().into(), second.title().into()];
    if compared {
        columns.push("change".into());
    }
    let rows = slices
        .into_iter()
        .take(WORST_SHOWN)
        .map(|slice| {
            let mut cells = vec![
                slice.slice.to_string(),
                with_separators(slice.rows),
                cell(slice.metrics.get(loss)),
                cell(slice.metrics.get(second)),
            ];
            let change = slice.baseline.as_ref().and_then(|baseline| Some(of(slice) - baseline.get(loss)?));
            if compared {
                cells.push(change.map_or_else(|| UNDEFINED.to_owned(), signed));
            }
            (Tone::Plain, cells)
        })
        .collect();
    Some(SummaryTable { title: "Worst slices".into(), columns, rows })
}

fn found_slices(evaluation: &Evaluation) -> Option<SummaryTable> {
    let search = evaluation.found_slices.as_ref().filter(|search| !search.slices.is_empty())?;
    let columns = ["slice", "rows", "loss", "elsewhere", "effect", "p"];
    let rows = search
        .slices
        .iter()
        .map(|slice| {
            let cells = vec![
                slice.to_string(),
                with_separators(slice.rows),
                number(slice.loss),
                number(slice.rest_loss),
                format!("{:.2}", slice.effect_size),
                if slice.adjusted_p_value < 0.001 { "<0.001".into() } else { format!("{:.3}", slice.adjusted_p_value) },
            ];
            (Tone::Warn, cells)
        })
        .collect();
    Some(SummaryTable { title: "Slices found".into(), columns: columns.map(str::to_owned).into(), rows })
}

fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), number)
}

pub(crate) fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", number(value)) } else { number(value) }
}

/// Two significant digits.
pub(crate) fn two_digits(value: f64) -> String {
    if value <= 0.0 {
        return "0".into();
    }
    let decimals = (1 - value.log10().floor() as i32).clamp(0, 9) as usize;
    format!("{value:.decimals$}")
}

fn three_decimals(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.3}") } else { number(value) }
}

/// "5,001".
pub(crate) use tidemill_core::grouped as with_separators;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(with_separators(999), "999");
        assert_eq!(with_separators(5_001), "5,001");
        assert_eq!(with_separators(10_000_000), "10,000,000");
        assert_eq!(two_digits(0.003_14), "0.0031");
        assert_eq!(two_digits(12.3), "12");
        assert_eq!(signed(0.25), "+0.25");
        assert_eq!(signed(-0.25), "-0.25");
    }
}
