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

    /// The value of every row of a batch of the schema it was bound to. No value of it is NaN.
    ///
    /// Only a batch of another schema is an error.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef, ExpressionError> {
        eval::evaluate(&self.root, Rows { batch, columns: None })
            .map(eval::Values::into_array)
            .ok_or_else(|| self.unsuitable("the batch has other columns than the expression was bound to"))
    }

    /// As [`evaluate`](Self::evaluate), with the batch's column for each of the schema bound: `None` for another type.
    pub fn evaluate_over(&self, batch: &RecordBatch, columns: &[usize]) -> Option<ArrayRef> {
        eval::evaluate(&self.root, Rows { batch, columns: Some(columns) }).map(eval::Values::into_array)
    }

    /// The expression as it was checked.
    pub fn root(&self) -> &Typed {
        &self.root
    }

    /// An error about the expression as a whole.
    pub fn unsuitable(&self, message: &str) -> ExpressionError {
        ExpressionError::new(message, &self.text, 0..self.text.len())
    }
}
