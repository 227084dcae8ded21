//! The values of a label, and of a categorical column, as text.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

/// Whether a column can be told apart by its values: text, whole numbers, true and false.
pub(crate) fn is_categorical(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Boolean | DataType::Int64)
}

/// The value of a row as text; `None` where it is missing.
pub(crate) fn value(array: &ArrayRef, row: usize) -> Option<std::borrow::Cow<'_, str>> {
    if array.is_null(row) {
        return None;
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        return Some(texts.value(row).into());
    }
    if let Some(ints) = array.as_primitive_opt::<Int64Type>() {
        return Some(ints.value(row).to_string().into());
    }
    if let Some(floats) = array.as_primitive_opt::<Float64Type>() {
        return Some(floats.value(row).to_string().into());
    }
    array.as_boolean_opt().map(|flags| if flags.value(row) { "true" } else { "false" }.into())
}

/// The number of a row; `None` where it is missing or NaN.
pub(crate) fn number(array: &ArrayRef, row: usize) -> Option<f64> {
    if array.is_null(row) {
        return None;
    }
    let float = array.as_primitive_opt::<Float64Type>().map(|floats| floats.value(row));
    float.or_else(|| array.as_primitive_opt::<Int64Type>().map(|ints| ints.value(row) as f64)).filter(|x| !x.is_nan())
}
