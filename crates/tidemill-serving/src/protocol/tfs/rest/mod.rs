//! TF Serving's REST dialect: predict in rows or columns, classify, regress, status and metadata.

pub(in crate::protocol) mod columns;
mod encode;
mod examples;
pub(crate) mod explain;
mod graph;
mod metadata;
mod predict;
pub(in crate::protocol) mod rows;
pub(in crate::protocol) mod value;

pub(crate) use encode::{ResponseLayout, encode, flat_values, scores};
pub(crate) use graph::encode as encode_graph;
pub(crate) use metadata::{metadata, status};
pub(crate) use value::{base64_object, excerpt};

use arrow::array::RecordBatch;

use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;
use crate::protocol::operation::Operation;
use crate::protocol::tfs::signature::Method;

/// Reads the body of a predict, classify or regress call into the batch to predict and the form of the answer.
pub(crate) fn decode(
    operation: Operation,
    target: &TargetSignature,
    body: &[u8],
) -> Result<(RecordBatch, ResponseLayout), RequestError> {
    match operation {
        Operation::Classify => Ok((examples::decode(Method::Classify, target, body)?, ResponseLayout::Classes)),
        Operation::Regress => Ok((examples::decode(Method::Regress, target, body)?, ResponseLayout::Values)),
        _ => match &target.graph {
            Some(ports) => graph::decode(target, ports, body),
            None => predict::decode(target, body),
        },
    }
}
