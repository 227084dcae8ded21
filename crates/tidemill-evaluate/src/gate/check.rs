//! Applies thresholds to an evaluation.

use std::collections::BTreeMap;

use super::blessing::{BLESSING_FORMAT, number};
use super::{Blessing, BlessingVerdict, Check, CheckOutcome, Rule, SliceSelector, Threshold, Thresholds};
use crate::metrics::{Direction, Metric, Metrics};
use crate::slices::{SliceKey, SliceTerm, SliceValue};
use crate::{EvaluateError, Evaluation, SliceEvaluation};

/// Differences this small are rounding errors: 0.9 - 0.005 is not 0.895. Bounds are inclusive, so they pass.
const ROUNDING: f64 = 1e-12;

/// Applies `thresholds` to `evaluation` and returns the verdict on its candidate.
///
/// * A value equal to its bound passes. "Worse" and "better" follow the metric: less log-loss is better.
/// * A metric that is undefined on the slice, or a slice that was not evaluated (no rows, or fewer than
///   `min_slice_size`), fails.
/// * Without a baseline, bounds against it are not applied, and the notes say so. A baseline that lacks the
///   value fails the bound.
/// * The percentage is of the baseline's magnitude; if that is 0 it is undefined, and the bound fails.
///
/// The only error is a metric that the task does not have.
pub fn check_thresholds(evaluation: &Evaluation, thresholds: &Thresholds) -> Result<Blessing, EvaluateError> {
    thresholds.check_task(evaluation.task.kind())?;
    let has_baseline = evaluation.overall().is_some_and(|overall| overall.baseline.is_some());
    let mut checks = Vec::new();
    check_slice(&SliceKey::overall(), evaluation.overall(), &thresholds.overall, has_baseline, &mut checks);
    for (selector, bounds) in &thresholds.slices {
        for (key, slice) in selected(evaluation, selector) {
            check_slice(&key, slice, bounds, has_baseline, &mut checks);
        }
    }
    for (against, selector, bounds) in &thresholds.cross {
        for (other_key, other) in selected(evaluation, against) {
            for (key, slice) in selected(evaluation, selector) {
                // A slice is not compared with itself.
                if key != other_key {
                    let difference = other.zip(slice).map(|(other, slice)| difference(other, slice));
                    let first = checks.len();
                    check_slice(&key, difference.as_ref(), bounds, has_baseline, &mut checks);
                    checks[first..].iter_mut().for_each(|check| name_difference(check, &other_key));
                }
            }
        }
    }
    Ok(blessing(evaluation, checks, has_baseline))
}

/// The slices of a selector. `None`: there is no such slice, or it is too small to be shown.
fn selected<'a>(evaluation: &'a Evaluation, selector: &SliceSelector) -> Vec<(SliceKey, Option<&'a SliceEvaluation>)> {
    let spec = match selector {
        SliceSelector::One(key) => return vec![(key.clone(), evaluation.slice(key))],
        SliceSelector::Each(_) | SliceSelector::Family(_) => selector.spec(),
    };
    let is_of = |slice: &SliceEvaluation| {
        slice.slice.is_over(&spec.columns)
            && slice.slice.terms().iter().all(|term| spec.keeps(&term.column, &term.value))
    };
    let found: Vec<_> = evaluation.slices.iter().filter(|slice| is_of(slice)).collect();
    if found.is_empty() {
        let any = |column: &String| SliceTerm { column: column.clone(), value: SliceValue::Text("*".into()) };
        return vec![(SliceKey::new(spec.columns.iter().map(any)), None)];
    }
    found.into_iter().map(|slice| (slice.slice.clone(), Some(slice))).collect()
}

/// The metrics of one slice minus those of another, of both models.
fn difference(of: &SliceEvaluation, minus: &SliceEvaluation) -> SliceEvaluation {
    let subtract = |of: &Metrics, minus: &Metrics| {
        let mut difference = Metrics::default();
        for (metric, value) in of.iter() {
            difference.set(metric, value.zip(minus.get(metric)).map(|(value, other)| value - other));
        }
        difference
    };
    SliceEvaluation {
        slice: minus.slice.clone(),
        rows: minus.rows,
        metrics: subtract(&of.metrics, &minus.metrics),
        baseline: of.baseline.as_ref().zip(minus.baseline.as_ref()).map(|(of, minus)| subtract(of, minus)),
        intervals: None,
        change_intervals: None,
    }
}

