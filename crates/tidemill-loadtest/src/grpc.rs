//! The few messages of the Open Inference Protocol's gRPC service that a load test needs.

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message;

use crate::ModelInput;

pub(crate) const METADATA_PATH: &str = "/inference.GRPCInferenceService/ModelMetadata";

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ModelInferRequest {
    #[prost(string, tag = "1")]
    pub(crate) model_name: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) inputs: Vec<InferInputTensor>,
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub(crate) raw_input_contents: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct InferInputTensor {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub(crate) shape: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct ModelMetadataRequest {
    #[prost(string, tag = "1")]
    name: String,
}

/// As in the protocol; inputs have the shape of [`InferInputTensor`].
#[derive(Clone, PartialEq, Message)]
struct ModelMetadataResponse {
    #[prost(message, repeated, tag = "4")]
    inputs: Vec<InferInputTensor>,
}

/// A message as gRPC frames it: uncompressed, its length, its bytes.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(length + 5);
    frame.put_u8(0);
    frame.put_u32(length as u32);
    frame.put_slice(&message.encode_to_vec());
    frame.freeze()
}

/// A request for the metadata of a model.
pub(crate) fn metadata_request(model: &str) -> Bytes {
    framed(&ModelMetadataRequest { name: model.to_owned() })
}

/// The inputs in the response to [`metadata_request`]; `None` if it cannot be parsed.
pub(crate) fn metadata_inputs(frame: &[u8]) -> Option<Vec<ModelInput>> {
    let answer = ModelMetadataResponse::decode(frame.get(5..)?).ok()?;
    let input = |input: InferInputTensor| ModelInput {
        shape: crate::metadata::row_shape(&input.shape),
        name: input.name,
        datatype: input.datatype,
    };
    Some(answer.inputs.into_iter().map(input).collect())
}

/// The name of a status code.
pub(crate) fn code_name(code: u16) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(usize::from(code)).copied().unwrap_or("UNKNOWN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_flag_a_length_and_the_message() {
        // Field 1, wire type 2, length 1, "m": written by hand from the protocol's description.
        assert_eq!(&metadata_request("m")[..], [0, 0, 0, 0, 3, 0x0a, 1, b'm']);
        assert_eq!(metadata_inputs(b""), None);
        assert_eq!(metadata_inputs(&[0, 0, 0, 0, 1, 0xff]), None);
        assert_eq!((code_name(0), code_name(14), code_name(99)), ("OK", "UNAVAILABLE", "UNKNOWN"));
    }
}
