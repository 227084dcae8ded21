//! Columns of predictions, for the encoders.

use arrow::array::{Array, AsArray as _, BooleanArray, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use crate::inference::request_error::RequestError;

/// A column of predictions. Outputs have no missing values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Output<'a> {
    Floats(&'a [f64]),
    Integers(&'a [i64]),
    Booleans(&'a BooleanArray),
    Texts(&'a StringArray),
}

impl<'a> Output<'a> {
    /// Reads a column of one of the four types of the model's signature; for lists, all their elements in order.
    pub(crate) fn of(column: &'a dyn Array) -> Result<Self, RequestError> {
        match column.data_type() {
            DataType::FixedSizeList(..) => Self::of(column.as_fixed_size_list().values()),
            DataType::Float64 => Ok(Self::Floats(column.as_primitive::<Float64Type>().values())),
            DataType::Int64 => Ok(Self::Integers(column.as_primitive::<Int64Type>().values())),
            DataType::Boolean => Ok(Self::Booleans(column.as_boolean())),
            DataType::Utf8 => Ok(Self::Texts(column.as_string::<i32>())),
            other => Err(RequestError::internal(format!("an output of type {other} cannot be written"))),
        }
    }

    /// The numbers, if they are floating-point numbers.
    pub(crate) fn floats(self) -> Result<&'a [f64], RequestError> {
        match self {
            Self::Floats(values) => Ok(values),
            _ => Err(RequestError::internal("the model gives no probability and no value")),
        }
    }

    /// Appends the elements in binary: little-endian numbers, texts with their length before them.
    pub(crate) fn write_binary(self, out: &mut Vec<u8>) -> Result<(), RequestError> {
        match self {
            Self::Floats(values) => values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes())),
            Self::Integers(values) => values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes())),
            Self::Booleans(values) => out.extend(values.values().iter().map(u8::from)),
            Self::Texts(values) => {
                for text in values {
                    let text = text.unwrap_or_default();
                    let length = u32::try_from(text.len()).map_err(|_| RequestError::internal("a text is too long"))?;
                    out.extend_from_slice(&length.to_le_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
            }
        }
        Ok(())
    }
}

/// How many values a row of an output has, if it is a list of them.
pub(crate) fn row_width(column: &dyn Array) -> Option<usize> {
    match column.data_type() {
        DataType::FixedSizeList(_, width) => usize::try_from(*width).ok(),
        _ => None,
    }
}
