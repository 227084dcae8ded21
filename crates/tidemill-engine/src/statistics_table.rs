//! Statistics as a table.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use serde_json::{Map, Value};
use tidemill_core::DatasetStatistics;

/// Columns that every row has, first.
const FIRST: [&str; 3] = ["feature", "type", "num_examples"];

/// A row for each feature. Its columns are the plain members of the statistics by their own names (`num_missing`,
/// `mean`, `unique`); what a feature of another type does not have is null. Numbers are
/// floats, counts too, so that a share is a share: `num_zeros / num_non_missing`.
pub(crate) fn statistics_batch(statistics: &DatasetStatistics) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<Map<String, Value>> = statistics
        .features
        .iter()
        .map(|feature| {
            let mut row = Map::new();
            row.insert("feature".to_owned(), feature.name.clone().into());
            let value = serde_json::to_value(feature).unwrap_or_default();
            row.insert("type".to_owned(), value["type"].clone());
            row.insert("num_examples".to_owned(), statistics.num_examples.into());
            for (_, part) in value.as_object().into_iter().flatten() {
                let plain = part.as_object().into_iter().flatten().filter(|(_, member)| is_plain(member));
                row.extend(plain.map(|(name, member)| (name.clone(), member.clone())));
            }
            row
        })
        .collect();
    let mut names: Vec<&str> = FIRST.to_vec();
    for name in rows.iter().flat_map(Map::keys) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let columns: Vec<(Field, ArrayRef)> = names
        .into_iter()
        .map(|name| {
            let values: Vec<&Value> = rows.iter().map(|row| row.get(name).unwrap_or(&Value::Null)).collect();
            let array = column(&values);
            (Field::new(name, array.data_type().clone(), true), array)
        })
        .collect();
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn is_plain(value: &Value) -> bool {
    value.is_number() || value.is_string() || value.is_boolean()
}

fn column(values: &[&Value]) -> ArrayRef {
    let all = |fits: fn(&Value) -> bool| values.iter().all(|value| value.is_null() || fits(value));
    if all(Value::is_boolean) && values.iter().any(|value| value.is_boolean()) {
        Arc::new(values.iter().map(|value| value.as_bool()).collect::<BooleanArray>())
    } else if all(Value::is_number) {
        Arc::new(values.iter().map(|value| value.as_f64()).collect::<Float64Array>())
    } else {
        Arc::new(values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<StringArray>())
    }
}
