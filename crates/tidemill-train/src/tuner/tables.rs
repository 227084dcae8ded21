//! What the end of a run shows of a search.

use serde_json::Value;
use tidemill_core::{SummaryTable, Tone};
use tidemill_tune::{Direction, Ended, Trial, pareto_front};

use super::search::{LEARNER, Search};

/// Trials that the end of a run shows, and how many of their parameters.
const TRIALS_SHOWN: usize = 5;
const PARAMS_SHOWN: usize = 5;

/// The best trials with the parameters that mattered most, or else the first ones.
pub(super) fn best_trials(
    ended: &Ended,
    direction: Direction,
    metric: &str,
    importance: &[(String, f64)],
) -> SummaryTable {
    let mut completed: Vec<&Trial> = ended.trials.iter().filter(|trial| trial.result().is_some()).collect();
    let loss = |trial: &Trial| trial.result().map_or(f64::INFINITY, |value| direction.loss(value));
    completed.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
    completed.truncate(TRIALS_SHOWN);
    let varies = |name: &&String| {
        let mut values = ended.trials.iter().filter_map(|trial| trial.params.get(*name));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let by_importance = importance.iter().map(|(name, _)| name);
    let by_name = completed.first().into_iter().flat_map(|trial| trial.params.keys());
    let mut shown: Vec<&String> = Vec::new();
    let which = completed.first().into_iter().flat_map(|trial| trial.params.keys()).filter(|name| *name == LEARNER);
    for name in which.chain(by_importance).chain(by_name).filter(varies) {
        if shown.len() < PARAMS_SHOWN && !shown.contains(&name) && completed.iter().any(|t| t.params.contains_key(name))
        {
            shown.push(name);
        }
    }
    let row = |(place, trial): (usize, &&Trial)| {
        let value = trial.value.map_or_else(String::new, |value| format!("{value:.4}"));
        let error = trial.noise.map_or_else(|| "–".to_owned(), |noise| format!("{noise:.4}"));
        let params = shown.iter().map(|name| trial.params.get(*name).map_or_else(|| "–".to_owned(), short));
        let row = [(trial.number + 1).to_string(), value, error, format!("{:.1} s", trial.seconds)];
        (if place == 0 { Tone::Good } else { Tone::Plain }, row.into_iter().chain(params).collect())
    };
    let of_learner = |name: &&String| name.rsplit('.').next().unwrap_or(name).to_owned();
    SummaryTable {
        title: "Trials".to_owned(),
        columns: ["trial", metric, "error", "time"]
            .map(str::to_owned)
            .into_iter()
            .chain(shown.iter().map(of_learner))
            .collect(),
        rows: completed.iter().enumerate().map(row).collect(),
    }
}

/// The trials that no other is better than in all objectives; none of a search with one.
pub(super) fn front_table(search: &Search, ended: &Ended, direction: Direction, metric: &str) -> Option<SummaryTable> {
    if !ended.trials.iter().any(|trial| !trial.also.is_empty()) {
        return None;
    }
    let fact = |trial: &Trial, name: &str| trial.facts.get(name).and_then(Value::as_f64);
    let row = |at: usize| {
        let trial = ended.trials.get(at)?;
        let learner = search.learner(&trial.params).keys().next().cloned().unwrap_or_default();
        let number = |value: Option<f64>, of: &dyn Fn(f64) -> String| value.map_or_else(|| "–".to_owned(), of);
        Some((
            Tone::Plain,
            vec![
                (trial.number + 1).to_string(),
                learner,
                number(trial.value, &|value| format!("{value:.4}")),
                number(fact(trial, "latency_p99_us"), &|us| format!("{us:.1} µs")),
                number(fact(trial, "model_bytes"), &|bytes| format!("{:.1} KiB", bytes / 1024.0)),
            ],
        ))
    };
    Some(SummaryTable {
        title: "Pareto front".to_owned(),
        columns: ["trial", "learner", metric, "p99", "size"].map(str::to_owned).to_vec(),
        rows: pareto_front(direction, &ended.trials).into_iter().filter_map(row).collect(),
    })
}

/// A parameter's value, numbers with three digits.
fn short(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let rounded: f64 = format!("{number:.2e}").parse().unwrap_or(number);
            rounded.to_string()
        }
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

pub(super) fn importance_table(importance: &[(String, f64)]) -> Option<SummaryTable> {
    let shown = importance.iter().filter(|(_, share)| *share >= 0.01).take(TRIALS_SHOWN);
    let rows: Vec<_> =
        shown.map(|(name, share)| (Tone::Plain, vec![name.clone(), format!("{:.0} %", 100.0 * share)])).collect();
    (!rows.is_empty()).then(|| SummaryTable {
        title: "What mattered".to_owned(),
        columns: ["parameter", "share"].map(str::to_owned).to_vec(),
        rows,
    })
}
