//! A request without its protocol.

use std::time::Duration;

use arrow::array::RecordBatch;

use crate::protocol::operation::Operation;

/// A request to a target: rows in the order and the types of its signature, and what is to be done with them.
#[derive(Debug)]
pub(crate) struct InferenceRequest {
    pub(crate) batch: RecordBatch,
    pub(crate) operation: Operation,
    /// Nobody waits for the answer longer than this.
    pub(crate) timeout: Duration,
}
