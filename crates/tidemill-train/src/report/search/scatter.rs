//! Trials as points: over time, over each parameter, and over what they cost.

use serde_json::Value;
use tidemill_core::markup::escape;
use tidemill_tune::{Trial, TrialState};

use super::chart::{Axis, Chart};
use super::{PARAMS_SHOWN, Study, learner_name};
use crate::report::decimals;

const WIDE: [f64; 2] = [1080.0, 300.0];
const SMALL: [f64; 2] = [400.0, 230.0];
/// The share of trials that an axis of values has room for: a few hopeless ones would press all others together.
const SHOWN_SHARE: f64 = 0.9;

/// An axis for the metric of trials.
fn values(study: &Study<'_>, more: Option<f64>) -> Option<Axis> {
    let ranked = study.ranked();
    let count = ((ranked.len() as f64 * SHOWN_SHARE).ceil() as usize).max(1);
    Axis::of(ranked.iter().take(count).filter_map(|trial| trial.result()).chain(more), false)
}

fn text(study: &Study<'_>, trial: &Trial) -> String {
    let value = trial.value.map_or_else(|| "failed".to_owned(), decimals);
    format!("trial {}: {} {value}, {}", trial.number + 1, study.found.metric, learner_name(study.found, trial))
}

/// Every trial, and the best so far.
pub(super) fn history(study: &Study<'_>) -> String {
    let Some(y) = values(study, None) else { return String::new() };
    let last = study.trials.last().map_or(1.0, |trial| trial.number as f64 + 1.0);
    let Some(x) = Axis::of([1.0, last].into_iter(), false) else { return String::new() };
    let mut chart = Chart::new(WIDE, x, y, "metric by trial");
    if let Some(floor) = study.found.floor {
        chart.level(floor, "floor", "without any column");
    }
    let (mut best, mut line): (Option<f64>, Vec<(f64, f64)>) = (None, Vec::new());
    for trial in study.trials {
        let at = trial.number as f64 + 1.0;
        let is_seen = |value: f64| (0.0..=1.0).contains(&y.share(value));
        match (trial.result(), trial.value.filter(|_| trial.state == TrialState::Pruned)) {
            (Some(value), _) => {
                if is_seen(value) {
                    chart.dot(at, value, &format!("t {}", study.colour(trial)), &text(study, trial));
                }
                if best.is_none_or(|best| study.direction().is_better(value, best)) {
                    line.extend(best.map(|best| (at, best)));
                    line.push((at, value));
                    best = Some(value);
                }
            }
            (None, Some(value)) if is_seen(value) => {
                chart.dot(at, value, &format!("ended {}", study.colour(trial)), &text(study, trial));
            }
            _ => {}
        }
    }
    line.extend(best.map(|best| (last, best)));
    let line: Vec<(f64, f64)> = line.into_iter().filter(|(_, value)| (0.0..=1.0).contains(&y.share(*value))).collect();
    chart.line(&line, "so-far");
    format!(
        "<section id=\"history\"><h2>History<span>{} by trial, and the best so far</span>{}</h2><div class=\"chart\">{}</div></section>",
        escape(&study.found.metric),
        study.legend(),
        chart.finish()
    )
}

/// The metric over each of the parameters that matter most.
pub(super) fn slices(study: &Study<'_>) -> String {
    let Some(y) = values(study, None) else { return String::new() };
    let mut figures = String::new();
    for (name, shown) in study.params().iter().filter(|(name, _)| name != "learner").take(PARAMS_SHOWN) {
        let number = |trial: &&Trial| Some((trial.params.get(name)?.as_f64()?, trial.result()?));
        let points: Vec<(&Trial, (f64, f64))> =
            study.ranked().into_iter().filter_map(|trial| Some((trial, number(&trial)?))).collect();
        let Some(x) = Axis::of(points.iter().map(|(_, (x, _))| *x), true).filter(|_| points.len() > 2) else {
            continue;
        };
        let mut chart = Chart::new(SMALL, x, y, &format!("metric by {shown}"));
        for (trial, (x, value)) in points {
            if (0.0..=1.0).contains(&y.share(value)) {
                chart.dot(x, value, &format!("t {}", study.colour(trial)), &text(study, trial));
            }
        }
        figures.push_str(&format!(
            "<figure class=\"chart\"><figcaption>{}</figcaption>{}</figure>",
            escape(shown),
            chart.finish()
        ));
    }
    if figures.is_empty() {
        return String::new();
    }
    format!(
        "<section id=\"slices\"><h2>How it depends on each parameter<span>{} by value, the most important first</span></h2><div class=\"shapes\">{figures}</div></section>",
        escape(&study.found.metric)
    )
}

/// The metric over what a row takes; the front has the trials that no other is both better and faster than.
pub(super) fn pareto(study: &Study<'_>) -> String {
    let took = |trial: &Trial| trial.facts.get("latency_p99_us").and_then(Value::as_f64);
    let points: Vec<(&Trial, f64, f64)> =
        study.ranked().into_iter().filter_map(|trial| Some((trial, took(trial)?, trial.result()?))).collect();
    let (Some(y), Some(x)) = (values(study, None), Axis::of(points.iter().map(|(_, us, _)| *us), true)) else {
        return String::new();
    };
    let mut chart = Chart::new(WIDE, x, y, "metric by latency");
    for (trial, us, value) in &points {
        if (0.0..=1.0).contains(&y.share(*value)) {
            let text = format!("{}, {us:.0} µs", text(study, trial));
            chart.dot(*us, *value, &format!("t {}", study.colour(trial)), &text);
        }
    }
    // Best first: one is of the front if it is faster than all before it.
    let mut front: Vec<(f64, f64)> = Vec::new();
    for (_, us, value) in &points {
        if front.last().is_none_or(|(least, _)| us < least) {
            front.push((*us, *value));
        }
    }
    front.retain(|(_, value)| (0.0..=1.0).contains(&y.share(*value)));
    chart.line(&front, "front");
    format!(
        "<section id=\"pareto\"><h2>What speed costs<span>{} by the 99th percentile of a row, in microseconds; the line has the trials that no \
         other is both better and faster than</span>{}</h2><div class=\"chart\">{}</div></section>",
        escape(&study.found.metric),
        study.legend(),
        chart.finish()
    )
}
