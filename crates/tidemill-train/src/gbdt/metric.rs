//! The metrics that decide which round is the best.

use serde::{Deserialize, Serialize};
use tidemill_core::{LabelSet, RankedQuery, RocArea, TaskKind};
use tidemill_model::largest_column;
use tidemill_model::trees::Link;

use super::params::GradientBoosting;
use super::queries::Queries;
use super::rows::LabelledRows;

/// A metric that decides which round is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopMetric {
    /// Log-loss of classes.
    #[serde(alias = "logloss", alias = "binary_logloss", alias = "multi_logloss", alias = "cross_entropy")]
    LogLoss,
    /// Area under the ROC curve of two classes; of several labels, the mean.
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
    /// Normalised discounted cumulative gain of the first rows of a query: so many as the last of `eval_at` says.
    Ndcg,
    /// Mean average precision of the first rows of a query: so many as the last of `eval_at` says.
    Map,
}

impl StopMetric {
    /// Whether it is a metric of a task.
    pub fn applies_to(self, task: TaskKind) -> bool {
        match self {
            Self::LogLoss => matches!(task, TaskKind::Binary | TaskKind::MultiClass | TaskKind::MultiLabel),
            Self::Error => matches!(task, TaskKind::Binary | TaskKind::MultiClass),
            Self::Auc => matches!(task, TaskKind::Binary | TaskKind::MultiLabel),
            Self::Brier => task == TaskKind::Binary,
            Self::Rmse | Self::Mae | Self::Mape | Self::R2 => task == TaskKind::Regression,
            Self::Ndcg | Self::Map => task == TaskKind::Ranking,
        }
    }

    /// Every metric.
    const ALL: [Self; 10] = [
        Self::LogLoss,
        Self::Auc,
        Self::Error,
        Self::Brier,
        Self::Rmse,
        Self::Mae,
        Self::Mape,
        Self::R2,
        Self::Ndcg,
        Self::Map,
    ];

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
            Self::Ndcg => "NDCG",
            Self::Map => "MAP",
        }
    }

    /// Whether a larger value is a better one.
    pub fn larger_is_better(self) -> bool {
        matches!(self, Self::Auc | Self::R2 | Self::Ndcg | Self::Map)
    }

    /// Its value for rows with `scores`, but for the log-loss, which is the mean loss of the objective. The AUC takes no notice
    /// of weights.
    pub(super) fn value(self, scores: &[Vec<f64>], link: Link, rows: &LabelledRows, params: &GradientBoosting) -> f64 {
        let (labels, weights) = (&rows.labels, rows.weights.as_deref());
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let total: f64 = (0..labels.len()).map(weight).sum();
        let mean = |of: &dyn Fn(usize) -> f64| (0..labels.len()).map(|row| weight(row) * of(row)).sum::<f64>() / total;
        let predicted = |row: usize| link.prediction(scores[0][row]);
        match self {
            Self::LogLoss => f64::NAN,
            Self::Auc if scores.len() == 1 => RocArea::of(&scores[0], |row| labels[row] == 1.0).unwrap_or(f64::NAN),
            Self::Auc => macro_auc(scores, labels).unwrap_or(f64::NAN),
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
            Self::Ndcg | Self::Map => {
                let Some(queries) = &rows.queries else { return f64::NAN };
                let at = Some(params.deciding_place() as usize);
                let gains = params.gains();
                let gain = |label: f64| gains.get(label as usize).copied().unwrap_or_default();
                let of = |query: &RankedQuery| match self {
                    Self::Ndcg => query.ndcg(at, gain),
                    _ => query.average_precision(at),
                };
                mean_of_queries(queries, &scores[0], labels, weights, of).unwrap_or(f64::NAN)
            }
        }
    }
}

/// The mean of the areas under the ROC curves of several labels, where a row's label is a [`LabelSet`]; none of a label that
/// does not vary.
pub(super) fn macro_auc(scores: &[Vec<f64>], labels: &[f64]) -> Option<f64> {
    let area = |(at, scores): (usize, &Vec<f64>)| RocArea::of(scores, |row| LabelSet::from_value(labels[row]).has(at));
    let areas: Vec<f64> = scores.iter().enumerate().filter_map(area).collect();
    (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
}

/// The mean of a measure over the queries that have one, each with the mean weight of its rows.
pub(super) fn mean_of_queries(
    queries: &Queries,
    scores: &[f64],
    labels: &[f64],
    weights: Option<&[f64]>,
    of: impl Fn(&RankedQuery) -> Option<f64> + Sync,
) -> Option<f64> {
    let parts = queries.map(|rows| {
        let query = RankedQuery::new(rows.iter().map(|row| (scores[*row as usize], labels[*row as usize])));
        let weight = weights.map_or(1.0, |weights| {
            rows.iter().map(|row| weights[*row as usize]).sum::<f64>() / rows.len().max(1) as f64
        });
        of(&query).map(|value| (value * weight, weight))
    });
    let (sum, total) = parts.into_iter().flatten().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    (total > 0.0).then(|| sum / total)
}
