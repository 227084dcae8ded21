//! The outcome of a request as an HTTP and a gRPC status, and the mapping between them.
//!
//! The table is that of TF Serving's REST gateway: every gRPC code maps to one HTTP status, and that status maps back
//! to the code that a request rejected over REST would have over gRPC.

use hyper::StatusCode;
use tonic::Code;

/// The outcome of a request, in the terms of its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Rest(StatusCode),
    Grpc(Code),
}

impl Status {
    pub(crate) fn http(self) -> StatusCode {
        match self {
            Self::Rest(status) => status,
            Self::Grpc(code) => http_status(code),
        }
    }

    pub(crate) fn grpc(self) -> Code {
        match self {
            Self::Rest(status) => grpc_code(status),
            Self::Grpc(code) => code,
        }
    }
}

/// The gRPC code for the REST status `status`.
pub(crate) fn grpc_code(status: StatusCode) -> Code {
    match status.as_u16() {
        200..=299 => Code::Ok,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        409 => Code::Aborted,
        408 | 504 => Code::DeadlineExceeded,
        413 | 429 => Code::ResourceExhausted,
        499 => Code::Cancelled,
        501 => Code::Unimplemented,
        503 => Code::Unavailable,
        400..=499 => Code::InvalidArgument,
        _ => Code::Internal,
    }
}

fn http_status(code: Code) -> StatusCode {
    let status = match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The code's name in metrics.
pub(crate) const fn grpc_word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_table_leads_to_a_code_that_leads_back() {
        for status in [200, 400, 401, 403, 404, 409, 429, 499, 501, 503, 504, 500] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(http_status(grpc_code(status)), status);
        }
        assert_eq!(grpc_code(StatusCode::PAYLOAD_TOO_LARGE), Code::ResourceExhausted);
        assert_eq!(grpc_code(StatusCode::UNSUPPORTED_MEDIA_TYPE), Code::InvalidArgument);
    }
}
