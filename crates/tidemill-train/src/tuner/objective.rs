//! One trial: a learner with the parameters that were proposed, fitted and judged on the validation rows.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};
use tidemill_core::{CancelFlag, Code, ComponentError, NoProgress, Task};
use tidemill_tune::{Measured, Objective, Params, Steps, TrialError};

use super::search::Search;
use crate::learner::{FittedLearner, TrainingData, Watch, predictions, row_loss};
use crate::trainer::{ChosenLearner, Prepared, TrainerParams};

/// What a search makes as good as possible.
pub(super) struct Training<'a> {
    pub(super) prepared: &'a Prepared<'a>,
    pub(super) trainer: &'a TrainerParams,
    pub(super) search: &'a Search,
    /// The metric on the validation rows.
    pub(super) metric: &'a str,
    pub(super) cancel: &'a CancelFlag,
    /// Threads of each trial.
    pub(super) threads: usize,
}

impl Objective for Training<'_> {
    fn measure(&self, params: &Params, steps: &dyn Steps) -> Result<Measured, TrialError> {
        let failed = |error: String| TrialError::Failed(error);
        let ChosenLearner { estimator, .. } = self.choose(params).map_err(failed)?;
        let watch = Halt { metric: self.metric, steps, ended: AtomicBool::new(false) };
        let data = self.prepared.data(&NoProgress, self.cancel, &watch);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        let pool = pool.map_err(|error| failed(format!("no threads can be started: {error}")))?;
        match pool.install(|| estimator.fit(&data)) {
            Ok(fitted) => pool.install(|| self.measured(&fitted, &data)),
            Err(_) if watch.ended.load(Ordering::Relaxed) => Err(TrialError::Pruned),
            Err(error) if error.code == Code::Canceled || self.cancel.is_set() => Err(TrialError::Cancelled),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn allows(&self, params: &Params) -> bool {
        self.choose(params).is_ok()
    }
}

impl Training<'_> {
    fn choose(&self, params: &Params) -> Result<ChosenLearner, String> {
        let chosen = self.trainer.choose(&Value::Object(self.search.learner(params)));
        chosen.map_err(|issues| issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    fn measured(&self, fitted: &FittedLearner, data: &TrainingData<'_>) -> Result<Measured, TrialError> {
        let metrics = &fitted.validation_metrics;
        let Some(value) = metrics.get(self.metric).and_then(Value::as_f64) else {
            let known: Vec<String> = metrics.keys().map(|name| format!("`{name}`")).collect();
            let reason = format!("there is no validation metric `{}`; there are {}", self.metric, known.join(", "));
            return Err(TrialError::Failed(reason));
        };
        let noise = standard_error(self.metric, fitted, data).map_err(|error| TrialError::Failed(error.to_string()))?;
        let mut facts = Map::new();
        facts.insert("metrics".to_owned(), Value::Object(metrics.clone()));
        for fact in ["best_round", "trees", "epochs"] {
            if let Some(known) = fitted.facts.get(fact) {
                facts.insert(fact.to_owned(), json!(known));
            }
        }
        Ok(Measured { value, noise, facts })
    }
}

/// Passes the rounds of a training to the search, which may have seen enough.
struct Halt<'a> {
    metric: &'a str,
    steps: &'a dyn Steps,
    ended: AtomicBool,
}

impl Watch for Halt<'_> {
    fn report(&self, metric: &str, round: u64, value: f64) -> Result<(), ComponentError> {
        if metric == self.metric && self.steps.report(round, value) {
            self.ended.store(true, Ordering::Relaxed);
            return Err(ComponentError::new(Code::Canceled, "other trials are better after as many rounds"));
        }
        Ok(())
    }
}

/// The standard error of a mean over the validation rows: of the log-loss or the squared error, from its values row by row.
fn standard_error(
    metric: &str,
    fitted: &FittedLearner,
    data: &TrainingData<'_>,
) -> Result<Option<f64>, ComponentError> {
    let (Some(rows), "log_loss" | "rmse") = (&data.validation, metric) else { return Ok(None) };
    if !matches!(data.task, Task::Binary | Task::MultiClass { .. } | Task::Regression) {
        return Ok(None);
    }
    let columns = predictions(&|block| Ok(fitted.learner.predict(block)?), data.task, rows)?;
    let loss = |(row, label): (usize, &f64)| row_loss(data.task, &columns, row, *label, f64::EPSILON);
    let losses: Vec<f64> = rows.labels().iter().enumerate().map(loss).collect();
    let count = losses.len() as f64;
    if count < 2.0 {
        return Ok(None);
    }
    let mean = losses.iter().sum::<f64>() / count;
    let variance = losses.iter().map(|loss| (loss - mean) * (loss - mean)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    // The root of a mean that is wrong by so much is wrong by this.
    let error = if metric == "rmse" { error / (2.0 * mean.sqrt()) } else { error };
    Ok(Some(error).filter(|error| error.is_finite()))
}
