//! A row expression as a model: rules that need no training.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use tidemill_model::BoundExpression;

use super::call::{Answer, Outcome};
use super::rows::{internal, named};
use crate::inference::request_error::RequestError;

/// The name of its output.
pub(super) const OUTPUT: &str = "value";

/// An expression over the inputs of the endpoint, and in a sequence over the answers before it.
#[derive(Debug)]
pub(super) struct ExpressionModel {
    endpoint: SchemaRef,
    bound: BoundExpression,
    /// The columns that it was bound to: those of the endpoint first.
    columns: SchemaRef,
    /// The type of its output.
    datatype: DataType,
}

impl ExpressionModel {
    /// `columns` begins with those of `endpoint`.
    pub(super) fn new(endpoint: &SchemaRef, columns: &SchemaRef, bound: BoundExpression, datatype: DataType) -> Self {
        Self { endpoint: Arc::clone(endpoint), columns: Arc::clone(columns), bound, datatype }
    }

    /// The value for every row. What is missing is NaN: an output is never null.
    pub(super) fn evaluate(&self, batch: &RecordBatch, trail: &Arc<str>) -> Outcome {
        let values = self.values(batch)?;
        let values: ArrayRef = cast(&values, &self.datatype).map_err(internal)?;
        let values = match values.as_primitive_opt::<Float64Type>() {
            Some(numbers) if numbers.null_count() > 0 => {
                Arc::new(numbers.iter().map(|value| value.unwrap_or(f64::NAN)).collect::<Float64Array>())
            }
            _ => values,
        };
        let predictions = named(&[OUTPUT.to_owned()], vec![values], batch.num_rows())?;
        Ok(Answer { predictions, version: None, trail: Arc::clone(trail) })
    }

    fn values(&self, batch: &RecordBatch) -> Result<ArrayRef, RequestError> {
        if Arc::ptr_eq(batch.schema_ref(), &self.endpoint) {
            return self.bound.evaluate(batch).map_err(internal);
        }
        // Columns that the rows lack are not used by the expression: a place beyond the last stands for them.
        let place = |name: &str| batch.schema_ref().index_of(name).unwrap_or(usize::MAX);
        let places: Vec<usize> = self.columns.fields().iter().map(|field| place(field.name())).collect();
        let wrong = || RequestError::internal("the rows have other columns than the expression");
        self.bound.evaluate_over(batch, &places).ok_or_else(wrong)
    }
}
