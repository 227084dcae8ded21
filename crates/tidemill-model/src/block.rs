//! The output of a transform graph and the input of a learner.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

/// Rows of features after the transform, one column each: `f64`, `NaN` for a missing value.
#[derive(Debug, Clone, Default)]
pub struct FeatureBlock {
    /// The number of rows in every column.
    pub rows: usize,
    /// One column per feature, in the order of [`TransformGraph::features`](crate::TransformGraph::features).
    pub columns: Vec<Vec<f64>>,
}

impl FeatureBlock {
    /// A block with no rows and no columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Resizes to `columns` columns of `rows` values, reusing the allocated memory.
    ///
    /// The values are unspecified until written.
    pub fn reset(&mut self, rows: usize, columns: usize) {
        self.rows = rows;
        self.columns.resize_with(columns, Vec::new);
        for column in &mut self.columns {
            column.resize(rows, f64::NAN);
        }
    }
}

impl FeatureBlock {
    /// The rows as a batch of `schema`, which [`feature_schema`] returned; the block is empty afterwards.
    ///
    /// Codes are whole numbers; a missing value is null.
    pub fn take_batch(&mut self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let array = |(column, field): (Vec<f64>, &Arc<Field>)| -> ArrayRef {
            let nulls = column.iter().any(|value| value.is_nan()).then(|| {
                let valid: Vec<bool> = column.iter().map(|value| !value.is_nan()).collect();
                NullBuffer::from(valid)
            });
            match field.data_type() {
                // A NaN turns into 0, which the null buffer hides.
                ArrowType::Int64 => {
                    let codes: Vec<i64> = column.iter().map(|value| *value as i64).collect();
                    Arc::new(Int64Array::new(codes.into(), nulls))
                }
                _ => Arc::new(Float64Array::new(column.into(), nulls)),
            }
        };
        let columns = std::mem::take(&mut self.columns).into_iter().zip(schema.fields()).map(array).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    }
}

/// Features as columns of a table: codes are whole numbers, all others real ones.
pub fn feature_schema(features: &[FeatureSpec]) -> SchemaRef {
    let field = |spec: &FeatureSpec| {
        let datatype = match spec.kind {
            FeatureKind::Numeric => ArrowType::Float64,
            FeatureKind::Categorical { .. } => ArrowType::Int64,
        };
        Field::new(&spec.name, datatype, true)
    };
    Arc::new(Schema::new(features.iter().map(field).collect::<Vec<_>>()))
}

/// How a learner may interpret a feature's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// A quantity: order and distance are meaningful.
    Numeric,
    /// A code from 0 to `cardinality` − 1 without order. `cardinality` is at least 1.
    Categorical {
        /// The number of codes.
        cardinality: u32,
    },
}

/// One feature after the transform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// The feature's name in the pipeline file.
    pub name: String,
    /// How to interpret its numbers.
    pub kind: FeatureKind,
}
