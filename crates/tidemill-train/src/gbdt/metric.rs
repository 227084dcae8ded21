//! The metrics that decide which round is the best.

use serde::{Deserialize, Serialize};
use tidemill_core::{RocArea, TaskKind};
use tidemill_model::largest_column;
use tidemill_model::trees::Link;

use super::objective::{LogLoss, Objective, Softmax};

/// A metric that decides which round is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopMetric {
    /// Log-loss of classes.
    #[serde(alias = "logloss", alias = "binary_logloss", alias = "multi_logloss", alias = "cross_entropy")]
    LogLoss,
    /// Area under the ROC curve of two classes.
    #[serde(alias = "roc_auc")]
    Auc,
    /// Share of rows whose class is not the most likely one.
    #[serde(alias = "binary_error", alias = "multi_error", alias = "merror")]
    Error,
    /// Mean squared error of the probability of two classes.
    #[serde(alias = "brier_score")]
    Brier,
    /// Root of the mean squared error of an amount.
    #[serde(alias = "l2_root", alias = "root_mean_squared_error")]
    Rmse,
    /// Mean absolute error of an amount.
    #[serde(alias = "l1", alias = "mean_absolute_error")]
    Mae,
    /// Mean absolute error of an amount as a share of it, or of 1 where the amount is nearer to 0.
    #[serde(alias = "mean_absolute_percentage_error")]
    Mape,
    /// Share of the variance that is explained.
    R2,
}

impl StopMetric {
    /// Whether it is a metric of a task.
    pub fn applies_to(self, task: TaskKind) -> bool {
        match self {
            Self::LogLoss | Self::Error => matches!(task, TaskKind::Binary | TaskKind::MultiClass),
            Self::Auc | Self::Brier => task == TaskKind::Binary,
            Self::Rmse | Self::Mae | Self::Mape | Self::R2 => task == TaskKind::Regression,
        }
    }

    /// Every metric.
    const ALL: [Self; 8] =
        [Self::LogLoss, Self::Auc, Self::Error, Self::Brier, Self::Rmse, Self::Mae, Self::Mape, Self::R2];

    /// The name in a pipeline file.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The metrics of a task, as advice.
    pub(super) fn hint(task: TaskKind) -> String {
        let names: Vec<String> = Self::ALL
            .into_iter()
            .filter(|metric| metric.applies_to(task))
            .map(|metric| format!("`{}`", metric.name()))
            .collect();
        format!("there are {}", names.join(", "))
    }

    /// What it is called in messages.
    pub fn title(self) -> &'static str {
        match self {
            Self::LogLoss => "log-loss",
            Self::Auc => "AUC",
            Self::Error => "error",
            Self::Brier => "Brier score",
            Self::Rmse => "RMSE",
            Self::Mae => "MAE",
            Self::Mape => "MAPE",
            Self::R2 => "R²",
        }
    }

    /// Whether a larger value is a better one.
    pub fn larger_is_better(self) -> bool {
        matches!(self, Self::Auc | Self::R2)
    }

    /// Its value for rows with `scores` and `labels`, whose weights are all 1 where there are none. The AUC takes no notice
    /// of weights.
    pub(super) fn value(self, scores: &[Vec<f64>], link: Link, labels: &[f64], weights: Option<&[f64]>) -> f64 {
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let total: f64 = (0..labels.len()).map(weight).sum();
        let mean = |of: &dyn Fn(usize) -> f64| (0..labels.len()).map(|row| weight(row) * of(row)).sum::<f64>() / total;
        let predicted = |row: usize| link.prediction(scores[0][row]);
        match self {
            Self::LogLoss if scores.len() == 1 => mean(&|row| LogLoss.loss(&[scores[0][row]], labels[row])),
            Self::LogLoss => {
                let (loss, of_row) = (Softmax::new(scores.len()), |row: usize| scores.iter().map(move |of| of[row]));
                mean(&|row| loss.loss(&of_row(row).collect::<Vec<_>>(), labels[row]))
            }
            Self::Auc => RocArea::of(&scores[0], |row| labels[row] == 1.0).unwrap_or(f64::NAN),
            Self::Error if scores.len() == 1 => {
                mean(&|row| f64::from(u8::from((scores[0][row] > 0.0) != (labels[row] == 1.0))))
            }
            Self::Error => mean(&|row| f64::from(u8::from(largest_column(scores, row) as f64 != labels[row]))),
            Self::Brier => mean(&|row| (predicted(row) - labels[row]).powi(2)),
            Self::Rmse => mean(&|row| (predicted(row) - labels[row]).powi(2)).sqrt(),
            Self::Mae => mean(&|row| (predicted(row) - labels[row]).abs()),
            Self::Mape => mean(&|row| (predicted(row) - labels[row]).abs() / labels[row].abs().max(1.0)),
            Self::R2 => {
                let centre = mean(&|row| labels[row]);
                let error = mean(&|row| (predicted(row) - labels[row]).powi(2));
                1.0 - error / mean(&|row| (labels[row] - centre).powi(2))
            }
        }
    }
}
