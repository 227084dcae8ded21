//! The arguments of steps.

use std::collections::HashSet;

use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params, suggest};
use tidemill_model::{DatePart, Keys, Node, Scalar};

use super::choice::{Choice, Order};
use super::params::{BucketizeNamed, ClipParams, ImputeMethod, ImputeNamed, MinMaxParams, VocabularyParams};
use super::params_more::{ByParams, KeyedParams};
use super::step::{ImputeWith, Step};

const METHODS: [&str; 3] = ["mean", "median", "most_frequent"];
/// Quantiles of more buckets say nothing.
pub(super) const BUCKETS_MAX: u32 = 65_536;
/// More hash buckets than this are no use to a learner.
const HASH_BUCKETS_MAX: u32 = 1 << 24;

impl From<ImputeMethod> for ImputeWith {
    fn from(method: ImputeMethod) -> Self {
        match method {
            ImputeMethod::Mean => Self::Mean,
            ImputeMethod::Median => Self::Median,
            ImputeMethod::MostFrequent => Self::MostFrequent,
        }
    }
}

pub(super) fn impute(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let one = |with| Ok(vec![Step::Impute(with)]);
    match argument {
        Value::String(method) => match method.as_str() {
            "mean" => one(ImputeWith::Mean),
            "median" => one(ImputeWith::Median),
            "most_frequent" => one(ImputeWith::MostFrequent),
            other => {
                let message = format!("`{other}` is not a way to impute: {} or {{ value: … }}", METHODS.join(", "));
                let hint = match suggest(other, METHODS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("for the text itself write `{{ value: {other} }}`"),
                };
                Err(vec![ParamIssue::new(Vec::<String>::new(), message).with_hint(hint)])
            }
        },
        Value::Number(_) | Value::Bool(_) => one(ImputeWith::Constant(parse_params(argument)?)),
        Value::Null => one_issue(format!("`impute` needs one of {}, or a value", METHODS.join(", "))),
        _ => {
            let with = match parse_params(argument)? {
                ImputeNamed { value: Some(value), with: None, indicator } => (ImputeWith::Constant(value), indicator),
                ImputeNamed { value: None, with: Some(method), indicator } => (method.into(), indicator),
                ImputeNamed { .. } => return one_issue("`impute` takes either `value` or `with`"),
            };
            Ok(match with {
                (with, true) => vec![Step::MissingIndicator, Step::Impute(with)],
                (with, false) => vec![Step::Impute(with)],
            })
        }
    }
}

/// An object for an argument that may be left out.
pub(super) fn or_empty(argument: &Value) -> Value {
    if argument.is_null() { Value::Object(serde_json::Map::new()) } else { argument.clone() }
}

/// The step for each value of a column apart, if there is one.
fn by(column: Option<String>, step: Step) -> Step {
    match column {
        Some(column) => Step::By { column, step: Box::new(step) },
        None => step,
    }
}

pub(super) fn z_score(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    if !argument.is_null() && !argument.is_object() {
        return one_issue("`z_score` takes no argument but `{ per: COLUMN }`");
    }
    let ByParams { per } = parse_params(&or_empty(argument))?;
    Ok(by(per, Step::ZScore))
}

pub(super) fn min_max(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let MinMaxParams { output_min, output_max, per } = parse_params(&or_empty(argument))?;
    if output_min < output_max {
        Ok(by(per, Step::MinMax { output_min, output_max }))
    } else {
        one_issue("`output_min` is not below `output_max`")
    }
}

