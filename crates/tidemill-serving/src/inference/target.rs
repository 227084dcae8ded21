//! The seam between protocols and models.
//!
//! A protocol decodes a request against a [`TargetSignature`], hands an [`InferenceRequest`] to a [`Target`] and
//! encodes the [`InferenceResponse`]. It does not depend on what the target is: one version of a model, a batcher
//! around one, a split between two, a cache, another machine.

use std::fmt;

use arrow::array::RecordBatch;
use hyper::StatusCode;
use tidemill_model::Explanation;
use tokio::sync::oneshot;

use super::compute_pool::{Cancelled, ComputePool};
use super::request::InferenceRequest;
use super::request_error::RequestError;
use super::response::InferenceResponse;
use super::signature::TargetSignature;

/// Answers requests under a name.
///
/// A target that wraps others passes on the request and the thread and returns their response. It costs one dynamic
/// call per request, independent of the number of rows.
pub(crate) trait Target: fmt::Debug + Send + Sync {
    /// The signature to decode requests and encode responses with.
    fn signature(&self) -> &TargetSignature;

    /// The threads for work that must not block other requests.
    fn compute_pool(&self) -> &ComputePool;

    /// Answers a request, or returns how it will be answered. On an I/O thread a target computes only what is known to
    /// be fast, and never blocks.
    fn infer(&self, request: InferenceRequest, thread: Thread<'_>) -> Inference;

    /// What each feature adds to the score of each row, and the way of the row through the first `trees` trees. Called on a
    /// compute thread only.
    fn explain(&self, _batch: &RecordBatch, _trees: usize) -> Result<Explanation, RequestError> {
        Err(not_explained(&self.signature().name))
    }
}

/// The thread on which a target is called.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Thread<'a> {
    /// A thread that also reads and writes connections: it must be free again at once.
    Io,
    /// A thread of [`Target::compute_pool`]; the work should end early when it is cancelled.
    Compute(&'a Cancelled),
}

/// The result of passing a request to a target.
#[derive(Debug)]
pub(crate) enum Inference {
    /// The response is ready.
    Done(Result<InferenceResponse, RequestError>),
    /// Call again with the same request on a compute thread. Never returned on a compute thread.
    NeedsComputeThread(InferenceRequest),
    /// The response will arrive here. If the receiver is dropped, the client has left.
    Pending(oneshot::Receiver<Result<InferenceResponse, RequestError>>),
}

/// The error of a target that has no explanations.
pub(crate) fn not_explained(name: &str) -> RequestError {
    let message = format!("model `{name}` has a learner whose predictions cannot be explained by feature");
    RequestError::new(StatusCode::NOT_IMPLEMENTED, message)
}
