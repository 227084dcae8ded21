//! The values of the columns that a label is made of, for messages.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType as ArrowType, Int64Type};

use crate::config::TransformConfig;
use crate::error::TransformError;
use crate::rows::SplitSource;

/// Different values of a column that are counted; more say nothing.
const DISTINCT_MAX: usize = 1000;
/// Values that are shown of a column.
const SHOWN: usize = 8;

/// The same error; if a label never varies, with the values of its columns.
pub(crate) fn with_values(error: TransformError, config: &TransformConfig, rows: &dyn SplitSource) -> TransformError {
    match error {
        TransformError::LabelConstant { label, split, value, rows: count, .. } => {
            let values = values(config, rows, &split).unwrap_or_default();
            TransformError::LabelConstant { label, split, value, rows: count, values }
        }
        other => other,
    }
}

/// By column with few values: how often each occurs, in words.
fn values(config: &TransformConfig, rows: &dyn SplitSource, split: &str) -> Result<Vec<String>, TransformError> {
    let columns = config.label.parse()?.columns();
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut counts: Vec<BTreeMap<String, u64>> = columns.iter().map(|_| BTreeMap::new()).collect();
    for batch in rows.read(split, &names)? {
        let batch = batch?;
        for (name, counts) in names.iter().zip(&mut counts) {
            let Some(column) = batch.column_by_name(name) else { continue };
            for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
                if counts.len() > DISTINCT_MAX {
                    break;
                }
                let value = match column.data_type() {
                    ArrowType::Utf8 => format!("'{}'", column.as_string::<i32>().value(row)),
                    ArrowType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
                    ArrowType::Boolean => column.as_boolean().value(row).to_string(),
                    _ => break,
                };
                *counts.entry(value).or_default() += 1;
            }
        }
    }
    let shown = |(name, counts): (&&str, BTreeMap<String, u64>)| {
        if counts.is_empty() || counts.len() > DISTINCT_MAX {
            return None;
        }
        let mut values: Vec<(String, u64)> = counts.into_iter().collect();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let more = values.len().saturating_sub(SHOWN);
        let listed: Vec<String> =
            values.iter().take(SHOWN).map(|(value, count)| format!("{value} ({count})")).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(format!("column `{name}` has {}{more}", listed.join(", ")))
    };
    Ok(names.iter().zip(counts).filter_map(shown).collect())
}
