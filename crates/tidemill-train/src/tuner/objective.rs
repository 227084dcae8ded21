//! One trial: a learner with the parameters that were proposed, fitted and judged on rows that it has not learned from.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tidemill_core::{CancelFlag, Code, ComponentError};
use tidemill_tune::{Direction, Measured, Objective, Params, Steps, TrialError};

use super::clock::within_time;
use super::judged::JudgedRows;
use super::latency;
use super::params::Objective as Also;
use super::predictions::Predictions;
use super::score;
use super::search::Search;
use crate::learner::{Estimator, FittedLearner, Watch, predictions};
use crate::trainer::{ChosenLearner, Prepared, TrainerParams};

/// What a search makes as good as possible.
pub(super) struct Training<'a> {
    pub(super) prepared: &'a Prepared<'a>,
    pub(super) trainer: &'a TrainerParams,
    pub(super) search: &'a Search,
    pub(super) judged: &'a JudgedRows,
    /// The metric on the judged rows.
    pub(super) metric: &'a str,
    pub(super) direction: Direction,
    /// What is made small beside the metric.
    pub(super) objectives: &'a [Also],
    /// What a row may take, in milliseconds.
    pub(super) latency_ms_max: Option<f64>,
    /// Where predictions are kept for an ensemble, if one is wanted.
    pub(super) kept: Option<&'a Predictions>,
    pub(super) cancel: &'a CancelFlag,
    /// Threads of each trial.
    pub(super) threads: usize,
}

impl Objective for Training<'_> {
    fn measure(&self, params: &Params, steps: &dyn Steps) -> Result<Measured, TrialError> {
        let failed = |error: String| TrialError::Failed(error);
        let ChosenLearner { estimator, .. } = self.choose(params).map_err(failed)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        let pool = pool.map_err(|error| failed(format!("no threads can be started: {error}")))?;
        let ended = AtomicBool::new(false);
        let (tried, is_late) = within_time(self.cancel, &|| steps.time_left(), |cancel| {
            pool.install(|| {
                self.judge(&*estimator, params, &Trial { metric: self.metric, steps, ended: &ended, cancel })
            })
        });
        match tried {
            Ok(measured) => Ok(measured),
            Err(_) if ended.load(Ordering::Relaxed) => Err(TrialError::Pruned),
            Err(_) if self.cancel.is_set() => Err(TrialError::Cancelled),
            Err(_) if is_late => Err(TrialError::OutOfTime),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn allows(&self, params: &Params) -> bool {
        self.choose(params).is_ok()
    }
}

/// What the parts of a trial have in common.
struct Trial<'a> {
    metric: &'a str,
    steps: &'a dyn Steps,
    /// Set when the trial was ended early.
    ended: &'a AtomicBool,
    cancel: &'a CancelFlag,
}

