//! One call: what its method works with, and what is to be known of it afterwards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::engine::Engine;
use crate::inflate::Coding;
use crate::request_error::RequestError;
use crate::trail::Trail;

/// One call of a method. The services are implemented on it, so each request has one of its own.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) engine: Arc<Engine>,
    pub(super) trail: Trail,
    model: OnceLock<String>,
    /// Bytes of the request in memory.
    bytes: AtomicUsize,
    /// How the request's message is compressed.
    pub(super) coding: Option<Coding>,
}

impl Call {
    pub(super) fn new(engine: Arc<Engine>, trail: Trail, coding: Option<Coding>) -> Self {
        Self { engine, trail, model: OnceLock::new(), bytes: AtomicUsize::new(0), coding }
    }

    /// More of the request comes into memory, or is refused.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), RequestError> {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.engine.admission.take(bytes)
    }

    /// Bytes of the request, all of which has come when its message is there.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The call is about this model. Only names the server knows are kept: those clients make up must not make series
    /// of metrics.
    pub(super) fn concerns(&self, model: &str) {
        if self.engine.models.knows(model) {
            // A call is about one model; the first name stays.
            let _ = self.model.set(model.to_owned());
        }
    }

    /// The model the call was about; empty if none.
    pub(super) fn model(&self) -> &str {
        self.model.get().map_or("", String::as_str)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.engine.admission.release(*self.bytes.get_mut());
    }
}
