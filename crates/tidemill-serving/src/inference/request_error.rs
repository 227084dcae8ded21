//! Why a request gets no answer.

use hyper::StatusCode;
use tidemill_core::{Coded, Kind};
use tidemill_model::ModelError;

use crate::models::versions::ResolveError;
use crate::protocol::json::JsonError;

/// A request that is answered with an error: a status and a text for the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl RequestError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The request is wrong: 400.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A fault of the server: 500.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// Whether the server is at a limit, and the same request may be answered shortly after.
    pub(crate) fn is_overload(&self) -> bool {
        matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    }

    /// Logs a fault of the server. Being at a limit is none, and is no moment to write a log.
    pub(crate) fn log(&self) {
        if self.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(status = self.status.as_u16(), error = self.message, "a request failed");
        }
    }

    /// The same error with words before its message that say where it is.
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.message.insert_str(0, place);
        self
    }
}

impl From<JsonError> for RequestError {
    fn from(error: JsonError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<ResolveError> for RequestError {
    fn from(error: ResolveError) -> Self {
        let status = match error {
            ResolveError::NotFound(_) | ResolveError::NotAvailable(_) => StatusCode::NOT_FOUND,
            ResolveError::UnknownLabel(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl From<ModelError> for RequestError {
    fn from(error: ModelError) -> Self {
        let status = match error.code().kind() {
            Kind::Usage => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let message = match error.hint() {
            Some(hint) if status == StatusCode::BAD_REQUEST => format!("{error}; {hint}"),
            _ => error.to_string(),
        };
        Self::new(status, message)
    }
}
