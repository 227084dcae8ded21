//! Batches of values that code could get wrong, of the columns that a model or a graph takes.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{Field, Schema};
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::arrow_type;

const REAL: [f64; 8] = [0.0, -0.0, 1.5, -1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 253_402_300_800.0];
const WHOLE: [i64; 6] = [0, 1, -1, i64::MAX, i64::MIN, 1_709_209_805];
const TEXT: [&str; 6] = ["", " ", "Cash", "ſ\u{130}Σ", "2024-02-29T12:30:05+01:00", "a,b , a"];

/// `rows` rows, every seventh value missing.
pub fn batch(inputs: &[TensorSpec], rows: usize) -> Option<RecordBatch> {
    let column = |(at, spec): (usize, &TensorSpec)| -> ArrayRef {
        let cell = |row: usize| ((row + at) % 7 < 6).then_some(row / 7 + row + at);
        match spec.datatype {
            DataType::Fp64 => Arc::new((0..rows).map(|row| cell(row).map(|at| REAL[at % 8])).collect::<Float64Array>()),
            DataType::Int64 => Arc::new((0..rows).map(|row| cell(row).map(|at| WHOLE[at % 6])).collect::<Int64Array>()),
            DataType::Bool => Arc::new((0..rows).map(|row| cell(row).map(|at| at % 2 == 0)).collect::<BooleanArray>()),
            DataType::Bytes => Arc::new((0..rows).map(|row| cell(row).map(|at| TEXT[at % 6])).collect::<StringArray>()),
        }
    };
    let field = |spec: &TensorSpec| Field::new(&spec.name, arrow_type(spec.datatype), true);
    let schema = Schema::new(inputs.iter().map(field).collect::<Vec<_>>());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(schema), inputs.iter().enumerate().map(column).collect(), &options).ok()
}
