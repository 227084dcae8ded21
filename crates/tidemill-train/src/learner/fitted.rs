//! What a learner hands over.

use serde_json::{Map, Value, json};
use tidemill_core::{ComponentError, RocArea, Task};
use tidemill_model::{Columns, FeatureBlock, largest_column};

use super::{SplitRows, TrainingData, metrics_of};

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

/// What the predictions of a fitted model are worth on the rows of its training.
#[derive(Debug)]
pub struct Judged {
    /// Metrics on the training rows, by name.
    pub train: Map<String, Value>,
    /// Metrics on the validation rows, by name; empty where there are none.
    pub validation: Map<String, Value>,
    /// The loss for the step's line: ", validation log-loss 0.2195".
    pub headline: String,
}

impl Judged {
    /// Predicts all rows.
    pub fn new(
        predict: &dyn Fn(&FeatureBlock) -> Result<Columns, ComponentError>,
        data: &TrainingData<'_>,
    ) -> Result<Self, ComponentError> {
        let judged = |rows: &SplitRows<'_>| {
            let columns = predictions(predict, data.task, rows)?;
            let floor = |_| f64::EPSILON;
            Ok::<_, ComponentError>(metrics_of(data.task, &columns, rows.labels(), rows.weights(), floor))
        };
        let train = judged(&data.train)?;
        let validation = data.validation.as_ref().map(judged).transpose()?;
        let (part, metrics) = validation.as_ref().map_or(("train", &train), |metrics| ("validation", metrics));
        let title = |name: &str| match name {
            "rmse" => Some("RMSE"),
            "log_loss" => Some("log-loss"),
            _ => None,
        };
        let loss = metrics.iter().find_map(|(name, value)| Some((title(name)?, value.as_f64().unwrap_or(f64::NAN))));
        let headline = loss.map_or_else(String::new, |(title, value)| format!(", {part} {title} {value:.4}"));
        Ok(Self { train, headline, validation: validation.unwrap_or_default() })
    }
}

/// The predictions of rows: a column for each number of the task.
pub(crate) fn predictions(
    predict: &dyn Fn(&FeatureBlock) -> Result<Columns, ComponentError>,
    task: &Task,
    rows: &SplitRows<'_>,
) -> Result<Vec<Vec<f64>>, ComponentError> {
    let mut columns: Vec<Vec<f64>> = vec![Vec::with_capacity(rows.rows()); task.columns()];
    let mut trouble = None;
    rows.each_block(|block| {
        if trouble.is_some() {
            return;
        }
        match predict(block) {
            Ok(predicted) => columns.iter_mut().zip(predicted).for_each(|(all, part)| all.extend(part)),
            Err(error) => trouble = Some(error),
        }
    })?;
    trouble.map_or(Ok(columns), Err)
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
