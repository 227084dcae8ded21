//! Names of metrics, with and without a parameter.
//!
//! ```text
//! recall@0.3                      at the decision threshold 0.3
//! ndcg@7, precision@5             of the first rows of each query
//! pinball_loss@0.9                of the quantile of this level
//! top_k_accuracy@3                the true class is among the three most probable ones
//! recall@precision=0.9            the best over all thresholds at which precision is 0.9 or more
//! recall[virginica], auc[drama]   of one class or label
//! difference(recall)[sex]         the largest value less the smallest, over the values of a column
//! ```

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tidemill_core::TaskKind;

use super::counts::AT_THRESHOLDS;
use super::own::OwnMetric;
use super::{Direction, Metric, Written};

/// What a name with a parameter means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A metric at a threshold, of the first rows of a query, or of one quantile.
    At { base: Metric, at: f64 },
    /// The best value of a metric over the thresholds at which another one is at least (or at most) a number.
    Given { base: Metric, given: Metric, bound: f64 },
    /// The true class is among the most probable ones.
    TopK { k: usize },
    /// A metric of one class or label against the rest.
    Class { base: Metric, class: String },
    /// How far a metric differs between the values of a column.
    Spread { base: Metric, how: Spread, column: String },
    /// A definition of the pipeline file.
    Own(OwnMetric),
    /// A name of an evaluation whose definition was not read.
    Undefined,
}

/// How the values of groups become one number. The names are those of fairlearn's `MetricFrame`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// The largest less the smallest.
    Difference,
    /// The largest distance from the value of all rows.
    DifferenceToOverall,
    /// The smallest divided by the largest.
    Ratio,
    /// The larger of the differences of the true and the false positive rate.
    EqualizedOdds,
    /// The smaller of the ratios of the true and the false positive rate.
    EqualizedOddsRatio,
}

/// `NAME[column]` of fairness, and what it stands for.
const FAIRNESS: [(&str, Metric, Spread); 5] = [
    ("demographic_parity_difference", Metric::PositiveRate, Spread::Difference),
    ("demographic_parity_ratio", Metric::PositiveRate, Spread::Ratio),
    ("equal_opportunity_difference", Metric::TruePositiveRate, Spread::Difference),
    ("equalized_odds_difference", Metric::TruePositiveRate, Spread::EqualizedOdds),
    ("equalized_odds_ratio", Metric::TruePositiveRate, Spread::EqualizedOddsRatio),
];

const SPREADS: [(&str, Spread); 3] = [
    ("difference", Spread::Difference),
    ("difference_to_overall", Spread::DifferenceToOverall),
    ("ratio", Spread::Ratio),
];

const OF_FIRST_ROWS: &[Metric] = &[Metric::Ndcg, Metric::Map, Metric::Mrr, Metric::Precision, Metric::Recall];
const OF_LEVELS: &[Metric] = &[Metric::PinballLoss, Metric::Coverage];
const OF_CLASSES: &[Metric] = &[Metric::Precision, Metric::Recall, Metric::F1, Metric::Auc, Metric::PrAuc];

impl Kind {
    /// The metric that the parameter belongs to.
    pub(super) fn base(&self) -> Option<Metric> {
        match self {
            Self::At { base, .. } | Self::Given { base, .. } | Self::Class { base, .. } | Self::Spread { base, .. } => {
                Some(*base)
            }
            Self::TopK { .. } => Some(Metric::Accuracy),
            Self::Own(_) | Self::Undefined => None,
        }
    }

    pub(super) fn applies_to(&self, task: TaskKind) -> bool {
        match self {
            Self::At { base, at } => match task {
                TaskKind::Binary => AT_THRESHOLDS.contains(base) && (0.0..=1.0).contains(at),
                TaskKind::Ranking => OF_FIRST_ROWS.contains(base) && *at >= 1.0 && at.fract() == 0.0,
                TaskKind::Regression => OF_LEVELS.contains(base) && *at > 0.0 && *at < 1.0,
                TaskKind::MultiClass | TaskKind::MultiLabel => false,
            },
            Self::Given { .. } => task == TaskKind::Binary,
            Self::TopK { .. } => task == TaskKind::MultiClass,
            Self::Class { .. } => matches!(task, TaskKind::MultiClass | TaskKind::MultiLabel),
            Self::Spread { base, .. } => base.applies_to(task),
            Self::Own(own) => own.applies_to(task),
            Self::Undefined => true,
        }
    }

    pub(super) fn title(&self, name: &str) -> String {
        let of = |base: &Metric| base.title().to_owned();
        match self {
            Self::At { base, at } => format!("{}@{at}", of(base)),
            Self::Given { base, given, bound } => format!("{} at {} {bound}", of(base), given.title()),
            Self::TopK { k } => format!("top-{k} accuracy"),
            Self::Class { base, class } => format!("{} of {class}", of(base)),
            Self::Spread { how: Spread::EqualizedOdds, column, .. } => format!("equalized odds difference by {column}"),
            Self::Spread { how: Spread::EqualizedOddsRatio, column, .. } => format!("equalized odds ratio by {column}"),
            Self::Spread { base, how: Spread::Ratio, column } => format!("ratio of {} by {column}", of(base)),
            Self::Spread { base, how: Spread::DifferenceToOverall, column } => {
                format!("distance of {} from all rows by {column}", of(base))
            }
            Self::Spread { base, column, .. } => format!("difference of {} by {column}", of(base)),
            Self::Own(own) => own.title(),
            Self::Undefined => name.to_owned(),
        }
    }

