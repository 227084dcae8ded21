//! Bytes that may be text: formats that do not tell one from the other.

use arrow::datatypes::DataType;

use crate::column_type::{element_type, list_of};

/// The type with text instead of bytes.
pub(super) fn as_text(data_type: &DataType) -> DataType {
    if element_type(data_type).is_some() { list_of(DataType::Utf8) } else { DataType::Utf8 }
}
