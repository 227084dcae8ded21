//! The elements of a tensor as sent, in typed lists or in binary.

use super::{ColumnWriter, Datatype, Scalar, TypedSlice, binary};
use crate::inference::request_error::RequestError;

/// The elements of a tensor as sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Elements<'a> {
    List(TypedSlice<'a>),
    /// Little-endian numbers, or texts with their length before them.
    Binary(&'a [u8]),
}

/// Real numbers in the form they were sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Floats<'a> {
    Doubles(&'a [f64]),
    Singles(&'a [f32]),
    DoubleBytes(&'a [[u8; 8]]),
    SingleBytes(&'a [[u8; 4]]),
}

impl Elements<'_> {
    /// Passes the elements on as values of `datatype`. Binary data must have exactly `expected` elements; a list has
    /// its own length.
    pub(crate) fn put(
        self,
        datatype: Datatype,
        expected: usize,
        place: &mut ColumnWriter<'_>,
    ) -> Result<(), RequestError> {
        match self {
            Self::List(_) => {}
            Self::Binary(bytes) => binary::check_size(bytes, datatype, expected)?,
        }
        if self.floats(datatype).is_some_and(|floats| place.push_floats(floats)) {
            return Ok(());
        }
        match self {
            Self::List(list) => list.elements(datatype, |at, cell| place.push(at, &cell)),
            Self::Binary(bytes) => binary::elements(bytes, datatype, expected, |at, cell| place.push(at, &cell)),
        }
    }
}

impl<'a> Elements<'a> {
    /// Passes on each element as a value of `datatype`; see [`put`](Self::put).
    pub(crate) fn each(
        self,
        datatype: Datatype,
        expected: usize,
        element: impl FnMut(usize, Scalar<'_>) -> Result<(), RequestError>,
    ) -> Result<(), RequestError> {
        match self {
            Self::List(list) => list.elements(datatype, element),
            Self::Binary(bytes) => {
                binary::check_size(bytes, datatype, expected)?;
                binary::elements(bytes, datatype, expected, element)
            }
        }
    }

    fn floats(self, datatype: Datatype) -> Option<Floats<'a>> {
        Some(match (self, datatype) {
            (Self::List(TypedSlice::Doubles(list)), Datatype::Fp64) => Floats::Doubles(list),
            (Self::List(TypedSlice::Floats(list)), Datatype::Fp32) => Floats::Singles(list),
            (Self::Binary(bytes), Datatype::Fp64) => Floats::DoubleBytes(bytes.as_chunks().0),
            (Self::Binary(bytes), Datatype::Fp32) => Floats::SingleBytes(bytes.as_chunks().0),
            _ => return None,
        })
    }
}

impl Floats<'_> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Doubles(list) => list.len(),
            Self::Singles(list) => list.len(),
            Self::DoubleBytes(list) => list.len(),
            Self::SingleBytes(list) => list.len(),
        }
    }

    /// The number at a position that must be below [`len`](Self::len).
    pub(super) fn at(self, at: usize) -> f64 {
        match self {
            Self::Doubles(list) => list[at],
            Self::Singles(list) => list[at].into(),
            Self::DoubleBytes(list) => f64::from_le_bytes(list[at]),
            Self::SingleBytes(list) => f32::from_le_bytes(list[at]).into(),
        }
    }
}
