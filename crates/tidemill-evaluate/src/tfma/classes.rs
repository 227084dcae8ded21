//! The classes of metrics of TFMA and Keras, and the metrics that they are here.

use serde_json::{Map, Value};
use tidemill_core::{Task, TaskKind, suggest};

use super::Problem;
use crate::metrics::Metric;

/// What a class needs besides its name.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Class {
    /// A metric without parameters.
    Plain(Metric),
    /// At the thresholds of the configuration, 0.5 if there are none.
    AtThresholds(Metric),
    /// The best of one metric at a value of another, which a key of the configuration has.
    Given(Metric, Metric, &'static str),
    /// By the task: a binary label, any other.
    ByTask(Metric, Metric),
    /// The four counts at each threshold.
    Counts,
    /// TFMA's fairness indicators.
    Fairness,
    /// NDCG of the first rows.
    Ndcg,
    /// A curve or a matrix that every report has.
    Plot,
}

use Class::{AtThresholds, ByTask, Counts, Fairness, Given, Ndcg, Plain, Plot};

const CLASSES: &[(&str, Class)] = &[
    ("ExampleCount", Plain(Metric::Count)),
    ("WeightedExampleCount", Plain(Metric::WeightedCount)),
    ("MeanLabel", Plain(Metric::LabelMean)),
    ("MeanPrediction", Plain(Metric::PredictionMean)),
    ("Calibration", Plain(Metric::Calibration)),
    ("AUC", Plain(Metric::Auc)),
    ("AUCPrecisionRecall", Plain(Metric::PrAuc)),
    ("AveragePrecision", Plain(Metric::PrAuc)),
    ("BinaryAccuracy", AtThresholds(Metric::Accuracy)),
    ("BalancedAccuracy", AtThresholds(Metric::BalancedAccuracy)),
    ("Precision", AtThresholds(Metric::Precision)),
    ("PPV", AtThresholds(Metric::Precision)),
    ("Recall", AtThresholds(Metric::Recall)),
    ("TPR", AtThresholds(Metric::TruePositiveRate)),
    ("Specificity", AtThresholds(Metric::TrueNegativeRate)),
    ("TNR", AtThresholds(Metric::TrueNegativeRate)),
    ("FallOut", AtThresholds(Metric::FalsePositiveRate)),
    ("FPR", AtThresholds(Metric::FalsePositiveRate)),
    ("MissRate", AtThresholds(Metric::FalseNegativeRate)),
    ("FNR", AtThresholds(Metric::FalseNegativeRate)),
    ("NegativePredictiveValue", AtThresholds(Metric::NegativePredictiveValue)),
    ("NPV", AtThresholds(Metric::NegativePredictiveValue)),
    ("FalseDiscoveryRate", AtThresholds(Metric::FalseDiscoveryRate)),
    ("FalseOmissionRate", AtThresholds(Metric::FalseOmissionRate)),
    ("F1Score", AtThresholds(Metric::F1)),
    ("ThreatScore", AtThresholds(Metric::ThreatScore)),
    ("MatthewsCorrelationCoefficient", AtThresholds(Metric::Mcc)),
    ("FowlkesMallowsIndex", AtThresholds(Metric::FowlkesMallows)),
    ("Informedness", AtThresholds(Metric::Informedness)),
    ("Markedness", AtThresholds(Metric::Markedness)),
    ("PositiveLikelihoodRatio", AtThresholds(Metric::PositiveLikelihoodRatio)),
    ("NegativeLikelihoodRatio", AtThresholds(Metric::NegativeLikelihoodRatio)),
    ("DiagnosticOddsRatio", AtThresholds(Metric::DiagnosticOddsRatio)),
    ("PrevalenceThreshold", AtThresholds(Metric::PrevalenceThreshold)),
    ("PredictedPositiveRate", AtThresholds(Metric::PositiveRate)),
    ("Prevalence", Plain(Metric::LabelMean)),
    ("TruePositives", AtThresholds(Metric::TruePositives)),
    ("TP", AtThresholds(Metric::TruePositives)),
    ("TrueNegatives", AtThresholds(Metric::TrueNegatives)),
    ("TN", AtThresholds(Metric::TrueNegatives)),
    ("FalsePositives", AtThresholds(Metric::FalsePositives)),
    ("FP", AtThresholds(Metric::FalsePositives)),
    ("FalseNegatives", AtThresholds(Metric::FalseNegatives)),
    ("FN", AtThresholds(Metric::FalseNegatives)),
    ("ConfusionMatrixAtThresholds", Counts),
    ("SensitivityAtSpecificity", Given(Metric::Recall, Metric::TrueNegativeRate, "specificity")),
    ("SpecificityAtSensitivity", Given(Metric::TrueNegativeRate, Metric::Recall, "sensitivity")),
    ("PrecisionAtRecall", Given(Metric::Precision, Metric::Recall, "recall")),
    ("RecallAtPrecision", Given(Metric::Recall, Metric::Precision, "precision")),
    ("RecallAtFalsePositiveRate", Given(Metric::Recall, Metric::FalsePositiveRate, "false_positive_rate")),
    ("BinaryCrossEntropy", Plain(Metric::LogLoss)),
    ("BinaryCrossentropy", Plain(Metric::LogLoss)),
    ("CategoricalCrossEntropy", Plain(Metric::LogLoss)),
    ("CategoricalCrossentropy", Plain(Metric::LogLoss)),
    ("SparseCategoricalCrossentropy", Plain(Metric::LogLoss)),
    ("Accuracy", Plain(Metric::Accuracy)),
    ("CategoricalAccuracy", Plain(Metric::Accuracy)),
    ("SparseCategoricalAccuracy", Plain(Metric::Accuracy)),
    ("ExactMatch", Plain(Metric::SubsetAccuracy)),
    ("MeanSquaredError", ByTask(Metric::Brier, Metric::Mse)),
    ("RootMeanSquaredError", Plain(Metric::Rmse)),
    ("MeanAbsoluteError", Plain(Metric::Mae)),
    ("MeanAbsolutePercentageError", Plain(Metric::Mape)),
    ("MeanSquaredLogarithmicError", Plain(Metric::Msle)),
    ("SquaredPearsonCorrelation", Plain(Metric::SquaredCorrelation)),
    ("NDCG", Ndcg),
    ("QueryStatistics", Plain(Metric::Queries)),
    ("FairnessIndicators", Fairness),
    ("CalibrationPlot", Plot),
    ("ConfusionMatrixPlot", Plot),
    ("ScoreDistributionPlot", Plot),
    ("MultiClassConfusionMatrixPlot", Plot),
    ("MultiLabelConfusionMatrixPlot", Plot),
    ("MultiClassConfusionMatrixAtThresholds", Plot),
];

