//! Elements of a tensor in binary form: little-endian numbers, texts with their length before them.

use super::{Datatype, Scalar};
use crate::inference::request_error::RequestError;

/// Checks that the size of the data is that of `expected` numbers. The number of texts shows only as they are read.
pub(super) fn check_size(bytes: &[u8], datatype: Datatype, expected: usize) -> Result<(), RequestError> {
    match datatype.bytes() {
        Some(size) if expected.checked_mul(size) != Some(bytes.len()) => Err(RequestError::invalid(format!(
            "`shape` asks for {expected} elements of {size} bytes, and the binary data has {}",
            bytes.len()
        ))),
        _ => Ok(()),
    }
}

/// Passes on the elements of `bytes`, whose size is checked.
pub(super) fn elements(
    bytes: &[u8],
    datatype: Datatype,
    expected: usize,
    mut element: impl FnMut(usize, Scalar<'_>) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let Some(size) = datatype.bytes() else { return texts(bytes, expected, element) };
    for (index, chunk) in bytes.chunks_exact(size).enumerate() {
        element(index, cell(chunk, datatype))?;
    }
    Ok(())
}

fn cell(chunk: &[u8], datatype: Datatype) -> Scalar<'static> {
    // Each type's chunk has that type's size.
    let mut word = [0; 8];
    word[..chunk.len()].copy_from_slice(chunk);
    let low = u64::from_le_bytes(word);
    match datatype {
        Datatype::Bool => Scalar::Bool(low != 0),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 | Datatype::Uint64 => Scalar::Integer(i128::from(low)),
        Datatype::Int8 => Scalar::Integer(i128::from(low as u8 as i8)),
        Datatype::Int16 => Scalar::Integer(i128::from(low as u16 as i16)),
        Datatype::Int32 => Scalar::Integer(i128::from(low as u32 as i32)),
        Datatype::Int64 => Scalar::Integer(i128::from(low as i64)),
        Datatype::Fp16 => Scalar::Float(half::f16::from_bits(low as u16).to_f64()),
        Datatype::Bf16 => Scalar::Float(half::bf16::from_bits(low as u16).to_f64()),
        Datatype::Fp32 => Scalar::Float(f64::from(f32::from_bits(low as u32))),
        Datatype::Fp64 => Scalar::Float(f64::from_bits(low)),
        Datatype::Bytes => Scalar::Missing,
    }
}

fn texts(
    mut bytes: &[u8],
    expected: usize,
    mut element: impl FnMut(usize, Scalar<'_>) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let mut count = 0;
    while !bytes.is_empty() {
        let cut_short = || RequestError::invalid(format!("the binary data ends within element {count}"));
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut_short)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, rest) = rest.split_at_checked(length).ok_or_else(cut_short)?;
        element(count, super::typed_slice::text(text))?;
        count += 1;
        bytes = rest;
    }
    if count == expected {
        return Ok(());
    }
    Err(RequestError::invalid(format!("`shape` asks for {expected} elements, and the binary data holds {count}")))
}
