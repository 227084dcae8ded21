//! Elements of a tensor in the typed lists of a message.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Datatype, Scalar};
use crate::inference::request_error::RequestError;

/// A list of elements.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TypedSlice<'a> {
    Bools(&'a [bool]),
    Int32s(&'a [i32]),
    Int64s(&'a [i64]),
    Uint32s(&'a [u32]),
    Uint64s(&'a [u64]),
    Floats(&'a [f32]),
    Doubles(&'a [f64]),
    /// The 16 bits of each.
    Halves(&'a [i32]),
    Texts(&'a [Bytes]),
    /// As `Texts`, borrowed from the message.
    Slices(&'a [&'a [u8]]),
}

impl<'a> TypedSlice<'a> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Bools(list) => list.len(),
            Self::Int32s(list) | Self::Halves(list) => list.len(),
            Self::Int64s(list) => list.len(),
            Self::Uint32s(list) => list.len(),
            Self::Uint64s(list) => list.len(),
            Self::Floats(list) => list.len(),
            Self::Doubles(list) => list.len(),
            Self::Texts(list) => list.len(),
            Self::Slices(list) => list.len(),
        }
    }

    /// Passes on each element as a value of `datatype`: a value out of that type's range is an error.
    pub(crate) fn elements(
        self,
        datatype: Datatype,
        mut element: impl FnMut(usize, Scalar<'a>) -> Result<(), RequestError>,
    ) -> Result<(), RequestError> {
        for index in 0..self.len() {
            element(index, self.cell(index, datatype)?)?;
        }
        Ok(())
    }

    /// The element at `index`, which must be below [`len`](Self::len).
    pub(crate) fn cell(self, index: usize, datatype: Datatype) -> Result<Scalar<'a>, RequestError> {
        match self {
            Self::Bools(list) => Ok(Scalar::Bool(list[index])),
            Self::Int32s(list) => integer(index, list[index].into(), datatype),
            Self::Int64s(list) => integer(index, list[index].into(), datatype),
            Self::Uint32s(list) => integer(index, list[index].into(), datatype),
            Self::Uint64s(list) => integer(index, list[index].into(), datatype),
            Self::Floats(list) => Ok(Scalar::Float(list[index].into())),
            Self::Doubles(list) => Ok(Scalar::Float(list[index])),
            Self::Halves(list) => half(index, list[index], datatype),
            Self::Texts(list) => Ok(text(&list[index])),
            Self::Slices(list) => Ok(text(list[index])),
        }
    }
}

fn integer<'a>(index: usize, value: i128, datatype: Datatype) -> Result<Scalar<'a>, RequestError> {
    match datatype.integer_range() {
        Some((least, most)) if !(least..=most).contains(&value) => Err(out_of_range(index, value, datatype)),
        _ => Ok(Scalar::Integer(value)),
    }
}

fn half<'a>(index: usize, bits: i32, datatype: Datatype) -> Result<Scalar<'a>, RequestError> {
    // Some writers extend the sign of the 16 bits.
    let bits = match u16::try_from(bits) {
        Ok(bits) => bits,
        Err(_) => i16::try_from(bits).map_err(|_| out_of_range(index, bits.into(), datatype))? as u16,
    };
    Ok(Scalar::Float(match datatype {
        Datatype::Bf16 => half::bf16::from_bits(bits).to_f64(),
        _ => half::f16::from_bits(bits).to_f64(),
    }))
}

/// The bytes as text, if they are UTF-8.
pub(super) fn text(bytes: &[u8]) -> Scalar<'_> {
    std::str::from_utf8(bytes).map_or(Scalar::Bytes(Cow::Borrowed(bytes)), |text| Scalar::Text(Cow::Borrowed(text)))
}

fn out_of_range(index: usize, value: i128, datatype: Datatype) -> RequestError {
    RequestError::invalid(format!("element {index}: `{value}` is not {}", datatype.name()))
}
