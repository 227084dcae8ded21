//! One element of a tensor, before conversion to the type of its column.

use std::borrow::Cow;

use tidemill_core::{DataType, RowShape};
use tidemill_model::InputColumn;

/// Integers up to this magnitude are floating-point numbers without loss.
const INTEGER_EXACT_MAX: i128 = 1 << 53;

/// An element as sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    Missing,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Cow<'a, str>),
    /// Bytes that are not UTF-8 text.
    Bytes(Cow<'a, [u8]>),
}

impl Scalar<'_> {
    /// Pushes the element on `column` if the conversion keeps its value; otherwise the error says why not.
    pub(crate) fn push(&self, column: &mut InputColumn<'_>) -> Result<(), String> {
        let datatype = column.spec().datatype;
        let pushed = match (self, datatype) {
            (Self::Missing, _) if !column.spec().optional && !column.is_list() => {
                return Err(format!("null is given, but the input is required ({datatype})"));
            }
            (Self::Missing, _) => column.push_null(),
            (Self::Bool(value), DataType::Bool) => column.push_bool(*value),
            (Self::Integer(value), DataType::Int64) => match i64::try_from(*value) {
                Ok(value) => column.push_int(value),
                Err(_) => return Err(lossy(value, datatype)),
            },
            (Self::Integer(value), DataType::Fp64) if value.abs() <= INTEGER_EXACT_MAX => {
                column.push_float(*value as f64)
            }
            (Self::Float(value), DataType::Fp64) => column.push_float(*value),
            (Self::Bytes(value), DataType::Bytes) if column.spec().form == RowShape::Binary => column.push_bytes(value),
            (Self::Bytes(_), DataType::Bytes) => return Err("it is not UTF-8".to_owned()),
            // NaN is the only way to send a missing integer in a floating-point tensor.
            (Self::Float(value), DataType::Int64) if value.is_nan() && (column.spec().optional || column.is_list()) => {
                column.push_null()
            }
            (Self::Float(value), DataType::Int64) => match exact_integer(*value) {
                Some(value) => column.push_int(value),
                None => return Err(lossy(value, datatype)),
            },
            (Self::Text(value), DataType::Bytes) => column.push_str(value),
            (Self::Integer(value), DataType::Fp64) => return Err(lossy(value, datatype)),
            (other, _) => return Err(format!("{} cannot be {datatype}", other.kind())),
        };
        pushed.map_err(|error| error.to_string())
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "null",
            Self::Bool(_) => "BOOL",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a floating-point number",
            Self::Text(_) | Self::Bytes(_) => "BYTES",
        }
    }
}

fn lossy(value: &dyn std::fmt::Display, datatype: DataType) -> String {
    format!("{value} cannot be {datatype} without loss")
}

fn exact_integer(value: f64) -> Option<i64> {
    // Both bounds are powers of two, so they are exact; the upper one is the first integer that does not fit.
    let fits = value.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    fits.then_some(value as i64)
}
