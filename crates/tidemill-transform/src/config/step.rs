//! One step of a feature, before fitting.

use serde_json::Value;
use tidemill_core::{ParamIssue, suggest};
use tidemill_model::{DatePart, Scalar};

use super::arguments::{
    bucketize, clip, cyclic, date_part, hash_buckets, impute, min_max, one_hot, one_issue, power, vocabulary,
};

/// One step of a feature, before fitting.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The value as it is.
    Numeric,
    /// A missing value becomes this.
    Impute(ImputeWith),
    /// (x − mean) / standard deviation.
    ZScore,
    /// Scaled so that the smallest and largest values become these.
    MinMax {
        /// What the smallest value becomes.
        output_min: f64,
        /// What the largest value becomes.
        output_max: f64,
    },
    /// Buckets of equal share.
    Buckets(u32),
    /// Buckets with these boundaries.
    Boundaries(Vec<f64>),
    /// Codes for frequent values.
    Vocabulary {
        /// At most so many.
        top_k: Option<u64>,
        /// Only values that occur at least so often.
        frequency_threshold: Option<u64>,
        /// Buckets for all others.
        oov_buckets: u32,
    },
    /// Codes for all values.
    Categorical,
    /// Natural logarithm.
    Log,
    /// Natural logarithm of 1 + x.
    Log1p,
    /// The nearest value within bounds.
    Clip {
        /// Low bound.
        min: Option<f64>,
        /// High bound.
        max: Option<f64>,
    },
    /// The nearest value within bounds at two shares of the data.
    ClipQuantiles {
        /// Share below the low bound.
        low: f64,
        /// Share below the high bound.
        high: f64,
    },
    /// Square root.
    Sqrt,
    /// x to the power of this.
    Power(f64),
    /// Codes by hash, so many.
    HashBuckets(u32),
    /// A part of a time.
    DatePart(DatePart),
    /// A column for each value; with bounds on which values as in [`Vocabulary`](Self::Vocabulary), without any for
    /// all, ascending.
    OneHot {
        /// At most so many.
        top_k: Option<u64>,
        /// Only values that occur at least so often.
        frequency_threshold: Option<u64>,
        /// Columns for all others.
        oov_buckets: u32,
    },
    /// Sine and cosine over a period.
    Cyclic(f64),
    /// One more column: whether the value is missing here.
    MissingIndicator,
}

/// What a missing value becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum ImputeWith {
    /// The mean of the train split.
    Mean,
    /// Its median.
    Median,
    /// Its most frequent value.
    MostFrequent,
    /// A constant.
    Constant(Scalar),
}

const NAMES: [&str; 17] = [
    "numeric",
    "identity",
    "impute",
    "z_score",
    "min_max",
    "bucketize",
    "vocabulary",
    "categorical",
    "log",
    "log1p",
    "clip",
    "sqrt",
    "power",
    "hash_buckets",
    "date_part",
    "one_hot",
    "cyclic",
];

impl Step {
    /// Reads one item of a list: a name, or a name with its argument. It is one step, or `impute` and its indicator.
    /// Issues are relative to the item.
    pub(super) fn parse(value: &Value) -> Result<Vec<Self>, Vec<ParamIssue>> {
        let (name, argument) = match value {
            Value::String(name) => (name.as_str(), &Value::Null),
            Value::Object(object) => match (object.iter().next(), object.len()) {
                (Some((name, argument)), 1) => (name.as_str(), argument),
                _ => {
                    return one_issue(
                        "a step has one name; write several steps as a list: `[ { impute: median }, z_score ]`",
                    );
                }
            },
            _ => {
                return one_issue(
                    "a step is a name such as `z_score`, or a name with an argument such as `{ bucketize: 10 }`",
                );
            }
        };
        let step = Self::named(name, argument);
        // The place of an issue in an argument lies below the name.
        step.map_err(|issues| {
            let below = value.is_object() && NAMES.contains(&name);
            let place = |mut issue: ParamIssue| {
                if below {
                    issue.path.insert(0, name.to_owned());
                }
                issue
            };
            issues.into_iter().map(place).collect()
        })
    }

    fn named(name: &str, argument: &Value) -> Result<Vec<Self>, Vec<ParamIssue>> {
        let none = |step: Self| {
            let is_empty = argument.is_null() || argument.as_object().is_some_and(serde_json::Map::is_empty);
            if is_empty { Ok(step) } else { one_issue(format!("`{name}` takes no argument")) }
        };
        let step = match name {
            "numeric" | "identity" => none(Self::Numeric),
            "z_score" => none(Self::ZScore),
            "categorical" => none(Self::Categorical),
            "log" => none(Self::Log),
            "log1p" => none(Self::Log1p),
            "impute" => return impute(argument),
            "min_max" => min_max(argument),
            "bucketize" => bucketize(argument),
            "vocabulary" => vocabulary(argument),
            "clip" => clip(argument),
            "sqrt" => none(Self::Sqrt),
            "power" => power(argument),
            "hash_buckets" => hash_buckets(argument),
            "date_part" => date_part(argument),
            "one_hot" => one_hot(argument),
            "cyclic" => cyclic(argument),
            _ => {
                let issue = ParamIssue::new(Vec::<String>::new(), format!("`{name}` is not a step"));
                Err(vec![issue.with_hint(match suggest(name, NAMES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("steps: {}", NAMES.join(", ")),
                })])
            }
        };
        step.map(|step| vec![step])
    }
}
