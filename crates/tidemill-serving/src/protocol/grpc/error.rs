//! Errors of requests as gRPC statuses.

use tonic::Status;
use tonic::metadata::MetadataValue;

use crate::inference::request_error::{ERROR_CODE, RequestError};
use crate::protocol::status::grpc_code;

/// A status travels in a header, and clients refuse headers that are long.
const MESSAGE_BYTES_MAX: usize = 4096;

impl From<RequestError> for Status {
    fn from(error: RequestError) -> Self {
        let error = error.for_client();
        let code = error.code().id();
        let overload = error.is_overload();
        let mut message = error.message;
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            message.push('…');
        }
        let mut status = Self::new(grpc_code(error.status), message);
        status.metadata_mut().insert(ERROR_CODE, MetadataValue::from_static(code));
        if overload {
            // The same as REST's `Retry-After`, in gRPC's terms.
            status.metadata_mut().insert("grpc-retry-pushback-ms", MetadataValue::from_static("1000"));
        }
        status
    }
}