    pub(super) fn about(&self) -> String {
        match self {
            Self::At { base, at } => match (OF_LEVELS.contains(base), at.fract() == 0.0 && *at >= 1.0) {
                (true, _) => format!("{} Of the quantile of level {at} alone.", base.about()),
                (_, true) => format!("{} Of the first {at} rows of each query.", base.about()),
                _ => format!("{} At the decision threshold {at}.", base.about()),
            },
            Self::Given { base, given, bound } => {
                let side = if given.direction() == Direction::Lower { "at most" } else { "at least" };
                format!("The best {} over all thresholds at which {} is {side} {bound}.", base.title(), given.title())
            }
            Self::TopK { k } => format!("Share of rows whose true class is among the {k} most probable ones."),
            Self::Class { base, class } => format!("{} Of `{class}` against the rest.", base.about()),
            Self::Spread { base, how, column } => {
                let of = base.title();
                match how {
                    Spread::Difference => format!("The largest {of} of the values of `{column}` less the smallest."),
                    Spread::DifferenceToOverall => {
                        format!("The largest distance of the {of} of a value of `{column}` from that of all rows.")
                    }
                    Spread::Ratio => format!("The smallest {of} of the values of `{column}` divided by the largest."),
                    Spread::EqualizedOdds => format!(
                        "The larger of two differences between the values of `{column}`: that of the true and that of the false positive rate."
                    ),
                    Spread::EqualizedOddsRatio => format!(
                        "The smaller of two ratios between the values of `{column}`: that of the true and that of the false positive rate."
                    ),
                }
            }
            Self::Own(own) => own.about(),
            Self::Undefined => "Defined where it was computed.".to_owned(),
        }
    }
}

/// Why a name is not that of a metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownMetric {
    /// Nothing has this name.
    #[error("`{0}` is not a metric")]
    Name(String),
    /// The parameter does not suit the metric.
    #[error("`{name}`: {problem}")]
    Parameter {
        /// The name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

fn listed(metrics: &[Metric]) -> String {
    metrics.iter().map(|metric| metric.name()).collect::<Vec<_>>().join(", ")
}

fn plain(text: &str) -> Option<Metric> {
    Metric::ALL.iter().copied().find(|metric| metric.name() == text)
}

/// What a name with a parameter means. `None`: it has no parameter.
fn with_parameter(text: &str) -> Option<Result<Kind, String>> {
    if let Some((front, column)) = text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        return Some(of_bracket(front, column));
    }
    let (base, parameter) = text.split_once('@')?;
    if base == "top_k_accuracy" {
        let k = parameter.parse::<usize>().ok().filter(|k| *k > 0);
        return Some(k.map(|k| Kind::TopK { k }).ok_or_else(|| format!("`{parameter}` is not a number of classes")));
    }
    let Some(base) = plain(base) else { return Some(Err(format!("`{base}` is not a metric"))) };
    if let Some((given, bound)) = parameter.split_once('=') {
        return Some(of_condition(base, given.trim(), bound.trim()));
    }
    let at = match parameter.parse::<f64>() {
        Ok(at) if at.is_finite() => at,
        _ => return Some(Err(format!("`{parameter}` is not a number"))),
    };
    let kind = Kind::At { base, at };
    if TaskKind::ALL.into_iter().any(|task| kind.applies_to(task)) {
        return Some(Ok(kind));
    }
    Some(Err(if AT_THRESHOLDS.contains(&base) {
        format!("{at} is neither a decision threshold between 0 and 1 nor a number of rows")
    } else if OF_FIRST_ROWS.contains(&base) {
        format!("{at} is not a number of rows")
    } else if OF_LEVELS.contains(&base) {
        format!("{at} is not the level of a quantile, between 0 and 1")
    } else {
        format!(
            "`{base}` has no `@`; those that have one are {}, {}, {} and top_k_accuracy",
            listed(AT_THRESHOLDS),
            listed(&OF_FIRST_ROWS[..3]),
            listed(OF_LEVELS)
        )
    }))
}

