//! One call: what its method works with, and what is to be known of it afterwards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::inference::service::Engine;
use crate::protocol::content_encoding::Coding;
use crate::inference::request_error::RequestError;
use crate::inference::context::Trail;

/// One call of a method. The services are implemented on it, so each request has one of its own.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) engine: Arc<Engine>,
    pub(crate) trail: Trail,
    model: OnceLock<String>,
    /// Bytes of the request in memory.
    bytes: AtomicUsize,
    /// How the request's message is compressed.
    pub(crate) coding: Option<Coding>,
}

impl Call {
    pub(crate) fn new(engine: Arc<Engine>, trail: Trail, coding: Option<Coding>) -> Self {
        Self { engine, trail, model: OnceLock::new(), bytes: AtomicUsize::new(0), coding }
    }

    /// More of the request comes into memory, or is refused.
    pub(crate) fn hold(&self, bytes: usize) -> Result<(), RequestError> {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.engine.admission.take(bytes)
    }

    /// Bytes of the request, all of which has come when its message is there.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The call is about this model. Only names the server knows are kept: those clients make up must not make series
    /// of metrics.
    pub(crate) fn concerns(&self, model: &str) {
        if self.engine.models.knows(model) {
            // A call is about one model; the first name stays.
            let _ = self.model.set(model.to_owned());
        }
    }

    /// The model the call was about; empty if none.
    pub(crate) fn model(&self) -> &str {
        self.model.get().map_or("", String::as_str)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.engine.admission.release(*self.bytes.get_mut());
    }
}