/// Says of a check that it is of a difference.
fn name_difference(check: &mut Check, against: &SliceKey) {
    check.against = Some(against.clone());
    let of = if against.is_overall() { "all rows".to_owned() } else { format!("slice {against}") };
    if let Some(reason) = &mut check.reason {
        *reason = format!("{of} against slice {}: {reason}", check.slice);
    }
}

fn blessing(evaluation: &Evaluation, checks: Vec<Check>, has_baseline: bool) -> Blessing {
    let with = |outcome| checks.iter().filter(move |check| check.outcome == outcome);
    let reasons: Vec<String> = with(CheckOutcome::Failed).filter_map(|check| check.reason.clone()).collect();
    let verdict = if checks.is_empty() {
        BlessingVerdict::Unchecked
    } else if !reasons.is_empty() {
        BlessingVerdict::NotBlessed
    } else if has_baseline {
        BlessingVerdict::Blessed
    } else {
        BlessingVerdict::BlessedFirst
    };
    let mut notes = Vec::new();
    if verdict == BlessingVerdict::Unchecked {
        notes.push("no thresholds are set, so the model was not judged".to_owned());
    }
    let skipped = with(CheckOutcome::NotApplied).count();
    if skipped > 0 {
        let bounds = if skipped == 1 { "1 bound".to_owned() } else { format!("{skipped} bounds") };
        notes.push(format!("there is no baseline yet, so {bounds} against it did not apply"));
    }
    Blessing {
        format: BLESSING_FORMAT,
        verdict,
        blessed: verdict.passes(),
        reasons,
        notes,
        model: evaluation.model.clone(),
        baseline: evaluation.baseline.clone(),
        own_metrics: evaluation.own_metrics.clone(),
        checks,
    }
}

fn check_slice(
    key: &SliceKey,
    slice: Option<&SliceEvaluation>,
    bounds: &BTreeMap<Metric, Threshold>,
    has_baseline: bool,
    checks: &mut Vec<Check>,
) {
    for (&metric, threshold) in bounds {
        for (rule, limit) in threshold.rules() {
            let value = slice.and_then(|slice| slice.metrics.get(metric));
            let baseline = if rule.needs_baseline() {
                slice.and_then(|slice| slice.baseline.as_ref()).and_then(|metrics| metrics.get(metric))
            } else {
                None
            };
            let end = if threshold.interval { interval_end(slice, metric, rule) } else { None };
            let (outcome, reason) = if slice.is_none() {
                (CheckOutcome::Failed, Some(format!("slice {key} has no rows, or too few to be shown")))
            } else if rule.needs_baseline() && !has_baseline {
                (CheckOutcome::NotApplied, Some("there is no baseline yet".to_owned()))
            } else {
                let failure = failure(metric, rule, limit, value, baseline).or_else(|| {
                    threshold.interval.then(|| interval_failure(metric, rule, limit, baseline, end)).flatten()
                });
                match failure {
                    None => (CheckOutcome::Passed, None),
                    Some(why) => (CheckOutcome::Failed, Some(format!("{}{why}", place(metric, key)))),
                }
            };
            checks.push(Check {
                slice: key.clone(),
                against: None,
                metric,
                rule,
                limit,
                value,
                baseline,
                interval_end: end,
                outcome,
                reason,
            });
        }
    }
}

fn place(metric: Metric, key: &SliceKey) -> String {
    if key.is_overall() { format!("{metric} ") } else { format!("{metric} of slice {key} ") }
}

/// Why the bound is not met, after "metric of slice ".
fn failure(metric: Metric, rule: Rule, limit: f64, value: Option<f64>, baseline: Option<f64>) -> Option<String> {
    let Some(value) = value else { return Some("is undefined on these rows".to_owned()) };
    if !rule.needs_baseline() {
        let holds = if rule == Rule::AtLeast { value >= limit } else { value <= limit };
        let side = if rule == Rule::AtLeast { "below" } else { "above" };
        return (!holds).then(|| format!("is {}, {side} the bound {limit}", distinguishable(value, limit)));
    }
    let Some(baseline) = baseline else { return Some("is undefined for the baseline".to_owned()) };
    if !rule.needs_direction() {
        return change_failure(rule, limit, value, baseline);
    }
    let Some(gain) = metric.direction().gain(value, baseline) else {
        return Some("has no better or worse".to_owned());
    };
    let needed = match rule {
        Rule::BetterThanBaselineBy => limit,
        Rule::NoWorseThanBaselineByPercent if baseline == 0.0 => {
            return Some("is 0 for the baseline, so a percentage is undefined".to_owned());
        }
        Rule::NoWorseThanBaselineByPercent => -baseline.abs() * limit / 100.0,
        _ => -limit,
    };
    if gain >= needed - ROUNDING {
        return None;
    }
    let beside =
        format!("is {} and the baseline's {}", distinguishable(value, baseline), distinguishable(baseline, value));
    Some(match rule {
        Rule::BetterThanBaselineBy if gain >= 0.0 => {
            format!("{beside}: better by {} only, and {limit} is asked for", number(gain))
        }
        Rule::BetterThanBaselineBy => {
            format!("{beside}: worse by {}, and better by {limit} is asked for", number(-gain))
        }
        Rule::NoWorseThanBaselineByPercent => {
            format!("{beside}: worse by {} %, and {limit} % is allowed", number(-gain / baseline.abs() * 100.0))
        }
        _ => format!("{beside}: worse by {}, and {limit} is allowed", number(-gain)),
    })
}

