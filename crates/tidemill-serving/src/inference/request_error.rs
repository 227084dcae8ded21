//! Errors of requests.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use tidemill_core::{Code, Coded, Kind};
use tidemill_model::ModelError;

use crate::models::versions::ResolveError;
use crate::protocol::json::JsonError;

/// The REST header and gRPC metadata key that carry the code of an error.
pub(crate) const ERROR_CODE: &str = "tidemill-error-code";

/// The error response to a request: a status, a code of the catalogue and a message for the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// The code, if it is not the default of the status.
    code: Option<Code>,
}

impl RequestError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), code: None }
    }

    /// The request is wrong: 400.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A fault of the server: 500.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// Whether the server is at a limit, so that the same request may succeed shortly after.
    pub(crate) fn is_overload(&self) -> bool {
        matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The code of the catalogue.
    pub(crate) fn code(&self) -> Code {
        self.code.unwrap_or_else(|| code_of(self.status))
    }

    /// The error as a client may see it. Details of a server fault go to the log, under an incident number that the
    /// client receives.
    pub(crate) fn for_client(mut self) -> Self {
        if self.status == StatusCode::INTERNAL_SERVER_ERROR {
            let incident = incident();
            tracing::error!(incident, error = self.message, code = %self.code(), "a request failed");
            self.message = format!("internal error {incident}: see the log of the server");
        }
        self
    }

    /// The same error with a location before its message.
    pub(crate) fn at(mut self, place: &str) -> Self {
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
        Self { code: Some(error.code()), ..Self::new(status, message) }
    }
}

/// The code for the status `status`.
pub(crate) fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::NotAllowed,
        404 => Code::ModelNotFound,
        408 => Code::BodyTooSlow,
        409 => Code::StateConflict,
        413 => Code::RequestTooLarge,
        429 | 503 => Code::NotReady,
        499 | 504 => Code::DeadlineExceeded,
        500 => Code::Internal,
        501 => Code::NotSupported,
        _ => Code::RequestMalformed,
    }
}

/// A number that identifies this failure: unique in this process, and very likely among all processes.
fn incident() -> String {
    static PREFIX: LazyLock<u64> = LazyLock::new(|| {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        nanos.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
    });
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:08x}-{}", *PREFIX, NEXT.fetch_add(1, Ordering::Relaxed))
}
