//! What a column of examples can hold.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use tidemill_core::FeatureType;

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

/// The type of a column whose values have this type.
pub const fn data_type_of(feature_type: FeatureType) -> DataType {
    match feature_type {
        FeatureType::Int => DataType::Int64,
        FeatureType::Float => DataType::Float64,
        FeatureType::String => DataType::Utf8,
        FeatureType::Bool => DataType::Boolean,
        FeatureType::Bytes => DataType::Binary,
    }
}

/// A column and the type that it is read as, written as `zip=string`.
pub fn parse_column_type(text: &str) -> Result<(String, FeatureType), String> {
    const TYPES: [FeatureType; 4] = [FeatureType::Int, FeatureType::Float, FeatureType::String, FeatureType::Bool];
    let (column, name) = text
        .rsplit_once('=')
        .filter(|(column, _)| !column.is_empty())
        .ok_or_else(|| format!("`{text}` is not a column and its type (example: `zip=string`)"))?;
    match TYPES.into_iter().find(|known| known.name() == name) {
        Some(found) => Ok((column.to_owned(), found)),
        None => Err(format!("`{name}` is not a type: `int`, `float`, `string` and `bool` are")),
    }
}
