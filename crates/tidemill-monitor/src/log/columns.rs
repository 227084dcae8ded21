//! Rows of several files as one table.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::MonitorError;

/// The rows of a file, and those of its columns that have no value, whose type therefore says nothing.
pub(super) struct Rows {
    pub batch: RecordBatch,
    pub valueless: Vec<String>,
}

/// All rows under the columns of all, in the order in which they first occur. A column of whole numbers in one file and
/// of numbers in another is of numbers; other differences make it text.
pub(super) fn together(parts: &[Rows]) -> Result<RecordBatch, MonitorError> {
    let mut fields: Vec<(String, Option<DataType>)> = Vec::new();
    for part in parts {
        for field in part.batch.schema().fields() {
            let own = (!part.valueless.contains(field.name())).then(|| field.data_type().clone());
            match fields.iter_mut().find(|(name, _)| name == field.name()) {
                Some((_, known)) => *known = wider(known.take(), own),
                None => fields.push((field.name().clone(), own)),
            }
        }
    }
    let field = |(name, of): (String, Option<DataType>)| Field::new(name, of.unwrap_or(DataType::Int64), true);
    let schema: SchemaRef = Arc::new(Schema::new(fields.into_iter().map(field).collect::<Vec<_>>()));
    let internal = |error: arrow::error::ArrowError| MonitorError::log(format!("rows cannot be joined: {error}"));
    let aligned = parts.iter().map(|part| {
        let column = |field: &Arc<Field>| -> Result<ArrayRef, MonitorError> {
            let rows = part.batch.num_rows();
            match part.batch.column_by_name(field.name()) {
                Some(_) if part.valueless.contains(field.name()) => Ok(new_null_array(field.data_type(), rows)),
                Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
                Some(column) => cast(column, field.data_type()).map_err(internal),
                None => Ok(new_null_array(field.data_type(), rows)),
            }
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::clone(&schema), columns).map_err(internal)
    });
    let aligned = aligned.collect::<Result<Vec<_>, _>>()?;
    concat_batches(&schema, &aligned).map_err(internal)
}

fn wider(a: Option<DataType>, b: Option<DataType>) -> Option<DataType> {
    let Some(a) = a else { return b };
    Some(match (a, b) {
        (a, None) => a,
        (a, Some(b)) if a == b => a,
        (DataType::Int64, Some(DataType::Float64)) | (DataType::Float64, Some(DataType::Int64)) => DataType::Float64,
        _ => DataType::Utf8,
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn columns_of_several_files_become_one_type_that_holds_all() {
        let part = |columns: Vec<(&str, ArrayRef)>, valueless: &[&str]| Rows {
            batch: RecordBatch::try_from_iter(columns).unwrap(),
            valueless: valueless.iter().map(|&name| name.to_owned()).collect(),
        };
        let whole = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let all = together(&[
            part(vec![("fare", whole(vec![Some(3)])), ("gone", whole(vec![None]))], &["gone"]),
            part(
                vec![
                    ("fare", Arc::new(Float64Array::from(vec![1.5]))),
                    ("gone", Arc::new(StringArray::from(vec!["x"]))),
                ],
                &[],
            ),
        ])
        .unwrap();
        assert_eq!(*all.schema().field(0).data_type(), DataType::Float64);
        assert_eq!(*all.schema().field(1).data_type(), DataType::Utf8);
        assert_eq!((all.num_rows(), all.column(1).null_count()), (2, 1));
    }
}
