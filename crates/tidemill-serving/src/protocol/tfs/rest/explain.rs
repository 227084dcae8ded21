//! `KServe`'s `:explain`: the contribution of each feature to the score of a row, and its way through the trees.

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use tidemill_model::Explanation;
use tidemill_model::trees::{Contributions, Rule, TreePath};

use crate::inference::request_error::RequestError;
use crate::inference::target::Target;
use crate::protocol::rest::inference::RestInference;
use crate::protocol::rest::server::{Reply, body_reply};

/// An explanation costs as much as hundreds of predictions.
const ROWS_MAX: usize = 1024;
/// More paths are no explanation.
const TREES_MAX: usize = 100;

/// The number of trees whose paths the query of a request asks for: `paths=3`.
pub(crate) fn trees_asked(query: Option<&str>) -> Result<usize, RequestError> {
    let asked = query.into_iter().flat_map(|query| query.split('&')).find_map(|part| part.strip_prefix("paths="));
    match asked.map(str::parse::<usize>) {
        None => Ok(0),
        Some(Ok(trees)) if trees <= TREES_MAX => Ok(trees),
        Some(_) => Err(RequestError::invalid(format!("`paths` is a number of trees, up to {TREES_MAX}"))),
    }
}

/// Answers a `:predict` body with an explanation for each row, with the paths through so many trees.
pub(crate) fn explain(target: &dyn Target, call: &RestInference, trees: usize) -> Result<Reply, RequestError> {
    let (batch, _) = call.decode(target.signature())?;
    if batch.num_rows() > ROWS_MAX {
        let rows = batch.num_rows();
        return Err(RequestError::invalid(format!(
            "{rows} rows are more than the {ROWS_MAX} that are explained at once"
        )));
    }
    let explained = target.explain(&batch, trees)?;
    let explanations = (0..explained.rows.len()).map(|row| of_row(&explained, row));
    let body = json!({ "explanations": explanations.collect::<Vec<_>>() });
    Ok(body_reply(StatusCode::OK, "application/json", body.to_string().into_bytes()))
}

/// The explanation of a row: one, or one for each number that is predicted.
fn of_row(explained: &Explanation, row: usize) -> Value {
    let one = |(output, of_output): (usize, &Contributions)| {
        let named = explained.features.iter().zip(&of_output.features);
        let contributions: Map<String, Value> = named.map(|(name, value)| (name.clone(), json!(value))).collect();
        let mut one = json!({ "base": of_output.base, "contributions": contributions, "score": of_output.score() });
        if let Some(paths) = explained.paths.get(row).and_then(|paths| paths.get(output)) {
            one["paths"] = paths.iter().map(|path| path_json(path, &explained.features)).collect();
        }
        one
    };
    match (explained.rows[row].as_slice(), explained.outputs.as_slice()) {
        ([only], []) => one((0, only)),
        (several, names) => {
            let named = names.iter().zip(several.iter().enumerate());
            let outputs: Map<String, Value> = named.map(|(name, of_output)| (name.clone(), one(of_output))).collect();
            json!({ "outputs": outputs })
        }
    }
}

/// The questions that a row met in a tree, and the value that it came to.
fn path_json(path: &TreePath, features: &[String]) -> Value {
    let step = |step: &tidemill_model::trees::PathStep| {
        let mut asked = match &step.rule {
            Rule::AtMost(threshold) => json!({ "at_most": threshold }),
            Rule::OneOf(codes) => json!({ "one_of": codes.codes().collect::<Vec<_>>() }),
        };
        // A missing value is null.
        asked["feature"] = json!(features.get(step.feature));
        asked["value"] = json!(step.value);
        asked["yes"] = json!(step.left);
        asked
    };
    json!({ "steps": path.steps.iter().map(step).collect::<Vec<_>>(), "leaf": path.leaf })
}
