//! What predictions are worth, for learners that judge rows in a way of their own.

use serde_json::{Map, Value, json};
use tidemill_core::Task;

use super::class_metrics;

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
    let mean = |loss: &dyn Fn(usize) -> f64| (0..labels.len()).map(|row| weight(row) * loss(row)).sum::<f64>() / total;
    let likely = |row: usize, probability: f64| -probability.max(floor(row)).ln();
    let (name, value) = match task {
        Task::Binary => {
            let of = |row: usize| if labels[row] == 1.0 { columns[0][row] } else { 1.0 - columns[0][row] };
            ("log_loss", mean(&|row| likely(row, of(row))))
        }
        Task::MultiClass { .. } => ("log_loss", mean(&|row| likely(row, columns[labels[row] as usize][row]))),
        _ => ("rmse", mean(&|row| (columns[0][row] - labels[row]) * (columns[0][row] - labels[row])).sqrt()),
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