/// The rates of TFMA's `FairnessIndicators`.
const RATES: [Metric; 10] = [
    Metric::FalsePositiveRate,
    Metric::FalseNegativeRate,
    Metric::TruePositiveRate,
    Metric::TrueNegativeRate,
    Metric::PositiveRate,
    Metric::NegativeRate,
    Metric::FalseDiscoveryRate,
    Metric::FalseOmissionRate,
    Metric::Precision,
    Metric::Recall,
];

/// The metrics of a class with its configuration. The first is the one that thresholds are of.
pub(super) fn metrics_of_class(name: &str, config: &Map<String, Value>, task: &Task) -> Result<Vec<Metric>, Problem> {
    let Some((_, class)) = CLASSES.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
        let problem = Problem::new(format!("there is no metric for the class `{name}`"));
        let list = format!("the classes are {}", known.join(", "));
        return Err(match suggest(name, known.iter().copied()) {
            Some(near) => problem.with_hint(format!("did you mean `{near}`? {list}")),
            None => problem.with_hint(list),
        });
    };
    let thresholds = |default: &[f64]| numbers(config, "thresholds", default);
    let at = |metric: Metric, threshold: f64| named(&format!("{metric}@{threshold}"));
    Ok(match *class {
        Plain(Metric::Auc) if config.get("curve").and_then(Value::as_str) == Some("PR") => vec![Metric::PrAuc],
        Plain(metric) => vec![metric],
        ByTask(binary, other) => vec![if task.kind() == TaskKind::Binary { binary } else { other }],
        AtThresholds(metric) => {
            // Keras' `BinaryAccuracy` has one threshold.
            let default = numbers(config, "threshold", &[0.5])?;
            thresholds(&default)?.into_iter().map(|threshold| at(metric, threshold)).collect::<Result<_, _>>()?
        }
        Given(metric, given, key) => {
            let Some(bound) = config.get(key).and_then(Value::as_f64) else {
                return Err(Problem::new(format!("`{name}` has no `{key}` in its `config`")));
            };
            vec![named(&format!("{metric}@{given}={bound}"))?]
        }
        Counts => {
            let counts = [Metric::TruePositives, Metric::TrueNegatives, Metric::FalsePositives, Metric::FalseNegatives];
            let all = thresholds(&[0.5])?.into_iter().flat_map(|threshold| counts.map(|metric| at(metric, threshold)));
            all.collect::<Result<_, _>>()?
        }
        Fairness => {
            let tenths: Vec<f64> = (1..10).map(|tenth| f64::from(tenth) / 10.0).collect();
            let all = thresholds(&tenths)?.into_iter().flat_map(|threshold| RATES.map(|metric| at(metric, threshold)));
            all.collect::<Result<_, _>>()?
        }
        Ndcg => {
            let first = numbers(config, "top_k_list", &[])?;
            let all = first.into_iter().map(|first| named(&format!("ndcg@{first}")));
            let all: Vec<Metric> = all.collect::<Result<_, _>>()?;
            if all.is_empty() { vec![Metric::Ndcg] } else { all }
        }
        Plot => Vec::new(),
    })
}

