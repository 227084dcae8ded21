//! What predictions of judged rows are worth.

use serde_json::{Map, Value, json};
use tidemill_core::Task;

use crate::learner::{metrics_of, row_loss};

/// The least probability that a log-loss counts with.
const FLOOR: f64 = f64::EPSILON;

/// Whether the metrics of the task are known from labels and predictions alone.
pub(super) fn is_known(task: &Task) -> bool {
    matches!(task, Task::Binary | Task::MultiClass { .. } | Task::Regression)
}

/// The metrics of predictions, a column for each number of the task; the loss is the first.
pub(super) fn metrics(
    task: &Task,
    columns: &[Vec<f64>],
    labels: &[f64],
    weights: Option<&[f64]>,
) -> Map<String, Value> {
    let mut metrics = metrics_of(task, columns, labels, weights, |_| FLOOR);
    if *task == Task::Regression {
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let total: f64 = (0..labels.len()).map(weight).sum();
        let mean_of =
            |of: &dyn Fn(usize) -> f64| (0..labels.len()).map(|row| weight(row) * of(row)).sum::<f64>() / total;
        let mean = mean_of(&|row| labels[row]);
        let variance = mean_of(&|row| (labels[row] - mean).powi(2));
        let error = mean_of(&|row| (labels[row] - columns[0][row]).powi(2));
        metrics.insert("mae".to_owned(), json!(mean_of(&|row| (labels[row] - columns[0][row]).abs())));
        metrics.insert("r2".to_owned(), json!(1.0 - error / variance));
    }
    metrics
}

/// One of the metrics.
pub(super) fn value(
    metric: &str,
    task: &Task,
    columns: &[Vec<f64>],
    labels: &[f64],
    weights: Option<&[f64]>,
) -> Option<f64> {
    metrics(task, columns, labels, weights).get(metric).and_then(Value::as_f64).filter(|value| value.is_finite())
}

/// What every row has lost, where the metric is the mean of it, or the root of the mean; less is better.
pub(super) fn losses(metric: &str, task: &Task, columns: &[Vec<f64>], labels: &[f64]) -> Option<Vec<f64>> {
    let of_row = |row: usize| match (metric, task) {
        ("log_loss", Task::Binary | Task::MultiClass { .. }) | ("rmse", Task::Regression) => {
            Some(row_loss(task, columns, row, labels[row], FLOOR))
        }
        ("mae", Task::Regression) => Some((columns[0][row] - labels[row]).abs()),
        ("accuracy", Task::MultiClass { .. }) => {
            Some(f64::from(u8::from(tidemill_model::largest_column(columns, row) as f64 != labels[row])))
        }
        _ => None,
    };
    (0..labels.len()).map(of_row).collect()
}

/// The standard error of a metric: from its values row by row where it is a mean of these, and of an AUC by the formula of
/// Hanley and `McNeil` (1982).
pub(super) fn standard_error(metric: &str, task: &Task, columns: &[Vec<f64>], labels: &[f64]) -> Option<f64> {
    let count = labels.len() as f64;
    if count < 2.0 {
        return None;
    }
    let error = if metric == "auc" && *task == Task::Binary {
        let area = value("auc", task, columns, labels, None)?;
        let positive = labels.iter().filter(|label| **label == 1.0).count() as f64;
        let negative = count - positive;
        let (q1, q2) = (area / (2.0 - area), 2.0 * area * area / (1.0 + area));
        let square = area * area;
        let variance = area * (1.0 - area) + (positive - 1.0) * (q1 - square) + (negative - 1.0) * (q2 - square);
        (variance / (positive * negative)).sqrt()
    } else {
        let losses = losses(metric, task, columns, labels)?;
        let (mean, error) = mean_and_error(&losses);
        // The root of a mean that is wrong by so much is wrong by this.
        if metric == "rmse" { error / (2.0 * mean.sqrt()) } else { error }
    };
    Some(error).filter(|error| error.is_finite())
}

/// A mean, and its standard error.
pub(super) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// The predictions of a model that knows only how the labels are spread.
pub(super) fn without_features(task: &Task, learned: &[f64], rows: usize) -> Vec<Vec<f64>> {
    let count = learned.len().max(1) as f64;
    let share = |class: f64| learned.iter().filter(|label| **label == class).count() as f64 / count;
    match task {
        Task::Binary => vec![vec![share(1.0); rows]],
        Task::MultiClass { classes } => (0..classes.len()).map(|class| vec![share(class as f64); rows]).collect(),
        _ => vec![vec![learned.iter().sum::<f64>() / count; rows]],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_those_of_scikit_learn() {
        // sklearn.metrics 1.9: r2_score, mean_absolute_error, roc_auc_score.
        let labels = [3.0, -0.5, 2.0, 7.0];
        let amounts = metrics(&Task::Regression, &[vec![2.5, 0.0, 2.0, 8.0]], &labels, None);
        let of = |name: &str| amounts[name].as_f64().unwrap();
        assert!((of("r2") - 0.948_608_137_044_967_9).abs() < 1e-12 && (of("mae") - 0.5).abs() < 1e-12);
        assert!((of("rmse") - 0.375_f64.sqrt()).abs() < 1e-12);
        let weighted = metrics(&Task::Regression, &[vec![2.5, 0.0, 2.0, 8.0]], &labels, Some(&[1.0, 1.0, 0.0, 2.0]));
        assert!((weighted["mae"].as_f64().unwrap() - 0.75).abs() < 1e-12);
        let scores = [vec![0.1, 0.4, 0.35, 0.8]];
        assert_eq!(value("auc", &Task::Binary, &scores, &[0.0, 0.0, 1.0, 1.0], None), Some(0.75));
        // Hanley and McNeil by hand.
        let error = standard_error("auc", &Task::Binary, &scores, &[0.0, 0.0, 1.0, 1.0]).unwrap();
        let (q1, q2) = (0.75 / 1.25, 2.0 * 0.5625 / 1.75);
        assert!((error - ((0.1875 + (q1 - 0.5625) + (q2 - 0.5625)) / 4.0_f64).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn the_floor_knows_the_shares() {
        let classes = Task::MultiClass { classes: vec!["a".to_owned(), "b".to_owned()] };
        assert_eq!(without_features(&classes, &[0.0, 1.0, 1.0, 1.0], 1), [[0.25], [0.75]]);
        assert_eq!(without_features(&Task::Regression, &[1.0, 3.0], 2), [[2.0, 2.0]]);
    }
}
