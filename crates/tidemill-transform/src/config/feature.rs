//! One feature of the pipeline file: where its values come from, and its steps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Expression, Source, Stage};

use super::FeatureConfig;
use super::constants::{ConstantParams, Constants};
use super::history::{self, HistoryFeatureParams, HistoryParams};
use crate::dry_run::try_steps;
use crate::issues::{below, expression_issue, issue, issue_at, one_issue, take};
use crate::steps::{Step, StepParams};

/// The covariance of more columns is not computed.
const COLUMNS_MAX: usize = 256;

/// A step, a list of steps, or steps over another source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what is read by hand, to show every mistake at its place")]
pub(super) enum FeatureParams {
    /// One step.
    One(StepParams),
    /// Several steps, first to last.
    Several(Vec<StepParams>),
    /// Steps over a column of another name.
    From(FromParams),
    /// Steps over the values of a row expression.
    Expression(ExpressionParams),
    /// Steps over the values of several columns together.
    Cross(CrossParams),
    /// Steps over several columns side by side.
    Columns(ColumnsParams),
    /// Steps over what came before in a column.
    History(HistoryFeatureParams),
}

/// The values of a row expression.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpressionParams {
    /// Over raw columns, in SQL's syntax: `trip_miles / greatest(trip_seconds, 1)`.
    expression: String,
    /// Numbers of the train split by the names that they have in the expression.
    #[schemars(with = "Option<BTreeMap<String, ConstantParams>>")]
    constants: Option<Map<String, Value>>,
    /// A step or a list of steps; the values as they are unless given.
    #[schemars(with = "Option<StepsParams>")]
    steps: Option<Value>,
}

/// Steps over the values of several columns together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CrossParams {
    /// Two columns or more, of text, whole numbers, or true and false.
    cross: Vec<String>,
    /// A step or a list of steps over the joined values, which are text.
    #[schemars(with = "StepsParams")]
    steps: Option<Value>,
}

/// Several columns of numbers side by side.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnsParams {
    /// Two columns or more.
    columns: Vec<String>,
    /// `pca`, alone.
    steps: Option<Value>,
}

/// Steps over a column of another name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FromParams {
    /// The column.
    from: String,
    /// A step or a list of steps.
    #[schemars(with = "Option<StepsParams>")]
    steps: Option<Value>,
}

/// A step or a list of steps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "see `FeatureParams`")]
pub(super) enum StepsParams {
    /// One step.
    One(StepParams),
    /// Several steps, first to last.
    Several(Vec<StepParams>),
}

/// Reads one feature; issues are relative to it.
pub(super) fn feature(
    name: &str,
    value: &Value,
    history: Option<&HistoryParams>,
) -> Result<FeatureConfig, Vec<ParamIssue>> {
    let has = |key: &str| value.as_object().is_some_and(|object| object.contains_key(key));
    let below_steps = |value: &Value| steps(value).map_err(|issues| below(&["steps"], issues));
    let or_numeric = |value: Option<&Value>| value.map_or_else(|| Ok(vec![Step::Numeric]), below_steps);
    let mut constants = None;
    let (source, steps) = if has("from") {
        let FromParams { from, steps } = parse_params(value)?;
        (Source::Column(from), or_numeric(steps.as_ref())?)
    } else if has("expression") {
        let ExpressionParams { expression: written, constants: named, steps } = parse_params(value)?;
        let mut expression = written;
        if let Some(named) = &named {
            let (filled, read) = Constants::read(&expression, named)?;
            (expression, constants) = (filled, Some(read));
        }
        let checked = Expression::parse(&expression).map_err(|error| vec![expression_issue(&["expression"], &error)]);
        if checked?.columns().is_empty() {
            return issue_at("expression", "the expression uses no column, so it is always the same");
        }
        (Source::Expression(expression), or_numeric(steps.as_ref())?)
    } else if has("cross") {
        let CrossParams { cross, steps } = parse_params(value)?;
        let Some(steps) = steps else {
            return needs_steps("a cross needs `steps`, for its values are text", "steps: { hash_buckets: 1000 }");
        };
        let source = Source::Cross(cross);
        if source.columns().len() < 2 {
            return issue_at("cross", "a cross needs at least two columns");
        }
        (source, below_steps(&steps)?)
    } else if has("columns") {
        let ColumnsParams { columns, steps } = parse_params(value)?;
        let source = Source::Columns(columns.clone());
        if columns.len() < 2 || source.columns().len() < columns.len() {
            return issue_at("columns", "at least two columns stand here, each once");
        }
        if columns.len() > COLUMNS_MAX {
            let message = format!("{} columns are too many; {COLUMNS_MAX} are the most", columns.len());
            return issue_at("columns", message);
        }
        let Some(steps) = steps else {
            return needs_steps("columns side by side need `steps`", "steps: { pca: 2 }");
        };
        (source, below_steps(&steps)?)
    } else if has("history") {
        let HistoryFeatureParams { history: column, steps } = parse_params(value)?;
        let source = history::source(&column, history)?;
        let Some(steps) = steps else {
            return needs_steps("a history needs `steps`, for it is many values", "steps: { lag: 2w }");
        };
        (source, below_steps(&steps)?)
    } else {
        (Source::Column(name.to_owned()), steps(value)?)
    };
    Ok(FeatureConfig { name: name.to_owned(), source, constants, steps })
}

fn needs_steps<T>(message: &str, example: &str) -> Result<T, Vec<ParamIssue>> {
    Err(vec![issue(message).with_hint(format!("for example `{example}`"))])
}

/// Reads a step or a list of steps.
pub(super) fn steps(value: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let Value::Array(items) = value else { return Step::parse(value) };
    if items.is_empty() {
        return Err(vec![issue("the list of steps is empty").with_hint("write `numeric` to take the column as it is")]);
    }
    let mut issues = Vec::new();
    let mut steps = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let step = Step::parse(item).map_err(|found| below(&[index.to_string().as_str()], found));
        steps.extend(take(step, &mut issues).unwrap_or_default());
    }
    if issues.is_empty() { Ok(steps) } else { Err(issues) }
}

/// Refuses steps that cannot follow each other, whatever the values are.
pub(super) fn fits_some_type(feature: &FeatureConfig) -> Result<(), Vec<ParamIssue>> {
    let stages: &[Stage] = match &feature.source {
        Source::Cross(_) => &[Stage::Text],
        Source::Columns(columns) => &[Stage::Vector(columns.len() as u32)],
        Source::History(_) => &[Stage::History],
        _ => &[Stage::Float, Stage::Text, Stage::Int, Stage::Bool, Stage::Binary],
    };
    // Of the reasons that of the type which most of the steps fit.
    let mut furthest: Option<(usize, String)> = None;
    for stage in stages {
        match try_steps(feature, *stage) {
            Ok(()) => return Ok(()),
            Err((done, reason)) => {
                if furthest.as_ref().is_none_or(|(best, _)| done > *best) {
                    furthest = Some((done, reason));
                }
            }
        }
    }
    one_issue(format!("the steps do not fit together: {}", furthest.map(|(_, reason)| reason).unwrap_or_default()))
}
