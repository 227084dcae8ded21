//! Which rows of a source become examples: the condition of `where:`.

use std::fmt;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Schema;

use crate::DataError;

/// A language that conditions are written in.
pub trait ConditionLanguage: fmt::Debug + Send + Sync {
    /// What is wrong with a condition, whatever the table: mistakes of spelling.
    fn check(&self, condition: &str) -> Result<(), String>;

    /// The condition for the rows of a table.
    fn compile(&self, condition: &str, schema: &Schema) -> Result<Box<dyn RowCondition>, DataError>;
}

/// A condition for the rows of one table.
pub trait RowCondition: Send {
    /// For each row, whether the condition holds. Null counts as no.
    fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray, DataError>;
}

/// Keeps the rows for which a condition holds, or all rows.
pub(crate) struct RowFilter(Option<Box<dyn RowCondition>>);

impl RowFilter {
    pub(crate) fn new(
        condition: Option<&str>,
        language: Option<&dyn ConditionLanguage>,
        schema: &Schema,
    ) -> Result<Self, DataError> {
        let compiled = match (condition, language) {
            (None, _) => None,
            (Some(condition), Some(language)) => Some(language.compile(condition, schema)?),
            (Some(_), None) => {
                return Err(DataError::Params { message: "this program evaluates no conditions (`where`)".to_owned() });
            }
        };
        Ok(Self(compiled))
    }

    /// The rows of the batch that are kept.
    pub(crate) fn apply(&self, batch: RecordBatch) -> Result<RecordBatch, DataError> {
        match &self.0 {
            None => Ok(batch),
            Some(condition) => Ok(filter_record_batch(&batch, &condition.evaluate(&batch)?)?),
        }
    }

    /// Whether every row is kept.
    pub(crate) fn keeps_all(&self) -> bool {
        self.0.is_none()
    }
}
