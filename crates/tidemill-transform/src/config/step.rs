//! One step of a feature, before fitting.

use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params, suggest};
use tidemill_model::Scalar;

use super::params::{BucketizeNamed, ClipParams, ConstantParams, MinMaxParams, VocabularyParams};

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

const NAMES: [&str; 11] = [
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
];
const METHODS: [&str; 3] = ["mean", "median", "most_frequent"];
/// Quantiles of more buckets say nothing.
const BUCKETS_MAX: u32 = 65_536;

impl Step {
    /// Reads one step: a name, or a name with its argument. Issues are relative to the step.
    pub(super) fn parse(value: &Value) -> Result<Self, Vec<ParamIssue>> {
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

    fn named(name: &str, argument: &Value) -> Result<Self, Vec<ParamIssue>> {
        let none = |step: Self| {
            let is_empty = argument.is_null() || argument.as_object().is_some_and(serde_json::Map::is_empty);
            if is_empty { Ok(step) } else { one_issue(format!("`{name}` takes no argument")) }
        };
        match name {
            "numeric" | "identity" => none(Self::Numeric),
            "z_score" => none(Self::ZScore),
            "categorical" => none(Self::Categorical),
            "log" => none(Self::Log),
            "log1p" => none(Self::Log1p),
            "impute" => impute(argument).map(Self::Impute),
            "min_max" => min_max(argument),
            "bucketize" => bucketize(argument),
            "vocabulary" => vocabulary(argument),
            "clip" => clip(argument),
            _ => {
                let issue = ParamIssue::new(Vec::<String>::new(), format!("`{name}` is not a step"));
                Err(vec![issue.with_hint(match suggest(name, NAMES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("steps: {}", NAMES.join(", ")),
                })])
            }
        }
    }
}

fn impute(argument: &Value) -> Result<ImputeWith, Vec<ParamIssue>> {
    match argument {
        Value::String(method) => match method.as_str() {
            "mean" => Ok(ImputeWith::Mean),
            "median" => Ok(ImputeWith::Median),
            "most_frequent" => Ok(ImputeWith::MostFrequent),
            other => {
                let message = format!("`{other}` is not a way to impute: {} or {{ value: … }}", METHODS.join(", "));
                let hint = match suggest(other, METHODS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("for the text itself write `{{ value: {other} }}`"),
                };
                Err(vec![ParamIssue::new(Vec::<String>::new(), message).with_hint(hint)])
            }
        },
        Value::Number(_) | Value::Bool(_) => parse_params::<Scalar>(argument).map(ImputeWith::Constant),
        Value::Null => one_issue(format!("`impute` needs one of {}, or a value", METHODS.join(", "))),
        _ => parse_params::<ConstantParams>(argument).map(|params| ImputeWith::Constant(params.value)),
    }
}

fn min_max(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let empty = Value::Object(serde_json::Map::new());
    let argument = if argument.is_null() { &empty } else { argument };
    let MinMaxParams { output_min, output_max } = parse_params(argument)?;
    if output_min < output_max {
        Ok(Step::MinMax { output_min, output_max })
    } else {
        one_issue("`output_min` is not below `output_max`")
    }
}

fn bucketize(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let named = match argument {
        Value::Number(_) => BucketizeNamed { buckets: Some(parse_params(argument)?), boundaries: None },
        Value::Null => return one_issue("`bucketize` needs a number of buckets, or `{ boundaries: [ … ] }`"),
        _ => parse_params(argument)?,
    };
    match named {
        BucketizeNamed { buckets: Some(buckets), boundaries: None } => {
            if (2..=BUCKETS_MAX).contains(&buckets) {
                Ok(Step::Buckets(buckets))
            } else {
                one_issue(format!("the number of buckets is from 2 to {BUCKETS_MAX}, not {buckets}"))
            }
        }
        BucketizeNamed { buckets: None, boundaries: Some(boundaries) } => {
            if boundaries.is_empty() {
                one_issue("`boundaries` is empty")
            } else if boundaries.is_sorted_by(|a, b| a < b) {
                Ok(Step::Boundaries(boundaries))
            } else {
                one_issue("`boundaries` are not strictly ascending")
            }
        }
        _ => one_issue("`bucketize` takes either `buckets` or `boundaries`"),
    }
}

fn vocabulary(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let params = if argument.is_null() { VocabularyParams::default() } else { parse_params(argument)? };
    let VocabularyParams { top_k, frequency_threshold, oov_buckets } = params;
    if top_k == Some(0) {
        return Err(vec![ParamIssue::new(["top_k"], "`top_k` is at least 1")]);
    }
    Ok(Step::Vocabulary { top_k, frequency_threshold, oov_buckets })
}

fn clip(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    if argument.is_null() {
        return one_issue("`clip` needs `min`, `max`, or `quantiles`");
    }
    match parse_params(argument)? {
        ClipParams { min: None, max: None, quantiles: Some([low, high]) } => {
            if (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high) && low < high {
                Ok(Step::ClipQuantiles { low, high })
            } else {
                Err(vec![ParamIssue::new(["quantiles"], "`quantiles` are two ascending shares from 0 to 1")])
            }
        }
        ClipParams { quantiles: Some(_), .. } => one_issue("`clip` takes either bounds or `quantiles`"),
        ClipParams { min: None, max: None, quantiles: None } => one_issue("`clip` needs `min`, `max`, or `quantiles`"),
        ClipParams { min: Some(min), max: Some(max), .. } if min > max => one_issue("`min` is above `max`"),
        ClipParams { min, max, .. } => Ok(Step::Clip { min, max }),
    }
}

fn one_issue<T>(message: impl Into<String>) -> Result<T, Vec<ParamIssue>> {
    Err(vec![ParamIssue::new(Vec::<String>::new(), message)])
}
