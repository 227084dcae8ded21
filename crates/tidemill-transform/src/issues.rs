//! Mistakes in parameters: collected all at once, each at its place.

use serde_json::Value;
use tidemill_core::{Coded as _, ParamIssue};
use tidemill_model::ExpressionError;

/// One mistake about the whole value.
pub(crate) fn one_issue<T>(message: impl Into<String>) -> Result<T, Vec<ParamIssue>> {
    Err(vec![issue(message)])
}

/// A mistake about the whole value.
pub(crate) fn issue(message: impl Into<String>) -> ParamIssue {
    ParamIssue::new(Vec::<String>::new(), message)
}

/// One mistake at a key.
pub(crate) fn issue_at<T>(key: &str, message: impl Into<String>) -> Result<T, Vec<ParamIssue>> {
    Err(vec![ParamIssue::new([key], message)])
}

/// The value, or its mistakes added to `issues`.
pub(crate) fn take<T>(result: Result<T, Vec<ParamIssue>>, issues: &mut Vec<ParamIssue>) -> Option<T> {
    result.map_err(|found| issues.extend(found)).ok()
}

/// The same mistakes, at places below `place`.
pub(crate) fn below(place: &[&str], mut issues: Vec<ParamIssue>) -> Vec<ParamIssue> {
    for issue in &mut issues {
        issue.path.splice(0..0, place.iter().map(|&key| key.to_owned()));
    }
    issues
}

/// A mistake in a row expression.
pub(crate) fn expression_issue(path: &[&str], error: &ExpressionError) -> ParamIssue {
    let mut issue = ParamIssue::new(path.iter().copied(), error.to_string());
    issue.hint = error.hint();
    issue
}

/// An empty mapping for an argument that was left out.
pub(crate) fn or_empty(argument: &Value) -> Value {
    if argument.is_null() { Value::Object(serde_json::Map::new()) } else { argument.clone() }
}