pub(super) fn bucketize(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let named = match argument {
        Value::Number(_) => BucketizeNamed { buckets: Some(parse_params(argument)?), boundaries: None, per: None },
        Value::Null => return one_issue("`bucketize` needs a number of buckets, or `{ boundaries: [ … ] }`"),
        _ => parse_params(argument)?,
    };
    match named {
        BucketizeNamed { buckets: Some(buckets), boundaries: None, per } => {
            if (2..=BUCKETS_MAX).contains(&buckets) {
                Ok(by(per, Step::Buckets(buckets)))
            } else {
                one_issue(format!("the number of buckets is from 2 to {BUCKETS_MAX}, not {buckets}"))
            }
        }
        BucketizeNamed { per: Some(_), .. } => one_issue("with `per`, `bucketize` needs a number of `buckets`"),
        BucketizeNamed { buckets: None, boundaries: Some(boundaries), .. } => {
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

pub(super) fn vocabulary(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    match parse_params(&or_empty(argument))? {
        VocabularyParams { values: Some(values), oov_buckets, .. } => given(argument, &values, oov_buckets),
        params => choice(params).map(Step::Vocabulary),
    }
}

/// The vocabulary that the file gives: nothing is fitted.
fn given(argument: &Value, values: &[Scalar], oov_buckets: u32) -> Result<Step, Vec<ParamIssue>> {
    let others = argument.as_object().into_iter().flat_map(serde_json::Map::keys);
    if let Some(other) = others.into_iter().find(|key| !matches!(key.as_str(), "values" | "oov_buckets")) {
        let message = format!("`{other}` has no meaning with `values`, which leave nothing to choose");
        return Err(vec![ParamIssue::new([other.clone()], message)]);
    }
    let issue = |at: usize, message: String| Err(vec![ParamIssue::new(["values".to_owned(), at.to_string()], message)]);
    let mut seen = HashSet::with_capacity(values.len());
    if let Some(at) = values.iter().position(|value| !seen.insert(value.to_string())) {
        return issue(at, format!("{} stands here twice", values[at]));
    }
    let texts = values.iter().map(|value| if let Scalar::Text(text) = value { Some(text.clone()) } else { None });
    let numbers = values.iter().map(|value| if let Scalar::Int(number) = value { Some(*number) } else { None });
    let keys = match values.first() {
        None => return Err(vec![ParamIssue::new(["values"], "the list of values is empty")]),
        Some(Scalar::Text(_)) => texts.collect::<Option<_>>().map(Keys::Strings),
        Some(_) => numbers.collect::<Option<_>>().map(Keys::Integers),
    };
    match keys {
        Some(values) => Ok(Step::Fixed(Node::Vocabulary { values, oov_buckets })),
        None => Err(vec![ParamIssue::new(["values"], "values are all text or all whole numbers")]),
    }
}

pub(super) fn choice(params: VocabularyParams) -> Result<Choice, Vec<ParamIssue>> {
    let VocabularyParams { values, top_k, frequency_threshold, oov_buckets, coverage, weight, by, reserved } = params;
    if values.is_some() {
        let issue = ParamIssue::new(["values"], "values are given to `vocabulary`, which `one_hot` may follow");
        return Err(vec![issue.with_hint("write `[ { vocabulary: { values: [ … ] } }, one_hot ]`")]);
    }
    if top_k == Some(0) {
        return Err(vec![ParamIssue::new(["top_k"], "`top_k` is at least 1")]);
    }
    if coverage.is_some_and(|coverage| !(coverage > 0.0 && coverage <= 1.0)) {
        return Err(vec![ParamIssue::new(["coverage"], "`coverage` is a share above 0, at most 1")]);
    }
    if by == Order::MutualInformation && weight.is_some() {
        return Err(vec![ParamIssue::new(["weight"], "`weight` has no meaning with `by: mutual_information`")]);
    }
    Ok(Choice { top_k, frequency_threshold, oov_buckets, coverage, weight, by, reserved })
}

pub(super) fn clip(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    if argument.is_null() {
        return one_issue("`clip` needs `min`, `max`, `quantiles` or `tukey`");
    }
    match parse_params(argument)? {
        ClipParams { min: None, max: None, quantiles: None, tukey: Some(distance) } => {
            if distance.is_finite() && distance >= 0.0 {
                Ok(Step::ClipTukey(distance))
            } else {
                Err(vec![ParamIssue::new(["tukey"], "`tukey` is a number that is not negative; Tukey used 1.5")])
            }
        }
        ClipParams { tukey: Some(_), .. } => one_issue("`clip` takes one of bounds, `quantiles` and `tukey`"),
        ClipParams { min: None, max: None, quantiles: Some([low, high]), .. } => {
            if (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high) && low < high {
                Ok(Step::ClipQuantiles { low, high })
            } else {
                Err(vec![ParamIssue::new(["quantiles"], "`quantiles` are two ascending shares from 0 to 1")])
            }
        }
        ClipParams { quantiles: Some(_), .. } => one_issue("`clip` takes either bounds or `quantiles`"),
        ClipParams { min: None, max: None, .. } => one_issue("`clip` needs `min`, `max`, `quantiles` or `tukey`"),
        ClipParams { min: Some(min), max: Some(max), .. } if min > max => one_issue("`min` is above `max`"),
        ClipParams { min, max, .. } => Ok(Step::Clip { min, max }),
    }
}

pub(super) fn one_hot(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    choice(parse_params(&or_empty(argument))?).map(Step::OneHot)
}

pub(super) fn hash_buckets(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let (buckets, key) = match argument {
        Value::Null => (0, None),
        Value::Object(_) => {
            let KeyedParams { buckets, key } = parse_params(argument)?;
            (buckets, key)
        }
        _ => (parse_params(argument)?, None),
    };
    if !(1..=HASH_BUCKETS_MAX).contains(&buckets) {
        return one_issue(format!("`hash_buckets` needs a number of buckets from 1 to {HASH_BUCKETS_MAX}"));
    }
    Ok(match key {
        Some(key) => Step::Fixed(Node::KeyedHash { buckets, key }),
        None => Step::HashBuckets(buckets),
    })
}

pub(super) fn power(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    match argument.as_f64() {
        Some(exponent) if exponent.is_finite() => Ok(Step::Power(exponent)),
        _ => one_issue("`power` needs an exponent: `power: 2`"),
    }
}

pub(super) fn cyclic(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    match argument.as_f64() {
        Some(period) if period.is_finite() && period > 0.0 => Ok(Step::Cyclic(period)),
        _ => one_issue("`cyclic` needs a period above 0: `cyclic: 24`"),
    }
}

pub(super) fn date_part(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let names = DatePart::ALL.map(DatePart::name);
    let Some(name) = argument.as_str() else {
        return one_issue(format!("`date_part` needs one of {}", names.join(", ")));
    };
    match DatePart::ALL.into_iter().find(|part| part.name() == name) {
        Some(part) => Ok(Step::DatePart(part)),
        None => {
            let issue = ParamIssue::new(Vec::<String>::new(), format!("`{name}` is no part of a time"));
            Err(vec![issue.with_hint(match suggest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("parts: {}", names.join(", ")),
            })])
        }
    }
}

pub(super) fn one_issue<T>(message: impl Into<String>) -> Result<T, Vec<ParamIssue>> {
    Err(vec![ParamIssue::new(Vec::<String>::new(), message)])
}