/// The name that TFMA gives the metric of a class: `MeanLabel` is `mean_label`, `AUC` is `auc`.
pub(super) fn default_name(class: &str) -> String {
    let letters: Vec<char> = class.chars().collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before_is_small = at > 0 && !letters[at - 1].is_ascii_uppercase();
        let starts_word =
            at > 0 && letters[at - 1].is_ascii_uppercase() && letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (before_is_small || starts_word) {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn named(name: &str) -> Result<Metric, Problem> {
    name.parse().map_err(|error: crate::metrics::UnknownMetric| Problem::new(error.to_string()))
}

/// A number or a list of numbers.
fn numbers(config: &Map<String, Value>, key: &str, default: &[f64]) -> Result<Vec<f64>, Problem> {
    let wrong = || Problem::new(format!("`{key}` in `config` is not a number or a list of numbers"));
    match config.get(key) {
        None | Some(Value::Null) => Ok(default.to_vec()),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_f64().ok_or_else(wrong)).collect(),
        Some(one) => Ok(vec![one.as_f64().ok_or_else(wrong)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_tfma() {
        let names = ["AUC", "AUCPrecisionRecall", "BinaryAccuracy", "ExampleCount", "NDCG", "F1Score", "TP"];
        assert_eq!(
            names.map(default_name),
            ["auc", "auc_precision_recall", "binary_accuracy", "example_count", "ndcg", "f1_score", "tp"]
        );
    }

    #[test]
    fn every_class_is_a_metric_of_some_task() {
        let config: Map<String, Value> = ["specificity", "sensitivity", "recall", "precision", "false_positive_rate"]
            .map(|key| (key.to_owned(), Value::from(0.5)))
            .into_iter()
            .collect();
        for (name, class) in CLASSES {
            let found = metrics_of_class(name, &config, &Task::Binary).unwrap();
            assert_eq!(found.is_empty(), *class == Plot, "{name}");
            let applies = |metric: &Metric| TaskKind::ALL.into_iter().any(|task| metric.applies_to(task));
            assert!(found.iter().all(applies), "{name}");
        }
        let unknown = metrics_of_class("AUCC", &Map::new(), &Task::Binary).unwrap_err();
        assert!(unknown.hint.unwrap().starts_with("did you mean `AUC`? the classes are ExampleCount, "));
    }
}
