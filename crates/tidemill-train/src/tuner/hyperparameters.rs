//! The artifact of a search: the best parameters, and all trials.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidemill_core::{Code, ComponentError};
use tidemill_tune::{Direction, Trial};

/// The file with the best parameters.
const FILE: &str = "hyperparameters.json";
/// The file with a line for each trial.
pub(super) const TRIALS_FILE: &str = "trials.jsonl";
const FORMAT_VERSION: u32 = 1;

/// The best parameters that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    version: u32,
    /// The learner's name, with its parameters.
    pub learner: Map<String, Value>,
    /// What was made as good as possible.
    pub metric: String,
    /// Which values are better.
    pub direction: Direction,
    /// The metric of the best trial on the validation rows.
    pub value: f64,
    /// Its standard error, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// The number of the best trial.
    pub trial: u64,
    /// How many trials there were.
    pub trials: u64,
    /// How many of them ended early.
    pub pruned: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Why the search ended.
    pub ended: String,
    /// How much each parameter matters, as shares of 1; empty for fewer than 20 trials.
    #[serde(default)]
    pub importance: Vec<(String, f64)>,
    /// What was searched.
    pub space: Value,
    /// The metric of a model that knows only how the labels are spread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// How trials were judged: `rows kept aside`, or folds.
    #[serde(default)]
    pub judged_on: String,
    /// The trials that were averaged, if the learner is an ensemble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<EnsembleFound>,
}

/// Trials that are better together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsembleFound {
    /// The numbers of the trials with what each counts.
    pub members: Vec<(u64, u32)>,
    /// The metric of all together, on the rows that the trials were compared on.
    pub value: f64,
    /// Its standard error, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// What they lose less than the best trial, on rows that had no part in the choice.
    pub gain: f64,
    /// The standard error of the gain.
    pub gain_error: f64,
    /// Whether the gain is more than chance, so that the ensemble was chosen.
    pub chosen: bool,
}

impl Hyperparameters {
    #[expect(clippy::too_many_arguments, reason = "the members, each once")]
    pub(super) fn new(
        learner: Map<String, Value>,
        metric: &str,
        direction: Direction,
        best: &Trial,
        trials: &[Trial],
        ended: String,
        importance: Vec<(String, f64)>,
        space: Value,
        floor: Option<f64>,
        judged_on: String,
        ensemble: Option<EnsembleFound>,
    ) -> Self {
        use tidemill_tune::TrialState::{Failed, Pruned};
        let count = |state| trials.iter().filter(|trial| trial.state == state).count() as u64;
        Self {
            version: FORMAT_VERSION,
            learner,
            metric: metric.to_owned(),
            direction,
            value: best.value.unwrap_or(f64::NAN),
            standard_error: best.noise,
            trial: best.number,
            trials: trials.len() as u64,
            pruned: count(Pruned),
            failed: count(Failed),
            ended,
            importance,
            space,
            floor,
            judged_on,
            ensemble,
        }
    }

    /// Reads the artifact in the folder `dir`.
    pub fn read(dir: &Path) -> Result<Self, ComponentError> {
        let path = dir.join(FILE);
        let broken = |reason: String| {
            ComponentError::new(Code::ArtifactDamaged, format!("`{}` cannot be read: {reason}", path.display()))
        };
        let bytes = std::fs::read(&path).map_err(|error| broken(error.to_string()))?;
        let read: Self = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if read.version == FORMAT_VERSION {
            Ok(read)
        } else {
            Err(broken(format!("it is of version {}", read.version)))
        }
    }

    /// Writes the artifact into the folder `dir`.
    pub(super) fn write(&self, dir: &Path) -> Result<(), ComponentError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        std::fs::write(dir.join(FILE), text).map_err(|error| ComponentError {
            source: Some(Box::new(error)),
            ..ComponentError::new(Code::Io, "cannot write what the search found")
        })
    }

    /// The learner, with the parameters of `written` in the place of those found: what a step names beside the search.
    pub(crate) fn learner_with(&self, written: Option<&Value>) -> Result<Value, ComponentError> {
        let mut learner = self.learner.clone();
        let Some((name, params)) = learner.iter_mut().next() else {
            return Err(ComponentError::new(Code::ArtifactDamaged, "the search names no learner"));
        };
        let (named, own) = match written {
            None => return Ok(Value::Object(learner)),
            Some(Value::String(named)) => (Some(named.as_str()), None),
            Some(Value::Object(entries)) => (entries.keys().next().map(String::as_str), entries.values().next()),
            Some(_) => (None, None),
        };
        if named != Some(name) {
            let message = format!("the search was for `{name}`, and the step fits `{}`", named.unwrap_or_default());
            let hint = format!("leave `learner` out, or write `learner: {name}`");
            return Err(ComponentError::new(Code::Params, message).with_hint(hint));
        }
        if let (Value::Object(params), Some(Value::Object(own))) = (params, own) {
            params.extend(own.clone());
        }
        Ok(Value::Object(learner))
    }
}
