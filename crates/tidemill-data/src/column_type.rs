//! What a column of examples can hold.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

/// The type of a column that holds a list of `element` in every row; an element may be missing.
///
/// ```
/// use arrow::datatypes::DataType;
/// use tidemill_data::{element_type, list_of};
///
/// assert_eq!(element_type(&list_of(DataType::Int64)), Some(&DataType::Int64));
/// assert_eq!(element_type(&DataType::Int64), None);
/// ```
pub fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// What the lists of a column hold; `None` for a column that is no list.
pub fn element_type(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(element) => Some(element.data_type()),
        _ => None,
    }
}

/// Whether a column of examples can be of this type: `Int64`, `Float64`, `Utf8`, `Boolean`, a list of one of these, or
/// `Binary`.
pub fn is_column_type(data_type: &DataType) -> bool {
    let is_value = |data_type: &DataType| {
        matches!(data_type, DataType::Int64 | DataType::Float64 | DataType::Utf8 | DataType::Boolean)
    };
    match data_type {
        DataType::Binary => true,
        DataType::List(element) => is_value(element.data_type()) && *data_type == list_of(element.data_type().clone()),
        other => is_value(other),
    }
}
