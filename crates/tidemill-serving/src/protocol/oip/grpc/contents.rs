//! Elements of tensors in the lists of a message.

use bytes::Bytes;

use crate::protocol::grpc::in_place::Lists;
use crate::protocol::grpc::proto::inference::InferTensorContents;
use crate::inference::request_error::RequestError;
use crate::protocol::tensor::{Datatype, Output, Typed};

/// The list that holds the elements of a type, and its name. 16-bit floating-point numbers have none.
pub(super) fn list<'a>(contents: &'a Lists<'_>, datatype: Datatype) -> Result<(&'static str, Typed<'a>), RequestError> {
    Ok(match datatype {
        Datatype::Bool => ("bool_contents", Typed::Bools(&contents.bools)),
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => ("int_contents", Typed::Int32s(&contents.ints)),
        Datatype::Int64 => ("int64_contents", Typed::Int64s(&contents.int64s)),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => ("uint_contents", Typed::Uint32s(&contents.uints)),
        Datatype::Uint64 => ("uint64_contents", Typed::Uint64s(&contents.uint64s)),
        Datatype::Fp32 => ("fp32_contents", Typed::Floats(&contents.singles)),
        Datatype::Fp64 => ("fp64_contents", Typed::Doubles(&contents.doubles)),
        Datatype::Bytes => ("bytes_contents", Typed::Slices(&contents.texts)),
        Datatype::Fp16 | Datatype::Bf16 => {
            let name = datatype.name();
            return Err(RequestError::invalid(format!("{name} has no list: it must be in `raw_input_contents`")));
        }
    })
}

/// A column of predictions.
pub(super) fn contents(output: Output<'_>) -> InferTensorContents {
    let mut contents = InferTensorContents::default();
    match output {
        Output::Floats(values) => contents.fp64_contents = values.to_vec(),
        Output::Integers(values) => contents.int64_contents = values.to_vec(),
        Output::Booleans(values) => contents.bool_contents = values.values().iter().collect(),
        Output::Texts(values) => {
            let bytes = |text: Option<&str>| Bytes::copy_from_slice(text.unwrap_or_default().as_bytes());
            contents.bytes_contents = values.iter().map(bytes).collect();
        }
    }
    contents
}
