//! Elements of tensors in the typed lists of a message.

use bytes::Bytes;
use tidemill_core::ElementType;
use tidemill_model::{TensorData, TensorValue};

use crate::inference::request_error::RequestError;
use crate::protocol::grpc::proto::inference::InferTensorContents;
use crate::protocol::grpc::tensor_wire::TensorContents;
use crate::protocol::tensor::{Datatype, Output, TypedSlice};

/// The list for the elements of a type, and its name. 16-bit floating-point numbers have none.
pub(super) fn list<'a>(
    contents: &'a TensorContents<'_>,
    datatype: Datatype,
) -> Result<(&'static str, TypedSlice<'a>), RequestError> {
    Ok(match datatype {
        Datatype::Bool => ("bool_contents", TypedSlice::Bools(&contents.bools)),
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => ("int_contents", TypedSlice::Int32s(&contents.ints)),
        Datatype::Int64 => ("int64_contents", TypedSlice::Int64s(&contents.int64s)),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => {
            ("uint_contents", TypedSlice::Uint32s(&contents.uints))
        }
        Datatype::Uint64 => ("uint64_contents", TypedSlice::Uint64s(&contents.uint64s)),
        Datatype::Fp32 => ("fp32_contents", TypedSlice::Floats(&contents.singles)),
        Datatype::Fp64 => ("fp64_contents", TypedSlice::Doubles(&contents.doubles)),
        Datatype::Bytes => ("bytes_contents", TypedSlice::Slices(&contents.texts)),
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

/// A tensor of a model of tensors, in the list of its type.
pub(super) fn contents_of(value: &TensorValue) -> InferTensorContents {
    let mut contents = InferTensorContents::default();
    match &value.data {
        TensorData::F32(values) => contents.fp32_contents.clone_from(values),
        TensorData::F64(values) => contents.fp64_contents.clone_from(values),
        TensorData::Bool(values) => contents.bool_contents.clone_from(values),
        TensorData::Text(values) => {
            contents.bytes_contents = values.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
        }
        TensorData::Int(values) => match value.element {
            ElementType::Int64 => contents.int64_contents.clone_from(values),
            ElementType::Uint64 => contents.uint64_contents = values.iter().map(|x| *x as u64).collect(),
            ElementType::Uint8 | ElementType::Uint16 | ElementType::Uint32 => {
                contents.uint_contents = values.iter().map(|x| *x as u32).collect();
            }
            _ => contents.int_contents = values.iter().map(|x| *x as i32).collect(),
        },
        TensorData::List(_) | TensorData::Absent => {}
    }
    contents
}
