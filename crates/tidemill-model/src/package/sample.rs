//! `sample.json`: rows of real input with the predictions made at training time.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidemill_core::TensorSpec;

use crate::ModelError;

/// The maximum number of recorded rows.
const ROWS_MAX: usize = 32;

/// One row of real input with its prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleRow {
    /// The raw features by name, as a request would send them; null for a missing value.
    pub row: Value,
    /// The learner's prediction at training time: one number, or one per class. A single number is written without a
    /// list.
    #[serde(with = "one_or_several")]
    pub prediction: Vec<f64>,
}

/// The result of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleReport {
    /// Rows that reproduced the recorded prediction.
    pub rows: usize,
}

/// The content of `sample.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sample {
    format: u32,
    pub(super) rows: Vec<SampleRow>,
}

impl Sample {
    pub(super) const FORMAT: u32 = 1;

    /// The rows with the learner's columns over them.
    pub(super) fn new(rows: Vec<Value>, predictions: &[Vec<f64>]) -> Self {
        let recorded = |(at, row)| SampleRow { row, prediction: predictions.iter().map(|column| column[at]).collect() };
        Self { format: Self::FORMAT, rows: rows.into_iter().enumerate().map(recorded).collect() }
    }
}

/// A number, or a list of them.
mod one_or_several {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Numbers {
        One(f64),
        Several(Vec<f64>),
    }

    pub(super) fn serialize<S: Serializer>(numbers: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        match numbers {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Ok(match Numbers::deserialize(deserializer)? {
            Numbers::One(number) => vec![number],
            Numbers::Several(numbers) => numbers,
        })
    }
}

/// The first rows of `batch` that a request could send, as objects of the `inputs`.
pub(super) fn input_rows(batch: &RecordBatch, inputs: &[TensorSpec]) -> Result<Vec<Value>, ModelError> {
    let mut columns = Vec::with_capacity(inputs.len());
    for input in inputs {
        columns.push(batch.column_by_name(&input.name).ok_or_else(|| ModelError::ColumnNotFound {
            feature: input.name.clone(),
            column: input.name.clone(),
            near: None,
        })?);
    }
    let mut rows = Vec::new();
    for row in 0..batch.num_rows() {
        if rows.len() == ROWS_MAX {
            break;
        }
        let mut object = Map::new();
        for (input, column) in inputs.iter().zip(&columns) {
            let value = cell(column, row);
            if value.is_null() && !input.optional {
                break;
            }
            object.insert(input.name.clone(), value);
        }
        if object.len() == inputs.len() {
            rows.push(Value::Object(object));
        }
    }
    Ok(rows)
}

fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        ArrowType::Boolean => column.as_boolean().value(row).into(),
        ArrowType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        ArrowType::Utf8 => column.as_string::<i32>().value(row).into(),
        ArrowType::Binary => json!({ "b64": STANDARD.encode(column.as_binary::<i32>().value(row)) }),
        ArrowType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            Value::Array((0..values.len()).map(|at| cell(&values, at)).collect())
        }
        ArrowType::Float64 => match column.as_primitive::<Float64Type>().value(row) {
            f64::INFINITY => "Infinity".into(),
            f64::NEG_INFINITY => "-Infinity".into(),
            // A NaN is a missing value, and JSON cannot express it otherwise.
            value => value.into(),
        },
        _ => Value::Null,
    }
}
