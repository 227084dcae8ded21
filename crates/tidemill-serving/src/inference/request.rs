//! A request, independent of its protocol.

use std::time::Duration;

use arrow::array::RecordBatch;

use crate::protocol::operation::Operation;

/// A request to a target: rows in the order and the types of its signature, and the operation.
#[derive(Debug)]
pub(crate) struct InferenceRequest {
    pub(crate) batch: RecordBatch,
    pub(crate) operation: Operation,
    /// When the client stops waiting for the response.
    pub(crate) timeout: Duration,
}
