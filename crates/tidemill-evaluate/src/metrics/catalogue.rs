//! The metrics that have no parameter: names, directions, tasks.

use tidemill_core::TaskKind;

use super::{Direction, Written};

macro_rules! metrics {
    (
        always {
            $($variant:ident = $name:literal, $title:literal, $direction:expr, [$low:expr, $high:expr], $tasks:ident, $doc:literal;)+
        }
        on_request {
            $($more:ident = $more_name:literal, $more_title:literal, $more_direction:expr, [$more_low:expr, $more_high:expr], $more_tasks:ident, $more_doc:literal;)+
        }
    ) => {
        /// A number that describes the quality of a model, or a slice.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric {
            $(#[doc = $doc] $variant,)+
            $(#[doc = $more_doc] $more,)+
            /// One whose name has a parameter, as `recall@precision=0.9`, or that the pipeline file defines.
            Written(Written),
        }

        impl Metric {
            /// Every metric without a parameter, in the order in which they are shown: first those that are always computed.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+ $(Self::$more,)+];

            /// The name used in pipeline files and JSON: `log_loss`, `ndcg@5`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ $(Self::$more => $more_name,)+ Self::Written(written) => written.name() }
            }

            /// The name in running text: `log-loss`.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ $(Self::$more => $more_title,)+ Self::Written(written) => written.title() }
            }

            /// Description, with its formula.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $doc,)+ $(Self::$more => $more_doc,)+ Self::Written(written) => written.about() }
            }

            /// Which values are the better ones.
            pub fn direction(self) -> Direction {
                match self { $(Self::$variant => $direction,)+ $(Self::$more => $more_direction,)+ Self::Written(written) => written.direction() }
            }

            /// The smallest and the largest value it can take.
            pub fn range(self) -> (f64, f64) {
                match self {
                    $(Self::$variant => ($low, $high),)+
                    $(Self::$more => ($more_low, $more_high),)+
                    Self::Written(written) => written.range(),
                }
            }

            /// Whether it applies to models of `task`.
            pub fn applies_to(self, task: TaskKind) -> bool {
                match self {
                    $(Self::$variant => applies!($tasks, task),)+
                    $(Self::$more => applies!($more_tasks, task),)+
                    Self::Written(written) => written.applies_to(task),
                }
            }

            /// Whether it is computed only if it is asked for: by `metrics`, or by a threshold.
            pub const fn is_on_request(self) -> bool {
                match self { $(Self::$variant => false,)+ $(Self::$more => true,)+ Self::Written(_) => true }
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
    (binary_labels, $task:ident) => {
        matches!($task, TaskKind::Binary | TaskKind::MultiLabel)
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
    always {
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
        PrAuc = "pr_auc", "PR-AUC", Higher, [0.0, 1.0], probabilities,
            "Average precision: the sum over distinct scores, highest first, of precision times the gain in recall. Not interpolated, as scikit-learn's `average_precision_score`. Of several classes or labels, the mean over them of one against the rest.";
        Accuracy = "accuracy", "accuracy", Higher, [0.0, 1.0], classes,
            "Share of rows on the right side of the decision threshold; a row is called positive when its score is above it. Of several classes, the share of rows whose most probable class is the true one.";
        BalancedAccuracy = "balanced_accuracy", "balanced accuracy", Higher, [0.0, 1.0], classes,
            "Mean over the classes of the share of their rows that are recognised; of a binary label, the mean of the true positive and the true negative rate.";
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
        Mcc = "mcc", "MCC", Higher, [-1.0, 1.0], classes,
            "Matthews correlation coefficient: (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)), the correlation of label and call; undefined where one of the four sums is 0. Of several classes, Gorodkin's correlation of two classifications.";
        LogLoss = "log_loss", "log-loss", Lower, [0.0, INFINITE], probabilities,
            "Mean of -ln of the probability given to what happened, probabilities kept 2.2e-16 away from 0 and 1 as in scikit-learn. Of several labels, the mean over the labels too.";
        Brier = "brier", "Brier score", Lower, [0.0, 2.0], classes,
            "Mean squared difference between probability and outcome; of several classes, summed over them.";
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
    on_request {
        WeightedCount = "weighted_count", "weight of the rows", Neutral, [0.0, INFINITE], all,
            "Sum of the weights of the rows.";
        NegativeRate = "negative_rate", "negative rate", Neutral, [0.0, 1.0], binary,
            "Share of rows that are called negative.";
        NegativePredictiveValue = "negative_predictive_value", "NPV", Higher, [0.0, 1.0], binary,
            "Share of negatives among the rows called negative.";
        FalseDiscoveryRate = "false_discovery_rate", "FDR", Lower, [0.0, 1.0], binary,
            "Share of negatives among the rows called positive.";
        FalseOmissionRate = "false_omission_rate", "FOR", Lower, [0.0, 1.0], binary,
            "Share of positives among the rows called negative.";
        TruePositives = "true_positives", "TP", Neutral, [0.0, INFINITE], binary,
            "Weight of the positives that are called positive.";
        FalsePositives = "false_positives", "FP", Neutral, [0.0, INFINITE], binary,
            "Weight of the negatives that are called positive.";
        TrueNegatives = "true_negatives", "TN", Neutral, [0.0, INFINITE], binary,
            "Weight of the negatives that are called negative.";
        FalseNegatives = "false_negatives", "FN", Neutral, [0.0, INFINITE], binary,
            "Weight of the positives that are called negative.";
        ThreatScore = "threat_score", "threat score", Higher, [0.0, 1.0], binary,
            "Critical success index, Jaccard's index of the positives: TP / (TP + FN + FP).";
        FowlkesMallows = "fowlkes_mallows", "Fowlkes-Mallows", Higher, [0.0, 1.0], binary,
            "Geometric mean of precision and recall.";
        Informedness = "informedness", "informedness", Higher, [-1.0, 1.0], binary,
            "Youden's J: true positive rate + true negative rate - 1.";
        Markedness = "markedness", "markedness", Higher, [-1.0, 1.0], binary,
            "Precision + negative predictive value - 1.";
        PositiveLikelihoodRatio = "positive_likelihood_ratio", "LR+", Higher, [0.0, INFINITE], binary,
            "True positive rate / false positive rate.";
        NegativeLikelihoodRatio = "negative_likelihood_ratio", "LR-", Lower, [0.0, INFINITE], binary,
            "False negative rate / true negative rate.";
        DiagnosticOddsRatio = "diagnostic_odds_ratio", "odds ratio", Higher, [0.0, INFINITE], binary,
            "Positive / negative likelihood ratio: TP TN / (FP FN).";
        PrevalenceThreshold = "prevalence_threshold", "prevalence threshold", Lower, [0.0, 1.0], binary,
            "(sqrt(TPR FPR) - FPR) / (TPR - FPR).";
        Kappa = "kappa", "Cohen's kappa", Higher, [-1.0, 1.0], classes,
            "Cohen's kappa: the agreement of label and call beyond what chance gives.";
        KolmogorovSmirnov = "ks", "KS", Higher, [0.0, 1.0], binary,
            "Kolmogorov-Smirnov statistic: the largest difference between the true and the false positive rate over all thresholds.";
        DebiasedCalibrationError = "calibration_error_debiased", "debiased calibration error", Lower, [0.0, 1.0], binary,
            "Root of the mean over the ten bins of the squared calibration error, less what chance adds to it: label mean (1 - label mean) / (rows - 1) in each bin (Kumar, Liang and Ma 2019). A model that is calibrated has 0 in small slices too.";
        MaxCalibrationError = "max_calibration_error", "largest calibration error", Lower, [0.0, 1.0], binary,
            "Largest |mean label - mean prediction| of the ten bins.";
        CalibrationZ = "calibration_z", "Spiegelhalter's z", Towards(0.0), [-INFINITE, INFINITE], binary,
            "Spiegelhalter's z: how many standard errors the Brier score is from what the probabilities promise. Between -1.96 and 1.96 the probabilities are plausible.";
        BrierReliability = "brier_reliability", "reliability", Lower, [0.0, 1.0], binary,
            "Murphy's part of the Brier score that is miscalibration: the mean over the ten bins of (mean prediction - mean label)².";
        BrierResolution = "brier_resolution", "resolution", Higher, [0.0, 1.0], binary,
            "Murphy's part of the Brier score that is discrimination: the mean over the ten bins of (mean label of the bin - mean label)².";
        BrierUncertainty = "brier_uncertainty", "uncertainty", Neutral, [0.0, 0.25], binary,
            "Murphy's part of the Brier score that the label has: mean label (1 - mean label). Reliability - resolution + uncertainty is the Brier score of the bins.";
        MacroPrecision = "macro_precision", "macro precision", Higher, [0.0, 1.0], several,
            "Mean precision of the classes or labels that are predicted.";
        MacroRecall = "macro_recall", "macro recall", Higher, [0.0, 1.0], several,
            "Mean recall of the classes or labels that occur; of classes the same number as balanced accuracy.";
        MicroPrecision = "micro_precision", "micro precision", Higher, [0.0, 1.0], labels,
            "Precision over all pairs of a row and a label.";
        MicroRecall = "micro_recall", "micro recall", Higher, [0.0, 1.0], labels,
            "Recall over all pairs of a row and a label.";
        WeightedPrecision = "weighted_precision", "weighted precision", Higher, [0.0, 1.0], several,
            "Mean precision of the classes or labels, each with the weight of its rows.";
        WeightedRecall = "weighted_recall", "weighted recall", Higher, [0.0, 1.0], several,
            "Mean recall of the classes or labels, each with the weight of its rows.";
        WeightedF1 = "weighted_f1", "weighted F1", Higher, [0.0, 1.0], several,
            "Mean F1 of the classes or labels, each with the weight of its rows.";
        WeightedAuc = "auc_weighted", "weighted AUC", Higher, [0.0, 1.0], several,
            "Mean area under the ROC curve of the classes or labels, each with the weight of its rows.";
        SampleF1 = "sample_f1", "F1 of the rows", Higher, [0.0, 1.0], labels,
            "Mean over the rows of 2 × the labels found / (labels of the row + labels predicted); a row with neither counts as 1.";
        Jaccard = "jaccard", "Jaccard index", Higher, [0.0, 1.0], labels,
            "Mean over the rows of the labels that are true and predicted / those that are either; a row with neither counts as 1.";
        LabelRankingPrecision = "label_ranking_precision", "label ranking precision", Higher, [0.0, 1.0], labels,
            "Label ranking average precision: the mean over the rows and their labels of the share of labels of the row among those ranked at least as high.";
        LabelRankingLoss = "label_ranking_loss", "label ranking loss", Lower, [0.0, 1.0], labels,
            "Mean over the rows of the share of pairs of a label of the row and another that are ordered wrongly; ties count as wrong.";
        MedianAbsoluteError = "median_absolute_error", "median absolute error", Lower, [0.0, INFINITE], regression,
            "Median of |error|, by weight; between two values their mean.";
        MaxError = "max_error", "largest error", Lower, [0.0, INFINITE], regression,
            "Largest |error|.";
        Msle = "msle", "MSLE", Lower, [0.0, INFINITE], regression,
            "Mean squared difference of ln(1 + label) and ln(1 + prediction); undefined where one is -1 or less.";
        ExplainedVariance = "explained_variance", "explained variance", Higher, [-INFINITE, 1.0], regression,
            "1 - variance of the error / variance of the label: R² of a model whose bias is corrected.";
        Correlation = "correlation", "correlation", Higher, [-1.0, 1.0], regression,
            "Pearson's correlation of label and prediction.";
        SquaredCorrelation = "squared_correlation", "squared correlation", Higher, [0.0, 1.0], regression,
            "Square of Pearson's correlation of label and prediction.";
        PoissonDeviance = "poisson_deviance", "Poisson deviance", Lower, [0.0, INFINITE], regression,
            "Mean of 2 (label ln(label / prediction) - label + prediction); undefined where a label is negative or a prediction not positive.";
        GammaDeviance = "gamma_deviance", "gamma deviance", Lower, [0.0, INFINITE], regression,
            "Mean of 2 (ln(prediction / label) + label / prediction - 1); undefined where one is not positive.";
        Mase = "mase", "MASE", Lower, [0.0, INFINITE], regression,
            "Mean absolute scaled error: the mean absolute error divided by that of the naive forecast, the value one season earlier in the same series, over the rows that have one. Below 1 is better than naive. Needs `series`.";
    }
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
}
