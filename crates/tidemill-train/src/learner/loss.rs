//! What predictions are worth, for learners that judge rows in a way of their own.

use serde_json::{Map, Value, json};
use tidemill_core::{LabelSet, Task};

use super::class_metrics;

/// What the prediction of a row is wrong by: of classes the log-loss, of several labels the mean of theirs, of an amount the
/// squared error. Probabilities count as `floor` at least.
pub(crate) fn row_loss(task: &Task, columns: &[Vec<f64>], row: usize, label: f64, floor: f64) -> f64 {
    let likely = |probability: f64| -probability.max(floor).ln();
    let of_two = |column: &Vec<f64>, is_true: bool| likely(if is_true { column[row] } else { 1.0 - column[row] });
    match task {
        Task::Binary => of_two(&columns[0], label == 1.0),
        Task::MultiClass { .. } => likely(columns[label as usize][row]),
        Task::MultiLabel { .. } => {
            let set = LabelSet::from_value(label);
            let each = columns.iter().enumerate().map(|(at, column)| of_two(column, set.has(at)));
            each.sum::<f64>() / columns.len() as f64
        }
        _ => (columns[0][row] - label) * (columns[0][row] - label),
    }
}

/// The metrics of predictions, a column for each number of the task: the log-loss of classes with the AUC or the accuracy, or the
/// RMSE; the loss is the first. Probabilities count as `floor` of their row at least.
pub(crate) fn metrics_of(
    task: &Task,
    columns: &[Vec<f64>],
    labels: &[f64],
    weights: Option<&[f64]>,
    floor: impl Fn(usize) -> f64,
) -> Map<String, Value> {
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let total: f64 = (0..labels.len()).map(weight).sum();
    let loss = |row: usize| weight(row) * row_loss(task, columns, row, labels[row], floor(row));
    let mean = (0..labels.len()).map(loss).sum::<f64>() / total;
    let (name, value) = match task {
        Task::Binary | Task::MultiClass { .. } | Task::MultiLabel { .. } => ("log_loss", mean),
        _ => ("rmse", mean.sqrt()),
    };
    let mut metrics = Map::from_iter([(name.to_owned(), json!(value))]);
    metrics.extend(class_metrics(task, columns, labels));
    metrics
}

/// The loss of [`metrics_of`] for the step's line: "log-loss 0.2195".
pub(crate) fn loss_text(metrics: &Map<String, Value>) -> String {
    let title = |name: &str| if name == "rmse" { "RMSE" } else { "log-loss" };
    let loss = metrics.iter().next().and_then(|(name, value)| Some((title(name), value.as_f64()?)));
    loss.map_or_else(String::new, |(title, value)| format!("{title} {value:.4}"))
}
