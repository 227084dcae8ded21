//! The probability from which on a row is called positive: given, or chosen on the validation rows.

use std::borrow::Cow;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue};

/// How the threshold comes about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Threshold {
    /// This number.
    Given(f64),
    /// What the validation rows say.
    Chosen(Rule),
}

/// How a threshold is chosen.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Rule {
    /// The largest value of a metric.
    Maximize(Maximized),
    /// The largest recall with at least this precision.
    PrecisionAtLeast(f64),
    /// The largest precision with at least this recall.
    RecallAtLeast(f64),
    /// The smallest cost.
    Cost(Cost),
}

/// A metric that has a largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Maximized {
    /// The harmonic mean of precision and recall.
    F1,
    /// The mean of the true positive rate and the true negative rate.
    BalancedAccuracy,
    /// The sum of both less 1: the same threshold as `balanced_accuracy`.
    Youden,
    /// The share of rows on the right side.
    Accuracy,
}

/// What the two kinds of errors cost.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cost {
    /// A negative row that is called positive.
    false_positive: f64,
    /// A positive row that is called negative.
    false_negative: f64,
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => Ok(Self::Given(number.as_f64().unwrap_or(f64::NAN))),
            map @ Value::Object(_) => Rule::deserialize(map).map(Self::Chosen).map_err(D::Error::custom),
            _ => Err(D::Error::custom("`threshold` is a number, or a mapping such as `{ maximize: f1 }`")),
        }
    }
}

impl schemars::JsonSchema for Threshold {
    fn schema_name() -> Cow<'static, str> {
        "Threshold".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rule = generator.subschema_for::<Rule>();
        json_schema!({ "oneOf": [{ "type": "number", "minimum": 0, "maximum": 1 }, rule] })
    }
}

impl Threshold {
    /// What is wrong with the numbers.
    pub(super) fn check(&self) -> Option<ParamIssue> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let (fine, path, rule) = match self {
            Self::Given(value) => (share(*value), None, "a threshold lies between 0 and 1"),
            Self::Chosen(Rule::PrecisionAtLeast(value)) => {
                (share(*value), Some("precision_at_least"), "a precision lies between 0 and 1")
            }
            Self::Chosen(Rule::RecallAtLeast(value)) => {
                (share(*value), Some("recall_at_least"), "a recall lies between 0 and 1")
            }
            Self::Chosen(Rule::Cost(Cost { false_positive, false_negative })) => {
                let is_cost = |value: &f64| *value > 0.0 && value.is_finite();
                (is_cost(false_positive) && is_cost(false_negative), Some("cost"), "a cost must be above 0")
            }
            Self::Chosen(Rule::Maximize(_)) => return None,
        };
        (!fine).then(|| ParamIssue::new(["threshold"].into_iter().chain(path), rule))
    }

    /// Whether validation rows decide.
    pub(super) fn is_chosen(&self) -> bool {
        matches!(self, Self::Chosen(_))
    }

    /// "maximize f1".
    fn words(&self) -> String {
        match self {
            Self::Given(_) => "given".to_owned(),
            Self::Chosen(Rule::Maximize(metric)) => format!("maximize {}", metric.name()),
            Self::Chosen(Rule::PrecisionAtLeast(value)) => format!("precision at least {value}"),
            Self::Chosen(Rule::RecallAtLeast(value)) => format!("recall at least {value}"),
            Self::Chosen(Rule::Cost(cost)) => {
                format!(
                    "least cost of {} a false positive and {} a false negative",
                    cost.false_positive, cost.false_negative
                )
            }
        }
    }
}

impl Maximized {
    fn name(self) -> &'static str {
        match self {
            Self::F1 => "f1",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::Youden => "youden",
            Self::Accuracy => "accuracy",
        }
    }
}

/// Rows by what they are and what they are called.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counts {
    true_positive: f64,
    false_positive: f64,
    positive: f64,
    negative: f64,
}

impl Counts {
    fn precision(self) -> f64 {
        let called = self.true_positive + self.false_positive;
        if called > 0.0 { self.true_positive / called } else { 0.0 }
    }

    fn recall(self) -> f64 {
        if self.positive > 0.0 { self.true_positive / self.positive } else { 0.0 }
    }

    fn f1(self) -> f64 {
        2.0 * self.true_positive / (self.positive + self.true_positive + self.false_positive).max(f64::MIN_POSITIVE)
    }

