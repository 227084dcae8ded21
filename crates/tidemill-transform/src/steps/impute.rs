//! `impute`: a value for missing ones.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params, suggest};
use tidemill_model::{Mapper, Scalar, Stage, steps};

use super::Step;
use super::parse::schema;
use crate::analyze::{KeyCounts, NumberCounts};
use crate::analyzer::{Analyzer, Summary};
use crate::error::TransformError;
use crate::issues::{issue, one_issue};
use crate::step::{Argument, FitStep, Fitting, StepEntry, Values};

pub(super) const IMPUTE: StepEntry = StepEntry {
    name: "impute",
    about: "A value for missing ones.",
    argument: Argument::Required(schema::<ImputeParams>),
    parse,
};

/// The value that replaces missing ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Impute {
    /// The mean of the train split.
    Mean,
    /// Its median.
    Median,
    /// Its most frequent value.
    MostFrequent,
    /// A constant.
    Constant(Scalar),
}

/// How a missing value is filled in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `parse` reads by hand")]
enum ImputeParams {
    /// By a value fitted on the train split.
    Fitted(Method),
    /// By a number.
    Number(f64),
    /// By name.
    Named(ImputeNamed),
}

/// A value fitted on the train split.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// The mean.
    Mean,
    /// The median.
    Median,
    /// The most frequent value.
    MostFrequent,
}

/// By name, which leaves room for an indicator.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImputeNamed {
    /// A number, text, true or false, of the column's type.
    value: Option<Scalar>,
    /// A value fitted on the train split.
    with: Option<Method>,
    /// Whether to add a column that is 1 where the value was missing, 0 elsewhere.
    #[serde(default)]
    indicator: bool,
}

const METHODS: [&str; 3] = ["mean", "median", "most_frequent"];

impl From<Method> for Impute {
    fn from(method: Method) -> Self {
        match method {
            Method::Mean => Self::Mean,
            Method::Median => Self::Median,
            Method::MostFrequent => Self::MostFrequent,
        }
    }
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let one = |with: Impute| Ok(vec![Step::Impute(with)]);
    match argument {
        Value::String(method) => match method.as_str() {
            "mean" => one(Impute::Mean),
            "median" => one(Impute::Median),
            "most_frequent" => one(Impute::MostFrequent),
            other => {
                let message = format!("`{other}` is not a way to impute: {} or {{ value: … }}", METHODS.join(", "));
                let hint = match suggest(other, METHODS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("for the text itself write `{{ value: {other} }}`"),
                };
                Err(vec![issue(message).with_hint(hint)])
            }
        },
        Value::Number(_) | Value::Bool(_) => one(Impute::Constant(parse_params(argument)?)),
        Value::Null => one_issue(format!("`impute` needs one of {}, or a value", METHODS.join(", "))),
        _ => {
            let (with, indicator) = match parse_params(argument)? {
                ImputeNamed { value: Some(value), with: None, indicator } => (Impute::Constant(value), indicator),
                ImputeNamed { value: None, with: Some(method), indicator } => (method.into(), indicator),
                ImputeNamed { .. } => return one_issue("`impute` takes either `value` or `with`"),
            };
            let indicator = indicator.then_some(Step::Fixed(Mapper::MissingIndicator));
            Ok(indicator.into_iter().chain([Step::Impute(with)]).collect())
        }
    }
}

fn filled(value: Scalar) -> Vec<Mapper> {
    vec![steps::Impute { value }.into()]
}

impl FitStep for Impute {
    fn dry_run(&self, stage: Stage) -> Result<Vec<Mapper>, String> {
        Ok(filled(match self {
            Self::Mean | Self::Median if stage == Stage::Text => {
                return Err("text has no mean and no median".to_owned());
            }
            Self::Mean | Self::Median => Scalar::Float(0.5),
            Self::MostFrequent => match stage {
                Stage::Text => Scalar::Text(String::new()),
                Stage::Bool => Scalar::Bool(false),
                Stage::Int | Stage::Bucket(_) | Stage::Code(_) => Scalar::Int(0),
                Stage::Float | Stage::Columns | Stage::Tokens | Stage::Vector(_) | Stage::History | Stage::Binary => {
                    Scalar::Float(0.5)
                }
            },
            Self::Constant(value) => value.clone(),
        }))
    }

    fn constant(&self, _: Stage) -> Option<Vec<Mapper>> {
        match self {
            Self::Constant(value) => Some(filled(value.clone())),
            _ => None,
        }
    }

    fn analyzer(&self, values: &Values) -> Analyzer {
        match self {
            Self::MostFrequent if matches!(values.stage, Stage::Text | Stage::Int) => values.counts(),
            Self::MostFrequent => Analyzer::Numbers(NumberCounts::default()),
            Self::Median => Analyzer::Summary(Summary::quantiles()),
            Self::Mean | Self::Constant(_) => Analyzer::Summary(Summary::moments()),
        }
    }

    fn fit(&self, found: Analyzer, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let value = match found {
            Analyzer::Numbers(counts) => counts.most_frequent().map(|value| match fit.stage {
                Stage::Bool => Scalar::Bool(value != 0.0),
                Stage::Bucket(_) => Scalar::Int(value as i64),
                _ => Scalar::Float(value),
            }),
            Analyzer::Summary(Summary::Quantiles(quantiles)) => quantiles.finish().median().map(Scalar::Float),
            Analyzer::Summary(Summary::Moments(moments)) => moments.mean().map(Scalar::Float),
            _ => None,
        };
        value.map(filled).ok_or_else(|| fit.no_values("impute"))
    }

    fn fit_counts(&self, counts: &KeyCounts, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        counts.most_frequent().map(filled).ok_or_else(|| fit.no_values("impute"))
    }
}
