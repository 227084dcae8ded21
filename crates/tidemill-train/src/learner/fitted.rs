//! What a learner hands over.

use serde_json::{Map, Value, json};
use tidemill_core::{RocArea, Task};
use tidemill_model::largest_column;

/// A fitted model, with the facts that the report, the card and the curves are made of.
#[derive(Debug)]
pub struct FittedLearner {
    /// The model.
    pub learner: tidemill_model::Learner,
    /// Metrics on the training rows, by name.
    pub train_metrics: Map<String, Value>,
    /// Metrics on the validation rows, by name; empty where there are none.
    pub validation_metrics: Map<String, Value>,
    /// What else there is to know, for the package: `rounds`, `best_round`.
    pub facts: Map<String, Value>,
    /// The same for the model artifact.
    pub properties: Map<String, Value>,
    /// How much each feature matters.
    pub importance: Option<Importance>,
    /// What to say on the step's line when it is done.
    pub headline: String,
    /// Things worth knowing.
    pub warnings: Vec<String>,
}

/// How much each feature matters.
#[derive(Debug)]
pub struct Importance {
    /// What was measured; features are ranked by the first, and one where that is 0 is left out.
    pub measures: Vec<Measure>,
    /// By feature: a value for each measure.
    pub values: Vec<Vec<f64>>,
}

/// One measure of importance.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Its name: `gain`.
    pub name: &'static str,
    /// Its values are whole numbers.
    pub is_count: bool,
}

impl Measure {
    /// A value for the package.
    pub(crate) fn fact(self, value: f64) -> Value {
        if self.is_count { json!(value as u64) } else { json!(value) }
    }

    /// A value for the card.
    pub(crate) fn text(self, value: f64) -> String {
        if self.is_count { format!("{}", value as u64) } else { format!("{value:.1}") }
    }
}

/// What the predictions `columns` of rows with `labels` are worth beside the loss: the AUC of a binary task, the accuracy
/// of a multi-class one.
pub fn class_metrics(task: &Task, columns: &[Vec<f64>], labels: &[f64]) -> Map<String, Value> {
    let mut metrics = Map::new();
    match task {
        Task::Binary => {
            let area = columns.first().and_then(|scores| RocArea::of(scores, |row| labels[row] == 1.0));
            metrics.insert("auc".to_owned(), json!(area));
        }
        Task::MultiClass { .. } => {
            let right = |row: &usize| largest_column(columns, *row) as f64 == labels[*row];
            let share = (0..labels.len()).filter(right).count() as f64 / labels.len().max(1) as f64;
            metrics.insert("accuracy".to_owned(), json!(share));
        }
        _ => {}
    }
    metrics
}
