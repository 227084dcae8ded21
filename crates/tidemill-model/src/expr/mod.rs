//! Row expressions: a small typed language with SQL's syntax and null semantics.

use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use tidemill_core::{Code, Coded};

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    message: String,
    span: Range<usize>,
    hint: Option<String>,
}

impl Coded for ExpressionError {
    fn code(&self) -> Code {
        Code::Expression
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// A parsed expression.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
}

impl Expression {
    /// Parses.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        Ok(Self { text: text.to_owned() })
    }

    /// Columns used.
    pub fn columns(&self) -> Vec<String> {
        Vec::new()
    }

    /// Binds.
    pub fn bind(&self, _schema: &Schema) -> Result<BoundExpression, ExpressionError> {
        Err(ExpressionError { message: self.text.clone(), span: 0..0, hint: None })
    }
}

/// An expression resolved against a schema.
#[derive(Debug, Clone)]
pub struct BoundExpression {
    datatype: DataType,
}

impl BoundExpression {
    /// Its type.
    pub fn datatype(&self) -> &DataType {
        &self.datatype
    }

    pub(crate) fn unsuitable(&self, message: &str) -> ExpressionError {
        ExpressionError { message: message.to_owned(), span: 0..0, hint: None }
    }

    /// Evaluates.
    pub fn evaluate(&self, _batch: &RecordBatch) -> Result<ArrayRef, ExpressionError> {
        Err(self.unsuitable(""))
    }
}
