//! The metrics, their names and their directions.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidemill_core::TaskKind;

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// The nearer to the number, the better.
    Towards(f64),
    /// Descriptive: neither direction is better.
    Neutral,
}

impl Direction {
    /// How much better `value` is than `other`: positive is better. `None` if no direction is better.
    pub fn gain(self, value: f64, other: f64) -> Option<f64> {
        match self {
            Self::Higher => Some(value - other),
            Self::Lower => Some(other - value),
            Self::Towards(target) => Some((other - target).abs() - (value - target).abs()),
            Self::Neutral => None,
        }
    }
}

macro_rules! metrics {
    ($($variant:ident = $name:literal, $title:literal, $direction:expr, [$low:expr, $high:expr], $tasks:ident, $doc:literal;)+) => {
        /// A number that describes the quality of a model, or a slice.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum Metric {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)+
        }

        impl Metric {
            /// Every metric, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name used in pipeline files and JSON: `log_loss`, `ndcg@5`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The name in running text: `log-loss`.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// Description, with its formula.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $doc,)+ }
            }

            /// Which values are the better ones.
            pub const fn direction(self) -> Direction {
                match self { $(Self::$variant => $direction,)+ }
            }

            /// The smallest and the largest value it can take.
            pub const fn range(self) -> (f64, f64) {
                match self { $(Self::$variant => ($low, $high),)+ }
            }

            /// Whether it applies to models of `task`.
            pub const fn applies_to(self, task: TaskKind) -> bool {
                match self { $(Self::$variant => applies!($tasks, task),)+ }
            }
        }
    };
}

macro_rules! applies {
    (all, $task:ident) => {{
        let _ = $task;
        true
    }};
    (both, $task:ident) => {
        matches!($task, TaskKind::Binary | TaskKind::Regression)
    };
    (binary, $task:ident) => {
        matches!($task, TaskKind::Binary)
    };
    (multi, $task:ident) => {
        matches!($task, TaskKind::MultiClass)
    };
    (classes, $task:ident) => {
        matches!($task, TaskKind::Binary | TaskKind::MultiClass)
    };
    (regression, $task:ident) => {
        matches!($task, TaskKind::Regression)
    };
    (ranking, $task:ident) => {
        matches!($task, TaskKind::Ranking)
    };
    (labels, $task:ident) => {
        matches!($task, TaskKind::MultiLabel)
    };
    (several, $task:ident) => {
        matches!($task, TaskKind::MultiClass | TaskKind::MultiLabel)
    };
    (probabilities, $task:ident) => {
        matches!($task, TaskKind::Binary | TaskKind::MultiClass | TaskKind::MultiLabel)
    };
}

use Direction::{Higher, Lower, Neutral, Towards};
const INFINITE: f64 = f64::INFINITY;

