//! Decodes raw columns into columns of `f64`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};

use super::table::CodeTable;

/// Numbers without conversion, NaN for missing ones. Returns `false` if the column has another type.
pub(super) fn load_numbers(column: &ArrayRef, out: &mut [f64]) -> bool {
    match column.data_type() {
        ArrowType::Float64 => {
            let array = column.as_primitive::<Float64Type>();
            out.copy_from_slice(array.values());
            clear_nulls(column, out);
        }
        ArrowType::Int64 => {
            let array = column.as_primitive::<Int64Type>();
            for (out, value) in out.iter_mut().zip(array.values()) {
                *out = *value as f64;
            }
            clear_nulls(column, out);
        }
        ArrowType::Boolean => {
            let array = column.as_boolean();
            for (row, out) in out.iter_mut().enumerate() {
                *out = f64::from(u8::from(array.value(row)));
            }
            clear_nulls(column, out);
        }
        ArrowType::Null => out.fill(f64::NAN),
        _ => return false,
    }
    true
}

fn clear_nulls(column: &ArrayRef, out: &mut [f64]) {
    if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
        for (row, out) in out.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *out = f64::NAN;
            }
        }
    }
}

/// Applies `code` to the whole number of each row; `missing` if there is none. Returns `false` if the column has
/// another type.
pub(super) fn load_integers(column: &ArrayRef, missing: f64, out: &mut [f64], code: impl Fn(i64) -> f64) -> bool {
    match column.data_type() {
        ArrowType::Int64 => {
            let array = column.as_primitive::<Int64Type>();
            for (row, out) in out.iter_mut().enumerate() {
                *out = if array.is_null(row) { missing } else { code(array.value(row)) };
            }
        }
        ArrowType::Null => out.fill(missing),
        _ => return false,
    }
    true
}

/// The code of each row's key. `None` if the column has another type than the table's keys.
pub(super) fn codes_of<'a>(column: &'a ArrayRef, table: &'a CodeTable) -> Option<Box<dyn Fn(usize) -> f64 + 'a>> {
    match column.data_type() {
        ArrowType::Utf8 if table.holds_text() => {
            let array = column.as_string::<i32>();
            Some(Box::new(move |row| if array.is_null(row) { f64::NAN } else { table.text(array.value(row)) }))
        }
        ArrowType::Int64 if !table.holds_text() => {
            let array = column.as_primitive::<Int64Type>();
            Some(Box::new(move |row| if array.is_null(row) { f64::NAN } else { table.integer(array.value(row)) }))
        }
        ArrowType::Null => Some(Box::new(|_| f64::NAN)),
        _ => None,
    }
}
