//! TF Serving's REST dialect: predict in rows or columns, classify, regress, status and metadata.

mod columns;
mod encode;
mod examples;
pub(crate) mod explain;
mod metadata;
mod predict;
mod rows;
mod value;

pub(crate) use encode::{Answer, encode, flat_values, scores};
pub(crate) use metadata::{metadata, status};
pub(crate) use value::{base64_object, excerpt};

use arrow::array::RecordBatch;

use crate::protocol::tfs::signature::Method;
use crate::inference::request_error::RequestError;
use crate::protocol::rest::path::Endpoint;
use crate::models::versions::LoadedModel;

/// Reads the body of a predict, classify or regress call into the batch to predict and the form of the answer.
pub(crate) fn decode(
    endpoint: Endpoint,
    model: &LoadedModel,
    body: &[u8],
) -> Result<(RecordBatch, Answer), RequestError> {
    match endpoint {
        Endpoint::Classify => Ok((examples::decode(Method::Classify, model, body)?, Answer::Classes)),
        Endpoint::Regress => Ok((examples::decode(Method::Regress, model, body)?, Answer::Values)),
        _ => predict::decode(model, body),
    }
}