    fn true_negative_rate(self) -> f64 {
        if self.negative > 0.0 { 1.0 - self.false_positive / self.negative } else { 0.0 }
    }

    fn accuracy(self) -> f64 {
        (self.true_positive + self.negative - self.false_positive) / (self.positive + self.negative)
    }
}

impl Rule {
    /// What is made as large as possible; `None` where the rule is not met.
    fn worth(&self, counts: Counts) -> Option<f64> {
        match self {
            Self::Maximize(Maximized::F1) => Some(counts.f1()),
            Self::Maximize(Maximized::Accuracy) => Some(counts.accuracy()),
            Self::Maximize(_) => Some(counts.recall() + counts.true_negative_rate()),
            Self::PrecisionAtLeast(least) => (counts.precision() >= *least).then(|| counts.recall()),
            Self::RecallAtLeast(least) => (counts.recall() >= *least).then(|| counts.precision()),
            Self::Cost(cost) => Some(
                -(cost.false_positive * counts.false_positive
                    + cost.false_negative * (counts.positive - counts.true_positive)),
            ),
        }
    }
}

/// A threshold with what it means on the validation rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decided {
    pub(super) value: f64,
    words: String,
    counts: Option<Counts>,
}

impl Threshold {
    /// Decides, where `rows` are the probabilities, labels and weights of the validation rows, if there are any.
    ///
    /// A row is called positive if its probability is above the threshold, which lies in the middle between two probabilities.
    /// Of equal thresholds the largest counts.
    pub(super) fn decide(&self, rows: Option<(&[f64], &[f64], Option<&[f64]>)>) -> Result<Decided, ComponentError> {
        let decided = |value: f64, counts: Option<Counts>| Decided { value, words: self.words(), counts };
        let cuts = rows.map(|(scores, labels, weights)| cuts(scores, labels, weights));
        let rule = match self {
            Self::Given(value) => {
                // The cut of the smallest probability above.
                let counts =
                    cuts.map(|cuts| cuts.iter().take_while(|cut| cut.lowest > *value).last().map(|cut| cut.counts));
                return Ok(decided(*value, counts.flatten()));
            }
            Self::Chosen(rule) => rule,
        };
        let cuts = cuts.unwrap_or_default();
        let mut best: Option<(f64, &Cut)> = None;
        for cut in &cuts {
            if let Some(worth) = rule.worth(cut.counts)
                && best.is_none_or(|(before, _)| worth > before)
            {
                best = Some((worth, cut));
            }
        }
        match best {
            Some((_, cut)) => Ok(decided(cut.threshold, Some(cut.counts))),
            None => {
                let most = cuts.iter().map(|cut| cut.counts.precision()).fold(0.0, f64::max);
                let message =
                    format!("no threshold has {} on the validation rows: the largest is {most:.4}", self.words());
                Err(ComponentError::new(Code::Params, message).with_hint("ask for less, or for `{ maximize: f1 }`"))
            }
        }
    }
}

/// Rows from the largest probability down to one.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// The smallest probability that is called positive.
    lowest: f64,
    threshold: f64,
    counts: Counts,
}

/// Every cut between two probabilities, the one with the fewest positive calls first.
fn cuts(scores: &[f64], labels: &[f64], weights: Option<&[f64]>) -> Vec<Cut> {
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let mut counts = Counts::default();
    for row in 0..scores.len() {
        *(if labels[row] > 0.5 { &mut counts.positive } else { &mut counts.negative }) += weight(row);
    }
    let mut cuts = Vec::new();
    for (at, row) in order.iter().enumerate() {
        let counted = if labels[*row] > 0.5 { &mut counts.true_positive } else { &mut counts.false_positive };
        *counted += weight(*row);
        let lowest = scores[*row];
        let next = order.get(at + 1).map_or(0.0, |next| scores[*next]);
        let threshold = between(next, lowest);
        // Equal probabilities are called the same, and nothing is below 0.
        if threshold < lowest {
            cuts.push(Cut { lowest, threshold, counts });
        }
    }
    cuts
}

/// The middle between two probabilities, in as few digits as keep them apart.
fn between(low: f64, high: f64) -> f64 {
    let middle = f64::midpoint(low, high);
    let short = (2..=16).filter_map(|digits| format!("{middle:.digits$}").parse::<f64>().ok());
    short.into_iter().find(|short| low < *short && *short < high).unwrap_or(middle)
}