fn of_bracket(front: &str, inside: &str) -> Result<Kind, String> {
    if let Some((_, base, how)) = FAIRNESS.iter().find(|(name, ..)| *name == front) {
        return Ok(Kind::Spread { base: *base, how: *how, column: inside.to_owned() });
    }
    if let Some((how, base)) = front.strip_suffix(')').and_then(|front| front.split_once('(')) {
        let Some((_, how)) = SPREADS.iter().find(|(name, _)| *name == how) else {
            return Err(format!("`{how}` is not one of difference, difference_to_overall and ratio"));
        };
        let base: Metric = base.parse().map_err(|error: UnknownMetric| error.to_string())?;
        return Ok(Kind::Spread { base, how: *how, column: inside.to_owned() });
    }
    match plain(front) {
        Some(base) if OF_CLASSES.contains(&base) => Ok(Kind::Class { base, class: inside.to_owned() }),
        Some(base) => Err(format!("`{base}` is not computed by class; those that are: {}", listed(OF_CLASSES))),
        None => Err(format!("`{front}` is not a metric")),
    }
}

fn of_condition(base: Metric, given: &str, bound: &str) -> Result<Kind, String> {
    let Some(given) = plain(given) else { return Err(format!("`{given}` is not a metric")) };
    let bound: f64 = match bound.parse() {
        Ok(bound) if f64::is_finite(bound) => bound,
        _ => return Err(format!("`{bound}` is not a number")),
    };
    if let Some(wrong) = [base, given].into_iter().find(|metric| !AT_THRESHOLDS.contains(metric)) {
        return Err(format!("`{wrong}` has no value at each threshold; those that have: {}", listed(AT_THRESHOLDS)));
    }
    Ok(Kind::Given { base, given, bound })
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(metric) = plain(text) {
            return Ok(metric);
        }
        match with_parameter(text) {
            Some(Ok(kind)) => Ok(Self::Written(Written::of(text, kind))),
            Some(Err(problem)) => Err(UnknownMetric::Parameter { name: text.to_owned(), problem }),
            None => Err(UnknownMetric::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// In a file of an evaluation. A name that is not known is that of a metric whose definition is elsewhere in the file.
impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        Ok(name.parse().unwrap_or_else(|_| Self::Written(Written::undefined(&name))))
    }
}

impl schemars::JsonSchema for Metric {
    fn schema_name() -> Cow<'static, str> {
        "Metric".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let named = |metric: &Self| serde_json::json!({ "const": metric.name(), "description": metric.about() });
        let known: Vec<_> = Self::ALL.iter().map(named).collect();
        schemars::json_schema!({
            "description": "The name of a metric, with a parameter if it has one: `recall@0.3`, `recall@precision=0.9`, `f1[CLASS]`, `difference(recall)[COLUMN]`.",
            "anyOf": [{ "oneOf": known }, { "type": "string" }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_parameters_are_read_and_written_back() {
        for (name, title) in [
            ("recall@0.3", "recall@0.3"),
            ("ndcg@7", "NDCG@7"),
            ("recall@precision=0.9", "recall at precision 0.9"),
            ("f1[setosa]", "F1 of setosa"),
            ("auc[a]b]", "AUC of a]b"),
            ("top_k_accuracy@3", "top-3 accuracy"),
            ("pinball_loss@0.9", "pinball loss@0.9"),
            ("difference(recall@0.3)[sex]", "difference of recall@0.3 by sex"),
            ("demographic_parity_ratio[sex]", "ratio of positive rate by sex"),
        ] {
            let metric: Metric = name.parse().unwrap();
            assert_eq!((metric.name(), metric.title()), (name, title));
            let json = serde_json::to_string(&metric).unwrap();
            assert_eq!(serde_json::from_str::<Metric>(&json).unwrap(), metric);
        }
        assert!(matches!("ndcg@5".parse(), Ok(Metric::NdcgAt5)));
    }

    #[test]
    fn a_wrong_parameter_is_answered_with_what_is_allowed() {
        let says = |name: &str| name.parse::<Metric>().unwrap_err().to_string();
        assert_eq!(says("auk"), "`auk` is not a metric");
        assert_eq!(says("recal@0.3"), "`recal@0.3`: `recal` is not a metric");
        assert!(says("auc@0.3").contains("`auc` has no `@`; those that have one are accuracy,"));
        assert_eq!(
            says("recall@1.5"),
            "`recall@1.5`: 1.5 is neither a decision threshold between 0 and 1 nor a number of rows"
        );
        assert!(says("recall@auc=0.9").contains("`auc` has no value at each threshold"));
        assert!(says("rmse[a]").contains("`rmse` is not computed by class"));
        assert!(says("spread(recall)[sex]").contains("`spread` is not one of difference"));
        assert_eq!(says("ndcg@0"), "`ndcg@0`: 0 is not a number of rows");
    }

    #[test]
    fn a_metric_applies_where_its_parameter_means_something() {
        let of = |name: &str| -> Vec<&str> {
            let metric: Metric = name.parse().unwrap();
            TaskKind::ALL.into_iter().filter(|task| metric.applies_to(*task)).map(TaskKind::name).collect()
        };
        assert_eq!(of("recall@0.3"), ["binary"]);
        assert_eq!(of("recall@1"), ["binary", "ranking"]);
        assert_eq!(of("f1[a]"), ["multi_class", "multi_label"]);
        assert_eq!(of("difference(rmse)[sex]"), ["regression"]);
    }
}