impl Training<'_> {
    fn choose(&self, params: &Params) -> Result<ChosenLearner, String> {
        let chosen = self.trainer.choose(&Value::Object(self.search.learner(params)));
        chosen.map_err(|issues| issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// Fits the learner for every part of the judged rows, and judges all predictions together.
    fn judge(&self, estimator: &dyn Estimator, params: &Params, trial: &Trial<'_>) -> Result<Measured, ComponentError> {
        let task = self.prepared.task();
        let mut facts = Map::new();
        let mut columns = score::is_known(task).then(|| self.judged.columns(task));
        let mut reported = Vec::new();
        let parts = self.judged.parts();
        let mut latency = None;
        for part in 0..parts {
            let watch = Halt {
                trial,
                // Learners are compared by the rounds of the first part.
                reports: part == 0,
                until: trial.steps.time_left().map(|left| Instant::now() + left / (parts - part) as u32),
            };
            let data = self.judged.data(self.prepared, part, trial.cancel, &watch);
            let fitted = estimator.fit(&data)?;
            if let (Some(columns), Some(rows)) = (&mut columns, &data.validation) {
                let predicted = predictions(&|block| Ok(fitted.learner.predict(block)?), task, rows)?;
                self.judged.place(columns, part, &predicted);
            }
            if part == 0 {
                latency = latency::measure(self.prepared, &fitted.learner)?;
                facts.extend(kept_facts(&fitted));
                facts.insert("model_bytes".to_owned(), json!(fitted.learner.encode().len()));
                if watch.is_over() {
                    facts.insert("ended_by".to_owned(), json!("time"));
                }
            }
            reported.push(fitted.validation_metrics);
        }
        let metrics = match &columns {
            Some(columns) => {
                let own = score::metrics(task, columns, self.judged.labels(), self.judged.weights());
                // A learner that is judged on one part knows more than these.
                let mut metrics = if parts == 1 { reported.remove(0) } else { Map::new() };
                own.into_iter().for_each(|(name, value)| {
                    metrics.entry(name).or_insert(value);
                });
                metrics
            }
            None => means(&reported),
        };
        let value = metrics.get(self.metric).and_then(Value::as_f64).ok_or_else(|| {
            let known: Vec<String> = metrics.keys().map(|name| format!("`{name}`")).collect();
            let reason = format!("there is no validation metric `{}`; there are {}", self.metric, known.join(", "));
            ComponentError::new(Code::Params, reason)
        })?;
        facts.insert("metrics".to_owned(), Value::Object(metrics));
        let mut violation = 0.0;
        if let Some(latency) = latency {
            facts.insert("latency_p99_us".to_owned(), json!(latency.whole_us));
            facts.insert("learner_p99_us".to_owned(), json!(latency.learner_us));
            let over = |most: f64| (latency.whole_us / (1000.0 * most) - 1.0).max(0.0);
            violation = self.latency_ms_max.map_or(0.0, over);
        }
        let noise = columns
            .as_ref()
            .and_then(|columns| score::standard_error(self.metric, task, columns, self.judged.labels()));
        if let (Some(kept), Some(columns), true) = (self.kept, &columns, value.is_finite()) {
            kept.keep(params, self.direction.loss(value), columns)?;
        }
        let also = self.objectives.iter().map(|objective| facts.get(objective.fact()).and_then(Value::as_f64));
        let also: Vec<f64> = also.map(|fact| fact.unwrap_or(f64::MAX)).collect();
        Ok(Measured { value, also, noise, violation, facts })
    }
}

/// What is worth keeping of a fitted learner.
fn kept_facts(fitted: &FittedLearner) -> impl Iterator<Item = (String, Value)> {
    let of = |name: &str| Some((name.to_owned(), fitted.facts.get(name)?.clone()));
    ["best_round", "trees", "epochs"].into_iter().filter_map(of)
}

/// The mean of each metric over all parts.
fn means(parts: &[Map<String, Value>]) -> Map<String, Value> {
    let Some(first) = parts.first() else { return Map::new() };
    let mean = |name: &String| {
        let values: Option<Vec<f64>> = parts.iter().map(|part| part.get(name).and_then(Value::as_f64)).collect();
        values.map(|values| (name.clone(), json!(values.iter().sum::<f64>() / values.len() as f64)))
    };
    first.keys().filter_map(mean).collect()
}

/// Passes the rounds of a training to the search, which may have seen enough.
struct Halt<'a> {
    trial: &'a Trial<'a>,
    reports: bool,
    until: Option<Instant>,
}

impl Watch for Halt<'_> {
    fn report(&self, metric: &str, round: u64, value: f64) -> Result<(), ComponentError> {
        if self.reports && metric == self.trial.metric && self.trial.steps.report(round, value) {
            self.trial.ended.store(true, Ordering::Relaxed);
            return Err(ComponentError::new(Code::Canceled, "other trials are better after as many rounds"));
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        match self.until {
            Some(until) => Instant::now() >= until,
            None => self.trial.steps.time_left() == Some(Duration::ZERO),
        }
    }
}