impl Decided {
    /// For the package and the report.
    pub(super) fn facts(&self) -> Value {
        let mut facts = json!({ "value": self.value, "rule": self.words });
        if let (Some(counts), Value::Object(facts)) = (self.counts, &mut facts) {
            for (name, value) in [
                ("precision", counts.precision()),
                ("recall", counts.recall()),
                ("f1", counts.f1()),
                ("true_negative_rate", counts.true_negative_rate()),
                ("accuracy", counts.accuracy()),
            ] {
                facts.insert(name.to_owned(), json!(value));
            }
        }
        facts
    }

    /// ", threshold 0.3712 (maximize f1)".
    pub(super) fn headline(&self) -> String {
        format!(", threshold {:.4} ({})", self.value, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f64; 8] = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2];
    const LABELS: [f64; 8] = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0];

    fn rule(value: Value) -> Threshold {
        let threshold: Threshold = serde_json::from_value(value).unwrap();
        assert_eq!(threshold.check(), None);
        threshold
    }

    fn decide(value: Value) -> Decided {
        rule(value).decide(Some((&SCORES, &LABELS, None))).unwrap()
    }

    #[test]
    fn thresholds_are_those_of_the_rule() {
        // By cut: TP 1 2 2 3 3 3 4 4, FP 0 0 1 1 2 3 3 4 of 4 and 4.
        for (written, expected) in [
            (json!({ "maximize": "f1" }), 0.55),
            (json!({ "maximize": "youden" }), 0.75),
            (json!({ "maximize": "balanced_accuracy" }), 0.75),
            (json!({ "maximize": "accuracy" }), 0.75),
            (json!({ "precision_at_least": 0.74 }), 0.55),
            (json!({ "precision_at_least": 0.9 }), 0.75),
            (json!({ "recall_at_least": 0.6 }), 0.55),
            (json!({ "recall_at_least": 1 }), 0.25),
            (json!({ "cost": { "false_positive": 1, "false_negative": 5 } }), 0.25),
            (json!({ "cost": { "false_positive": 5, "false_negative": 1 } }), 0.75),
            (json!(0.42), 0.42),
        ] {
            let found = decide(written.clone());
            assert!((found.value - expected).abs() < 1e-12, "{written}: {found:?}");
        }
        let found = decide(json!({ "maximize": "f1" })).facts();
        assert!((found["f1"].as_f64().unwrap() - 0.75).abs() < 1e-12, "{found}");
        assert_eq!(decide(json!(0.42)).facts()["recall"], 0.75);
    }

    #[test]
    fn equal_probabilities_are_called_the_same_and_weights_count() {
        let scores = [0.5, 0.5, 0.5, 0.1];
        let found = rule(json!({ "maximize": "f1" })).decide(Some((&scores, &[1.0, 1.0, 0.0, 1.0], None))).unwrap();
        assert!((found.value - 0.05).abs() < 1e-12, "{found:?}");
        let weights = [1.0, 1.0, 1.0, 0.0];
        let weighted = Some((scores.as_slice(), [1.0, 1.0, 0.0, 1.0].as_slice(), Some(weights.as_slice())));
        assert!((rule(json!({ "maximize": "f1" })).decide(weighted).unwrap().value - 0.3).abs() < 1e-12);
    }

    #[test]
    fn a_threshold_has_as_few_digits_as_keep_rows_apart() {
        for (low, high, expected) in [(0.3, 0.372, 0.34), (0.335, 0.337, 0.336), (0.0, 1e-9, 5e-10), (0.25, 0.25, 0.25)]
        {
            assert_eq!(between(low, high), expected, "{low} {high}");
        }
        let (low, high) = (0.1, 0.1_f64.next_up());
        assert!(low <= between(low, high) && between(low, high) < high);
    }

    #[test]
    fn what_cannot_be_had_is_told() {
        let error = rule(json!({ "precision_at_least": 0.9 })).decide(Some((&SCORES, &[0.0; 8], None))).unwrap_err();
        assert!(
            error.message.contains("precision at least 0.9") && error.message.contains("0.0000"),
            "{}",
            error.message
        );
        for wrong in [
            json!(1.5),
            json!({ "precision_at_least": 2 }),
            json!({ "cost": { "false_positive": 0, "false_negative": 1 } }),
        ] {
            assert!(serde_json::from_value::<Threshold>(wrong).unwrap().check().is_some());
        }
        for wrong in [json!("f1"), json!({ "maximize": "recall" }), json!({ "maximise": "f1" })] {
            assert!(serde_json::from_value::<Threshold>(wrong).is_err());
        }
    }
}
