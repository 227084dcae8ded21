//! What to predict, as the pipeline file says it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params, suggest};
use tidemill_model::{Expression, LabelSpec};

use crate::issues::{below, expression_issue, issue_at};

/// What to predict: an expression over columns, or a column.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelParams {
    /// What the label is called; the column's name unless given.
    name: Option<String>,
    /// How it is computed, in SQL's syntax: `tips > fare * 0.2`.
    expression: Option<String>,
    /// The column that holds it.
    column: Option<String>,
    /// The columns that are being predicted and so are unknown when serving; the first in the expression unless given.
    target: Option<TargetParams>,
    /// How old a value must be to be known when the label is predicted: `14d`. No lag or window begins within it.
    pub(super) horizon: Option<String>,
}

/// What to predict.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `read` reads by hand")]
pub(super) enum LabelOrColumn {
    /// The column that holds it.
    Column(String),
    /// An expression over columns, or a column with settings.
    Named(LabelParams),
}

/// Reads the label: the name of a column, or a mapping.
pub(super) fn read(label: &Value) -> Result<LabelParams, Vec<ParamIssue>> {
    match label {
        Value::String(column) => Ok(LabelParams { column: Some(column.clone()), ..LabelParams::default() }),
        _ => parse_params(label).map_err(|issues| below(&["label"], issues)),
    }
}

/// A column or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum TargetParams {
    /// One column.
    One(String),
    /// Several columns.
    Several(Vec<String>),
}

/// The label and the columns it is about.
pub(super) fn label_spec(params: LabelParams) -> Result<(LabelSpec, Vec<String>), Vec<ParamIssue>> {
    let issue = |message: &str| issue_at("label", message);
    let (name, expression) = match (params.name, params.expression, params.column) {
        (name, None, Some(column)) => {
            let quoted = format!("\"{}\"", column.replace('"', "\"\""));
            (name.unwrap_or(column), quoted)
        }
        (Some(name), Some(expression), None) => (name, expression),
        (None, Some(_), _) => return issue("a label by expression needs a `name`"),
        (_, Some(_), Some(_)) => return issue("a label has either an `expression` or a `column`"),
        (_, None, None) => return issue("a label needs an `expression` or a `column`"),
    };
    if name.is_empty() {
        return Err(vec![ParamIssue::new(["label", "name"], "the label's name is empty")]);
    }
    let columns = match Expression::parse(&expression) {
        Ok(parsed) => parsed.columns(),
        Err(error) => return Err(vec![expression_issue(&["label", "expression"], &error)]),
    };
    let label = LabelSpec::new(name, expression);
    let target = match params.target {
        None => return Ok((label, columns.into_iter().take(1).collect())),
        Some(TargetParams::One(column)) => vec![column],
        Some(TargetParams::Several(columns)) => columns,
    };
    if target.is_empty() {
        let issue = ParamIssue::new(["label", "target"], "the list of columns is empty");
        return Err(vec![issue.with_hint("without `target`, the label is about the first column of its expression")]);
    }
    let unused = target.iter().filter(|column| !columns.contains(column)).map(|column| {
        let message = format!("the label does not use column `{column}`, so it is not about it");
        let issue = ParamIssue::new(["label", "target"], message);
        match suggest(column, columns.iter().map(String::as_str)) {
            Some(near) => issue.with_hint(format!("did you mean `{near}`?")),
            None => issue,
        }
    });
    let unused: Vec<ParamIssue> = unused.collect();
    if unused.is_empty() { Ok((label.with_target(target.clone()), target)) } else { Err(unused) }
}
