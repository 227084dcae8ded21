//! Errors of requests as gRPC statuses.

use tonic::Status;

use crate::request_error::RequestError;
use crate::status::grpc_code;

/// A status travels in a header, and clients refuse headers that are long.
const MESSAGE_BYTES_MAX: usize = 4096;

impl From<RequestError> for Status {
    fn from(error: RequestError) -> Self {
        if error.status.is_server_error() {
            tracing::error!(status = error.status.as_u16(), error = error.message, "a request failed");
        }
        let mut message = error.message;
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            message.push('…');
        }
        Self::new(grpc_code(error.status), message)
    }
}
