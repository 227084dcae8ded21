//! The seam between protocols and models.
//!
//! A protocol decodes a request against a [`TargetSignature`], hands an [`InferenceRequest`] to a [`Target`] and encodes
//! the [`InferenceResponse`]. What the target is, it never learns: one version of a model, a batcher around one, a split
//! between two, a cache, a machine elsewhere.

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
/// A target that wraps others passes the request and the thread on and returns what it gets. It costs a request one
/// dynamic call, whatever the number of rows.
pub(crate) trait Target: fmt::Debug + Send + Sync {
    /// What requests are decoded against and answers are encoded with.
    fn signature(&self) -> &TargetSignature;

    /// The threads for work that must not hold up others.
    fn compute_pool(&self) -> &ComputePool;

    /// Answers a request, or says how it will be answered. On an I/O thread a target computes only what it knows to be
    /// quick; it never blocks there.
    fn infer(&self, request: InferenceRequest, thread: Thread<'_>) -> Inference;

    /// What each feature adds to the score of each row. Called on a compute thread only.
    fn explain(&self, _batch: &RecordBatch) -> Result<Explanation, RequestError> {
        Err(not_explained(&self.signature().name))
    }
}

/// The thread on which a target is called.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Thread<'a> {
    /// One that also reads and writes connections: it must be free again at once.
    Io,
    /// One of [`Target::compute_pool`]; the work should end early when it is cancelled.
    Compute(&'a Cancelled),
}

/// How a request is answered.
#[derive(Debug)]
pub(crate) enum Inference {
    /// Here is the answer.
    Done(Result<InferenceResponse, RequestError>),
    /// Call again with the same request on a compute thread. Never returned there.
    NeedsComputeThread(InferenceRequest),
    /// The answer arrives. If the receiver is dropped, nobody waits for it any more.
    Arrives(oneshot::Receiver<Result<InferenceResponse, RequestError>>),
}

/// The error of a target that cannot explain.
pub(crate) fn not_explained(name: &str) -> RequestError {
    let message = format!("model `{name}` has a learner whose predictions cannot be explained by feature");
    RequestError::new(StatusCode::NOT_IMPLEMENTED, message)
}