/// Why the change does not meet its bound.
fn change_failure(rule: Rule, limit: f64, value: f64, baseline: f64) -> Option<String> {
    let change = value - baseline;
    let (found, name) = if rule.is_relative() {
        if baseline.abs() < f64::MIN_POSITIVE {
            return Some("is 0 for the baseline, so a relative change is undefined".to_owned());
        }
        (change / baseline, "relative change")
    } else {
        (change, "change")
    };
    let side = if rule.holds(f64::INFINITY, limit, 0.0) { "below" } else { "above" };
    (!rule.holds(found, limit, ROUNDING)).then(|| {
        let beside =
            format!("is {} and the baseline's {}", distinguishable(value, baseline), distinguishable(baseline, value));
        format!("{beside}: a {name} of {}, {side} the bound {limit}", distinguishable(found, limit))
    })
}

/// The end of the interval that is farthest on the wrong side: of the value, or of the change against the baseline.
fn interval_end(slice: Option<&SliceEvaluation>, metric: Metric, rule: Rule) -> Option<f64> {
    let slice = slice?;
    let intervals = if rule.needs_baseline() { &slice.change_intervals } else { &slice.intervals };
    let interval = intervals.as_ref()?.get(&metric)?;
    let takes_low = match rule {
        rule if !rule.needs_direction() => rule.holds(f64::INFINITY, 0.0, 0.0),
        _ => metric.direction() == Direction::Higher,
    };
    Some(if takes_low { interval.low } else { interval.high })
}

/// Why the interval does not meet the bound that the value meets.
fn interval_failure(metric: Metric, rule: Rule, limit: f64, baseline: Option<f64>, end: Option<f64>) -> Option<String> {
    let Some(end) = end else { return Some("has no confidence interval on these rows".to_owned()) };
    if !rule.needs_baseline() {
        let holds = if rule == Rule::AtLeast { end >= limit } else { end <= limit };
        let (side, reaches) = if rule == Rule::AtLeast { ("below", "down") } else { ("above", "up") };
        let end = distinguishable(end, limit);
        return (!holds).then(|| format!("has an interval that reaches {reaches} to {end}, {side} the bound {limit}"));
    }
    if !rule.needs_direction() {
        let found = if rule.is_relative() { end / baseline? } else { end };
        return (!rule.holds(found, limit, ROUNDING)).then(|| {
            format!("may change by {}, by the interval of the change, and the bound is {limit}", number(found))
        });
    }
    let worst = if metric.direction() == Direction::Higher { end } else { -end };
    let needed = match rule {
        Rule::BetterThanBaselineBy => limit,
        Rule::NoWorseThanBaselineByPercent => -baseline?.abs() * limit / 100.0,
        _ => -limit,
    };
    if worst >= needed - ROUNDING {
        return None;
    }
    let by = number(worst.abs());
    let change = if worst < 0.0 { format!("worse by {by}") } else { format!("better by {by} only") };
    Some(format!("may be {change}, by the interval of the change, and {}", asked(rule, limit)))
}

/// What a bound against the baseline allows or asks for.
fn asked(rule: Rule, limit: f64) -> String {
    match rule {
        Rule::BetterThanBaselineBy => format!("better by {limit} is asked for"),
        Rule::NoWorseThanBaselineByPercent => format!("{limit} % is allowed"),
        _ => format!("{limit} is allowed"),
    }
}

/// `value` with as many digits as needed to distinguish it from `other`.
fn distinguishable(value: f64, other: f64) -> String {
    let text = number(value);
    if value != other && text == number(other) { value.to_string() } else { text }
}
