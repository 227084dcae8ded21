//! One call: what its method works with, and what is to be known of it afterwards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::inference::context::RequestContext;
use crate::inference::request_error::RequestError;
use crate::inference::service::InferenceService;
use crate::protocol::content_encoding::ContentEncoding;
use crate::server::access::Caller;

/// One call of a method. The services are implemented on it, so each request has one of its own.
#[derive(Debug)]
pub(crate) struct GrpcCall {
    pub(crate) service: Arc<InferenceService>,
    pub(crate) context: RequestContext,
    model: OnceLock<String>,
    /// Set once the caller is known.
    pub(crate) caller: OnceLock<Caller>,
    /// Bytes of the request in memory.
    bytes: AtomicUsize,
    /// How the request's message is compressed.
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

    /// More of the request comes into memory, or is refused.
    pub(crate) fn hold(&self, bytes: usize) -> Result<(), RequestError> {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.service.admission.take(bytes)
    }

    /// Bytes of the request, all of which has come when its message is there.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The call is about this model. Only names the server knows are kept: those clients make up must not make series
    /// of metrics.
    pub(crate) fn set_model(&self, model: &str) {
        if self.service.models.knows(model) {
            // A call is about one model; the first name stays.
            let _ = self.model.set(model.to_owned());
        }
    }

    /// Who calls.
    pub(crate) fn caller(&self) -> Caller {
        self.caller.get().cloned().unwrap_or_default()
    }

    /// The model the call was about; empty if none.
    pub(crate) fn model(&self) -> &str {
        self.model.get().map_or("", String::as_str)
    }
}

impl Drop for GrpcCall {
    fn drop(&mut self) {
        self.service.admission.release(*self.bytes.get_mut());
    }
}
