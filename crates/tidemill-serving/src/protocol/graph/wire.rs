//! Tensors as little-endian bytes.

use half::{bf16, f16};
use tidemill_core::ElementType;
use tidemill_model::{TensorData, TensorValue};

use super::TensorBuilder;
use crate::inference::request_error::RequestError;
use crate::protocol::tensor::{Datatype, Elements};

/// Appends the elements of a list or of bytes, which are of `datatype`, to `builder`.
pub(crate) fn fill(
    builder: &mut TensorBuilder<'_>,
    elements: Elements<'_>,
    datatype: Datatype,
    expected: usize,
) -> Result<(), RequestError> {
    if let (Elements::Binary(bytes), Datatype::Fp32) = (elements, datatype) {
        let (chunks, rest) = bytes.as_chunks::<4>();
        if rest.is_empty()
            && chunks.len() == expected
            && builder.push_singles(chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)))
        {
            return Ok(());
        }
    }
    elements.each(datatype, expected, |at, scalar| {
        builder.push(&scalar).map_err(|reason| RequestError::invalid(format!("element {at}: {reason}")))
    })
}

/// Appends the bytes of a tensor: texts have their length before them.
pub(crate) fn write_binary(out: &mut Vec<u8>, tensor: &TensorValue) {
    match &tensor.data {
        TensorData::F32(values) => match tensor.element {
            ElementType::Fp16 => out.extend(values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes())),
            ElementType::Bf16 => out.extend(values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes())),
            _ => out.extend(values.iter().flat_map(|x| x.to_le_bytes())),
        },
        TensorData::F64(values) => out.extend(values.iter().flat_map(|x| x.to_le_bytes())),
        TensorData::Int(values) => {
            let width = tensor.element.width().unwrap_or(8);
            out.extend(values.iter().flat_map(|x| x.to_le_bytes().into_iter().take(width)));
        }
        TensorData::Bool(values) => out.extend(values.iter().map(|x| u8::from(*x))),
        TensorData::Text(values) => {
            for text in values {
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
        TensorData::List(_) | TensorData::Absent => {}
    }
}
