//! One gRPC call: the state of its method, and the facts for metrics and logs afterwards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::inference::context::RequestContext;
use crate::inference::request_error::RequestError;
use crate::inference::service::InferenceService;
use crate::protocol::content_encoding::ContentEncoding;
use crate::server::access::Caller;

/// One call of a method. The services are implemented on this type, so each request has an instance of its own.
#[derive(Debug)]
pub(crate) struct GrpcCall {
    pub(crate) service: Arc<InferenceService>,
    pub(crate) context: RequestContext,
    model: OnceLock<String>,
    /// Set once the caller is authenticated.
    pub(crate) caller: OnceLock<Caller>,
    /// Bytes of the request in memory.
    bytes: AtomicUsize,
    /// The compression of the request's message.
    pub(crate) coding: Option<ContentEncoding>,
}

impl GrpcCall {
    pub(crate) fn new(
        service: Arc<InferenceService>,
        context: RequestContext,
        coding: Option<ContentEncoding>,
    ) -> Self {
        Self { service, context, model: OnceLock::new(), caller: OnceLock::new(), bytes: AtomicUsize::new(0), coding }
    }

    /// Reserves memory for more of the request, or rejects it.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<(), RequestError> {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.service.admission.acquire(bytes)
    }

    /// Bytes of the request; complete once its message has arrived.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records the model of the call. Only names that the server knows are kept: names made up by clients must not
    /// create series of metrics.
    pub(crate) fn set_model(&self, model: &str) {
        if self.service.models.contains(model) {
            // A call is about one model; the first name stays.
            let _ = self.model.set(model.to_owned());
        }
    }

    /// The caller.
    pub(crate) fn caller(&self) -> Caller {
        self.caller.get().cloned().unwrap_or_default()
    }

    /// The model of the call; empty if none.
    pub(crate) fn model(&self) -> &str {
        self.model.get().map_or("", String::as_str)
    }
}

impl Drop for GrpcCall {
    fn drop(&mut self) {
        self.service.admission.release(*self.bytes.get_mut());
    }
}
