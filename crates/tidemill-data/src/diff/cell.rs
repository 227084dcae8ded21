//! Cells as bytes, for rows that wait on disk, and how two of them are compared.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::DataError;

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    Missing,
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
}

impl<'a> Cell<'a> {
    /// Whether two cells hold the same; numbers by `tolerance`, whatever their types. NaN is the same as NaN.
    pub(super) fn same(self, other: Self, tolerance: f64) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) if tolerance == 0.0 => a == b,
            // As floats, whole numbers beyond 2^53 would be equal to their neighbours.
            (Self::Int(int), Self::Float(float)) | (Self::Float(float), Self::Int(int)) if tolerance == 0.0 => {
                float as i128 == i128::from(int) && float.fract() == 0.0
            }
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => {
                let (a, b) = (self.number(), other.number());
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * 1f64.max(a.abs()).max(b.abs())
            }
            (Self::Missing, Self::Missing) => true,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Missing, _) | (_, Self::Missing) => false,
            // One file says 7, the other "7".
            (Self::Text(text), other) | (other, Self::Text(text)) => other.to_string() == text,
            _ => false,
        }
    }

    fn number(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
            _ => f64::NAN,
        }
    }

    /// By how much two numbers differ.
    pub(super) fn difference(self, other: Self) -> Option<f64> {
        if let (Self::Int(a), Self::Int(b)) = (self, other) {
            return Some(a.abs_diff(b) as f64);
        }
        Some((self.number() - other.number()).abs()).filter(|difference| difference.is_finite())
    }

    /// The value for a person, cut after 1,000 characters; `None` where it is missing.
    pub(super) fn shown(self) -> Option<String> {
        const CHARS_MAX: usize = 1000;
        (self != Self::Missing).then(|| {
            let text = self.to_string();
            match text.char_indices().nth(CHARS_MAX) {
                Some((at, _)) => format!("{}…", &text[..at]),
                None => text,
            }
        })
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Missing => out.push(0),
            Self::Int(number) => {
                out.push(1);
                out.extend(number.to_le_bytes());
            }
            Self::Float(number) => {
                out.push(2);
                out.extend(number.to_le_bytes());
            }
            Self::Bool(value) => out.extend([3, u8::from(value)]),
            Self::Text(text) => {
                out.push(4);
                out.extend((text.len() as u64).to_le_bytes());
                out.extend(text.as_bytes());
            }
        }
    }

    /// The cell at the start of `bytes`, which is moved on behind it; `None` if what [`write`](Self::write) wrote was damaged.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Option<Self> {
        let tag = take(bytes, 1)?[0];
        let mut eight = || take(bytes, 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok());
        Some(match tag {
            0 => Self::Missing,
            1 => Self::Int(i64::from_le_bytes(eight()?)),
            2 => Self::Float(f64::from_le_bytes(eight()?)),
            3 => Self::Bool(take(bytes, 1)?[0] == 1),
            _ => {
                let length = usize::try_from(u64::from_le_bytes(eight()?)).ok()?;
                Self::Text(std::str::from_utf8(take(bytes, length)?).ok()?)
            }
        })
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => Ok(()),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The first `length` of `bytes`, which are moved on behind them.
pub(super) fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head)
}

/// Cells of one column of a batch.
pub(super) enum Cells<'a> {
    Plain(&'a ArrayRef),
    /// Types without a cell of their own, as text.
    Shown(&'a ArrayRef, ArrayFormatter<'a>),
}

impl<'a> Cells<'a> {
    pub(super) fn of(array: &'a ArrayRef, options: &'a FormatOptions<'a>) -> Result<Self, DataError> {
        Ok(match array.data_type() {
            DataType::Int64 | DataType::Float64 | DataType::Boolean | DataType::Utf8 => Self::Plain(array),
            _ => Self::Shown(array, ArrayFormatter::try_new(array.as_ref(), options)?),
        })
    }

    /// Writes the cell of `row`.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        let array = match self {
            Self::Plain(array) | Self::Shown(array, _) => array,
        };
        if array.is_null(row) {
            return Cell::Missing.write(out);
        }
        if let Self::Shown(_, formatter) = self {
            return Cell::Text(&formatter.value(row).to_string()).write(out);
        }
        match array.data_type() {
            DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
            DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
            DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
            _ => Cell::Text(array.as_string::<i32>().value(row)),
        }
        .write(out);
    }

    /// Writes the cell of `row` as part of a key: a number without a fraction is the same key whatever its type, and so is text that
    /// reads like it.
    pub(super) fn write_key(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Plain(array) if *array.data_type() == DataType::Utf8 => self.write(row, out),
            Self::Plain(array) if *array.data_type() == DataType::Float64 => {
                let number = array.as_primitive::<Float64Type>().value(row);
                // Minus zero is zero.
                Cell::Text(&(number + 0.0).to_string()).write(out);
            }
            Self::Plain(array) if *array.data_type() == DataType::Int64 => {
                Cell::Text(&array.as_primitive::<Int64Type>().value(row).to_string()).write(out);
            }
            Self::Plain(array) if *array.data_type() == DataType::Boolean => {
                Cell::Text(&array.as_boolean().value(row).to_string()).write(out);
            }
            _ => self.write(row, out),
        }
    }

    /// Whether the cell of `row` is missing.
    pub(super) fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Plain(array) | Self::Shown(array, _) => array.is_null(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_survive_bytes_and_damage_is_noticed() {
        let cells =
            [Cell::Missing, Cell::Int(-7), Cell::Float(0.1), Cell::Bool(true), Cell::Text("säge"), Cell::Text("")];
        let mut bytes = Vec::new();
        for cell in cells {
            cell.write(&mut bytes);
        }
        let mut rest = bytes.as_slice();
        for cell in cells {
            assert_eq!(Cell::read(&mut rest), Some(cell));
        }
        assert_eq!(Cell::read(&mut rest), None);
        for end in 0..bytes.len() {
            let mut rest = &bytes[..end];
            while Cell::read(&mut rest).is_some() {}
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let (int, float) = (Cell::Int(3), Cell::Float(3.0));
        assert!(int.same(float, 0.0) && float.same(Cell::Float(3.0 + 1e-10), 1e-9));
        assert!(!float.same(Cell::Float(3.1), 1e-9) && !Cell::Int(i64::MAX).same(Cell::Int(i64::MAX - 1), 0.0));
        let (exact, rounded) = (Cell::Int(9_007_199_254_740_993), Cell::Float(9_007_199_254_740_992.0));
        assert!(!exact.same(rounded, 0.0) && exact.same(rounded, 1e-9));
        assert_eq!(exact.difference(Cell::Int(9_007_199_254_740_992)), Some(1.0));
        assert!(Cell::Float(f64::NAN).same(Cell::Float(f64::NAN), 0.0));
        assert!(Cell::Float(f64::INFINITY).same(Cell::Float(f64::INFINITY), 1e-9));
        assert!(Cell::Text("7").same(Cell::Int(7), 0.0) && !Cell::Text("").same(Cell::Missing, 0.0));
    }
}
