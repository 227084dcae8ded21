//! `KServe`'s `:explain`: the contribution of each feature to the score of a row.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

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
    let explanations = explained.rows.iter().map(|row| {
        let named = explained.features.iter().zip(&row.features);
        let contributions: Map<String, Value> = named.map(|(name, value)| (name.clone(), json!(value))).collect();
        let score = row.base + row.features.iter().sum::<f64>();
        json!({ "base": row.base, "contributions": contributions, "score": score })
    });
    let body = json!({ "explanations": explanations.collect::<Vec<_>>() });
    Ok(body_reply(StatusCode::OK, "application/json", body.to_string().into_bytes()))
}
