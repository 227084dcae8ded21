//! An expression ready to run.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::DataType as ArrowType;

use super::check::{Type, Typed};
use super::error::ExpressionError;
use super::eval::{self, Rows};

/// An expression resolved against a schema.
#[derive(Debug, Clone)]
pub struct BoundExpression {
    root: Arc<Typed>,
    text: Arc<str>,
}

impl BoundExpression {
    pub(super) fn new(root: Typed, text: Arc<str>) -> Self {
        Self { root: Arc::new(root), text }
    }

    /// The type of its values; `Null` for an expression that is always null.
    pub fn datatype(&self) -> ArrowType {
        match self.root.datatype {
            Type::Null => ArrowType::Null,
            Type::Bool => ArrowType::Boolean,
            Type::Int => ArrowType::Int64,
            Type::Float => ArrowType::Float64,
            Type::Text => ArrowType::Utf8,
        }
    }

    /// Returns the value of every row of a batch of the bound schema. No value is NaN.
    ///
    /// The only error is a batch of another schema.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef, ExpressionError> {
        eval::evaluate(&self.root, Rows { batch, columns: None })
            .map(eval::Values::into_array)
            .ok_or_else(|| self.error("the batch has other columns than the expression was bound to"))
    }

    /// As [`evaluate`](Self::evaluate), with the batch's column for each column of the bound schema. `None`: a column
    /// has another type.
    pub fn evaluate_over(&self, batch: &RecordBatch, columns: &[usize]) -> Option<ArrayRef> {
        eval::evaluate(&self.root, Rows { batch, columns: Some(columns) }).map(eval::Values::into_array)
    }

    /// The checked expression.
    pub fn root(&self) -> &Typed {
        &self.root
    }

    /// An error about the expression as a whole.
    pub fn error(&self, message: &str) -> ExpressionError {
        ExpressionError::new(message, &self.text, 0..self.text.len())
    }
}
