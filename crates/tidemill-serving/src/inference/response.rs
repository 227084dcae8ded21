//! A response, independent of its protocol.

use arrow::array::RecordBatch;

/// The response of a target: a column for each output tensor of its signature, a row for each row of the request.
#[derive(Debug)]
pub(crate) struct InferenceResponse {
    pub(crate) predictions: RecordBatch,
    /// The version that answered, if a version did.
    pub(crate) version: Option<u64>,
}
