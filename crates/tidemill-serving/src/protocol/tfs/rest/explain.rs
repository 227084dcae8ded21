//! `KServe`'s `:explain`: the contribution of each feature to the score of a row.

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use tidemill_model::trees::Contributions;

use crate::inference::request_error::RequestError;
use crate::inference::target::Target;
use crate::protocol::rest::inference::RestInference;
use crate::protocol::rest::server::{Reply, body_reply};

/// An explanation costs as much as hundreds of predictions.
const ROWS_MAX: usize = 1024;

/// Answers a `:predict` body with an explanation for each row.
pub(crate) fn explain(target: &dyn Target, call: &RestInference) -> Result<Reply, RequestError> {
    let (batch, _) = call.decode(target.signature())?;
    if batch.num_rows() > ROWS_MAX {
        let rows = batch.num_rows();
        return Err(RequestError::invalid(format!(
            "{rows} rows are more than the {ROWS_MAX} that are explained at once"
        )));
    }
    let explained = target.explain(&batch)?;
    let one = |of_output: &Contributions| {
        let named = explained.features.iter().zip(&of_output.features);
        let contributions: Map<String, Value> = named.map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({ "base": of_output.base, "contributions": contributions, "score": of_output.score() })
    };
    let explanations = explained.rows.iter().map(|row| match (row.as_slice(), explained.outputs.as_slice()) {
        ([only], []) => one(only),
        (several, names) => {
            let outputs: Map<String, Value> =
                names.iter().zip(several).map(|(name, of_output)| (name.clone(), one(of_output))).collect();
            json!({ "outputs": outputs })
        }
    });
    let body = json!({ "explanations": explanations.collect::<Vec<_>>() });
    Ok(body_reply(StatusCode::OK, "application/json", body.to_string().into_bytes()))
}
