//! Bytes that may be text: formats that do not tell one from the other.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::convert::convert;
use crate::column_type::{element_type, list_of};

/// Whether a column of this type holds bytes, alone or in lists.
pub(super) fn holds_bytes(data_type: &DataType) -> bool {
    *element_type(data_type).unwrap_or(data_type) == DataType::Binary
}

/// The type with text instead of bytes.
pub(super) fn as_text(data_type: &DataType) -> DataType {
    if element_type(data_type).is_some() { list_of(DataType::Utf8) } else { DataType::Utf8 }
}

/// Whether all values of a column of bytes, as it is in the file, are UTF-8.
pub(super) fn is_all_text(array: &ArrayRef) -> bool {
    let is_list = !matches!(
        array.data_type(),
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
            | DataType::Dictionary(..)
    );
    convert(array, &if is_list { list_of(DataType::Utf8) } else { DataType::Utf8 }).is_ok()
}