metrics! {
    Ndcg = "ndcg", "NDCG", Higher, [0.0, 1.0], ranking,
        "Normalized discounted cumulative gain: the sum over the rows of a query of (2^label - 1) / log2(place + 1), divided by that of the best order; the mean over the queries that have a row with a label above 0. Rows of one score share their places.";
    NdcgAt1 = "ndcg@1", "NDCG@1", Higher, [0.0, 1.0], ranking,
        "NDCG of the first row of each query.";
    NdcgAt3 = "ndcg@3", "NDCG@3", Higher, [0.0, 1.0], ranking,
        "NDCG of the first 3 rows of each query.";
    NdcgAt5 = "ndcg@5", "NDCG@5", Higher, [0.0, 1.0], ranking,
        "NDCG of the first 5 rows of each query.";
    NdcgAt10 = "ndcg@10", "NDCG@10", Higher, [0.0, 1.0], ranking,
        "NDCG of the first 10 rows of each query.";
    Map = "map", "MAP", Higher, [0.0, 1.0], ranking,
        "Mean average precision: the mean over the rows of a query with a label above 0 of the share of such rows up to each; the mean over the queries that have such a row. Of equal scores the smaller label comes first.";
    Mrr = "mrr", "MRR", Higher, [0.0, 1.0], ranking,
        "Mean reciprocal rank: 1 / place of the first row of a query with a label above 0; the mean over the queries that have such a row. Of equal scores the smaller label comes first.";
    Queries = "queries", "queries", Neutral, [0.0, INFINITE], ranking,
        "Number of queries that have a row with a label above 0.";
    Auc = "auc", "AUC", Higher, [0.0, 1.0], probabilities,
        "Area under the ROC curve, exact: the chance that a positive row scores above a negative one, ties counting half (Mann-Whitney U divided by the number of pairs). Of several classes, the mean over the classes of one against the rest (macro); of several labels, the mean over the labels.";
    AucMicro = "auc_micro", "micro AUC", Higher, [0.0, 1.0], several,
        "Area under the ROC curve over all pairs of a row and a class or label, where a pair is positive if the row is of the class or has the label.";
    PrAuc = "pr_auc", "PR-AUC", Higher, [0.0, 1.0], binary,
        "Average precision: the sum over distinct scores, highest first, of precision times the gain in recall. Not interpolated, as scikit-learn's `average_precision_score`.";
    Accuracy = "accuracy", "accuracy", Higher, [0.0, 1.0], classes,
        "Share of rows on the right side of the decision threshold; a row is called positive when its score is above it. Of several classes, the share of rows whose most probable class is the true one.";
    BalancedAccuracy = "balanced_accuracy", "balanced accuracy", Higher, [0.0, 1.0], multi,
        "Mean over the classes of the share of their rows that are recognised.";
    SubsetAccuracy = "subset_accuracy", "subset accuracy", Higher, [0.0, 1.0], labels,
        "Share of the rows all of whose labels are predicted correctly; a label is predicted if its probability is above 0.5.";
    HammingLoss = "hamming_loss", "Hamming loss", Lower, [0.0, 1.0], labels,
        "Share of the pairs of a row and a label that are predicted wrongly.";
    MacroF1 = "macro_f1", "macro F1", Higher, [0.0, 1.0], several,
        "Mean over the classes or labels of the harmonic mean of precision and recall.";
    MicroF1 = "micro_f1", "micro F1", Higher, [0.0, 1.0], labels,
        "Harmonic mean of precision and recall over all pairs of a row and a label.";
    Precision = "precision", "precision", Higher, [0.0, 1.0], binary,
        "Share of positives among the rows called positive; undefined where none is called positive.";
    Recall = "recall", "recall", Higher, [0.0, 1.0], binary,
        "Share of the positives that are called positive; undefined where there are none.";
    F1 = "f1", "F1", Higher, [0.0, 1.0], binary,
        "Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).";
    Mcc = "mcc", "MCC", Higher, [-1.0, 1.0], binary,
        "Matthews correlation coefficient: (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)), the correlation of label and call; undefined where one of the four sums is 0.";
    LogLoss = "log_loss", "log-loss", Lower, [0.0, INFINITE], probabilities,
        "Mean of -ln of the probability given to what happened, probabilities kept 2.2e-16 away from 0 and 1 as in scikit-learn. Of several labels, the mean over the labels too.";
    Brier = "brier", "Brier score", Lower, [0.0, 1.0], binary,
        "Mean squared difference between probability and outcome.";
    Calibration = "calibration", "calibration", Towards(1.0), [-INFINITE, INFINITE], both,
        "Mean prediction divided by mean label; undefined where the mean label is 0.";
    CalibrationError = "calibration_error", "calibration error", Lower, [0.0, 1.0], binary,
        "Expected calibration error: mean over ten bins of equal size by score (equal scores share a bin) of |mean label - mean prediction|, weighted by the bin.";
    Rmse = "rmse", "RMSE", Lower, [0.0, INFINITE], regression,
        "Square root of the mean squared error.";
    Mae = "mae", "MAE", Lower, [0.0, INFINITE], regression,
        "Mean absolute error.";
    Mse = "mse", "MSE", Lower, [0.0, INFINITE], regression,
        "Mean squared error.";
    R2 = "r2", "R²", Higher, [-INFINITE, 1.0], regression,
        "1 - squared error / variance of the label; undefined where the label does not vary.";
    Mape = "mape", "MAPE", Lower, [0.0, INFINITE], regression,
        "Mean of |error / label| over the rows whose label is not 0, as a fraction.";
    Smape = "smape", "sMAPE", Lower, [0.0, 2.0], regression,
        "Symmetric mean absolute percentage error: mean of 2 |error| / (|label| + |prediction|), as a fraction; 0 where both are 0.";
    Bias = "bias", "bias", Towards(0.0), [-INFINITE, INFINITE], regression,
        "Mean of prediction minus label.";
    PinballLoss = "pinball_loss", "pinball loss", Lower, [0.0, INFINITE], regression,
        "Of several quantiles: mean over rows and levels of level times what the label is above the quantile, or (1 - level) times what it is below.";
    Coverage = "coverage", "coverage", Neutral, [0.0, 1.0], regression,
        "Of several quantiles: share of the labels that lie between the lowest and the highest quantile.";
    IntervalWidth = "interval_width", "interval width", Lower, [0.0, INFINITE], regression,
        "Of several quantiles: mean distance between the lowest and the highest quantile.";
    FalsePositiveRate = "false_positive_rate", "FPR", Lower, [0.0, 1.0], binary,
        "Share of the negatives that are called positive.";
    FalseNegativeRate = "false_negative_rate", "FNR", Lower, [0.0, 1.0], binary,
        "Share of the positives that are called negative.";
    TruePositiveRate = "true_positive_rate", "TPR", Higher, [0.0, 1.0], binary,
        "Share of the positives that are called positive; the same number as recall.";
    TrueNegativeRate = "true_negative_rate", "TNR", Higher, [0.0, 1.0], binary,
        "Share of the negatives that are called negative.";
    PositiveRate = "positive_rate", "positive rate", Neutral, [0.0, 1.0], binary,
        "Share of rows that are called positive.";
    LabelMean = "label_mean", "label mean", Neutral, [-INFINITE, INFINITE], both,
        "Mean label; for a binary label the share of positives.";
    PredictionMean = "prediction_mean", "prediction mean", Neutral, [-INFINITE, INFINITE], both,
        "Mean prediction.";
    Count = "count", "rows", Neutral, [0.0, INFINITE], all,
        "Number of rows, whatever their weight.";
}

