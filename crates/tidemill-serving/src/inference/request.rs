//! A request, independent of its protocol.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;

use crate::inference::context::RequestAttributes;
use crate::protocol::operation::Operation;

/// A request to a target: rows in the order and the types of its signature, and the operation.
#[derive(Debug)]
pub(crate) struct InferenceRequest {
    pub(crate) batch: RecordBatch,
    pub(crate) operation: Operation,
    /// When the client stops waiting for the response.
    pub(crate) timeout: Duration,
    /// What endpoints need of the request besides its rows, if the server has endpoints.
    pub(crate) attributes: Option<Arc<RequestAttributes>>,
}
