//! The result of an evaluation: the content of `evaluation.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tidemill_core::Digest;
use tidemill_model::Task;

use crate::EvaluateError;
use crate::behaviour::BehaviourResult;
use crate::effects::Effects;
use crate::finder::SliceSearch;
use crate::intervals::{IntervalOptions, Intervals};
use crate::metrics::{Curves, Metric, Metrics, OwnMetric};
use crate::slices::SliceKey;
use crate::suspicions::Suspicions;

/// The layout of `evaluation.json` that this version writes and reads.
pub const EVALUATION_FORMAT: u32 = 1;

/// Metrics of a model by slice, beside those of its baseline.
///
/// Stored as `evaluation.json`, the only file of an Evaluation artifact:
///
/// ```text
/// evaluation/
///   evaluation.json   { "format": 1, "task": "binary", "split": "eval", "rows": 5001,
///                       "slices": [ { "slice": {}, "rows": 5001, "metrics": { "auc": 0.954, … } }, … ],
///                       "curves": { "roc": […], … }, … }
/// ```
///
/// The same rows and models give the same bytes. An undefined metric is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Layout of the file.
    pub format: u32,
    /// What the model predicts.
    pub task: Task,
    /// The evaluated split.
    pub split: String,
    /// Rows of the split.
    pub rows: u64,
    /// The label's name.
    pub label: String,
    /// The column of weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// Digest of the candidate's package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Digest>,
    /// Digest of the baseline's package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Digest>,
    /// A row is called positive if its score is above this. `None` for regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_threshold: Option<f64>,
    /// The same for the baseline, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_decision_threshold: Option<f64>,
    /// What guessing is worth on all rows, by the metrics for which it does not follow from the other numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floors: Option<Metrics>,
    /// How the intervals were computed, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_intervals: Option<IntervalOptions>,
    /// The column of the rows that belong together: intervals draw them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_group: Option<String>,
    /// The metrics that the pipeline file defines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_metrics: Vec<OwnMetric>,
    /// All rows first, then the slices family by family, by value.
    pub slices: Vec<SliceEvaluation>,
    /// Slices too small to be shown.
    pub dropped: DroppedSlices,
    /// Curves of the candidate on all rows.
    pub curves: Curves,
    /// Curves of the baseline on all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_curves: Option<Curves>,
    /// The quality of each class or label, for a model of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<ClassEvaluation>>,
    /// The result of the automatic search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_slices: Option<SliceSearch>,
    /// The results of the behaviour tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behaviour: Vec<BehaviourResult>,
    /// What the model makes of its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Effects>,
    /// What may make the evaluation too good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicions: Option<Suspicions>,
}

/// The quality of one class or label of several, on all rows. Rows are counted with their weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassEvaluation {
    /// Its name.
    pub class: String,
    /// Rows of the class.
    pub rows: f64,
    /// Share of the rows predicted as this class that belong to it.
    pub precision: Option<f64>,
    /// Share of its rows that are predicted correctly.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<f64>,
    /// Mean log-loss of a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Area under the ROC curve of this class against the rest, or of this label.
    pub auc: Option<f64>,
    /// The predicted classes of its rows: a row of the confusion matrix. Labels have none.
    pub predicted: BTreeMap<String, f64>,
}

/// Metrics on the rows of one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceEvaluation {
    /// The rows.
    pub slice: SliceKey,
    /// The number of rows.
    pub rows: u64,
    /// Metrics of the candidate.
    pub metrics: Metrics,
    /// Metrics of the baseline on the same rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Metrics>,
    /// Intervals of the candidate's metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<Intervals>,
    /// Intervals of the differences (candidate minus baseline), with the same resampling for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_intervals: Option<Intervals>,
}

/// Slices with fewer rows than `min_slice_size`: counted, not shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedSlices {
    /// The fewest rows a slice must have to be shown.
    pub min_slice_size: u64,
    /// How many slices have fewer.
    pub slices: u64,
}

impl Evaluation {
    /// The name of the file in its artifact.
    pub const FILE: &'static str = "evaluation.json";

    /// The evaluation of all rows.
    pub fn overall(&self) -> Option<&SliceEvaluation> {
        self.slices.iter().find(|slice| slice.slice.is_overall())
    }

    /// The slice for `key`, if it was evaluated and is large enough.
    pub fn slice(&self, key: &SliceKey) -> Option<&SliceEvaluation> {
        self.slices.iter().find(|slice| key.means(&slice.slice))
    }

    /// Reads `evaluation.json` in the folder of an Evaluation artifact.
    pub fn read(dir: &Path) -> Result<Self, EvaluateError> {
        let mut evaluation: Self = read_json(&dir.join(Self::FILE))?;
        evaluation.define_metrics();
        Ok(evaluation)
    }

    /// Gives metrics that were read by their names the definitions that the file has of them.
    fn define_metrics(&mut self) {
        if self.own_metrics.is_empty() {
            return;
        }
        let own: Vec<Metric> = self.own_metrics.iter().map(Metric::own).collect();
        let define = |metric: Metric| own.iter().copied().find(|own| *own == metric).unwrap_or(metric);
        let defined =
            |intervals: &Intervals| intervals.iter().map(|(metric, found)| (define(*metric), *found)).collect();
        for slice in &mut self.slices {
            slice.metrics = slice.metrics.renamed(define);
            slice.baseline = slice.baseline.as_ref().map(|metrics| metrics.renamed(define));
            slice.intervals = slice.intervals.as_ref().map(defined);
            slice.change_intervals = slice.change_intervals.as_ref().map(defined);
        }
    }

    /// Writes `evaluation.json` into a folder.
    pub fn write(&self, dir: &Path) -> Result<(), EvaluateError> {
        write_json(&dir.join(Self::FILE), self)
    }
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, EvaluateError> {
    let bytes = fs::read(path).map_err(|source| EvaluateError::Io { path: path.to_owned(), action: "read", source })?;
    serde_json::from_slice(&bytes).map_err(|source| EvaluateError::Malformed { path: path.to_owned(), source })
}

pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), EvaluateError> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|source| EvaluateError::Malformed { path: path.to_owned(), source })?;
    text.push('\n');
    fs::write(path, text).map_err(|source| EvaluateError::Io { path: path.to_owned(), action: "written", source })
}