impl Metric {
    /// The metrics of `task`, in the order in which they are shown.
    pub fn of(task: impl Into<TaskKind>) -> impl Iterator<Item = Self> {
        let task = task.into();
        Self::ALL.iter().copied().filter(move |metric| metric.applies_to(task))
    }

    /// The metric of a model's headline.
    pub const fn headline(task: TaskKind) -> Self {
        match task {
            TaskKind::Binary | TaskKind::MultiLabel => Self::Auc,
            TaskKind::MultiClass => Self::Accuracy,
            TaskKind::Ranking => Self::Ndcg,
            TaskKind::Regression => Self::Rmse,
        }
    }

    /// The metric that orders slices, worst first: the loss, and the NDCG of a ranking.
    pub const fn loss(task: TaskKind) -> Self {
        match task {
            TaskKind::Binary | TaskKind::MultiClass | TaskKind::MultiLabel => Self::LogLoss,
            TaskKind::Ranking => Self::Ndcg,
            TaskKind::Regression => Self::Rmse,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The error for an unknown metric name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a metric")]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|metric| metric.name() == text).ok_or_else(|| UnknownMetric(text.to_owned()))
    }
}

/// Values by metric. A metric that is undefined on the rows (one class only, no positives) is present as `None`, which
/// is `null` in JSON; every value is a finite number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metrics(BTreeMap<Metric, Option<f64>>);

impl Metrics {
    /// The value, if the metric was computed and is defined.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.0.get(&metric).copied().flatten()
    }

    /// Sets a value; anything but a finite number becomes undefined.
    pub fn set(&mut self, metric: Metric, value: Option<f64>) {
        self.0.insert(metric, value.filter(|v| v.is_finite()));
    }

    /// Metrics and values, in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, Option<f64>)> {
        self.0.iter().map(|(metric, value)| (*metric, *value))
    }
}

/// `a / b`, undefined where `b` is 0.
pub(crate) fn ratio(a: f64, b: f64) -> Option<f64> {
    (b != 0.0).then(|| a / b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_with_serde_and_parse_back() {
        for &metric in Metric::ALL {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
            assert_eq!(metric.name().parse::<Metric>(), Ok(metric));
        }
    }

    #[test]
    fn a_gain_is_positive_when_the_value_is_better() {
        assert_eq!(Metric::Auc.direction().gain(0.75, 0.5), Some(0.25));
        assert_eq!(Metric::LogLoss.direction().gain(0.5, 0.75), Some(0.25));
        assert_eq!(Metric::Calibration.direction().gain(1.25, 0.5), Some(0.25));
        assert_eq!(Metric::Bias.direction().gain(-0.5, 0.25), Some(-0.25));
        assert_eq!(Metric::Count.direction().gain(2.0, 1.0), None);
    }

    #[test]
    fn nothing_but_finite_numbers_is_kept() {
        let mut metrics = Metrics::default();
        metrics.set(Metric::Auc, Some(f64::NAN));
        assert_eq!(metrics.get(Metric::Auc), None);
        assert_eq!(serde_json::to_string(&metrics).unwrap(), r#"{"auc":null}"#);
    }
}
