//! Conditions on rows in SQL: `where` of an `ExampleGen`.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::DFSchema;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use tidemill_data::{ConditionLanguage, DataError, RowCondition};

use crate::EngineError;

/// Conditions as they stand after `WHERE` in a query over one table.
#[derive(Debug, Clone, Copy, Default)]
pub struct SqlConditions;

struct SqlCondition {
    text: String,
    expression: Arc<dyn PhysicalExpr>,
}

fn context() -> SessionContext {
    let mut config = SessionConfig::new();
    // A column is called what its file calls it.
    config.options_mut().sql_parser.enable_ident_normalization = false;
    SessionContext::new_with_config(config)
}

fn params(condition: &str, error: datafusion::error::DataFusionError) -> DataError {
    let message = match EngineError::of(error, 0) {
        EngineError::Data(error) => return error,
        error => error.to_string(),
    };
    DataError::Params { message: format!("`where: {condition}`: {message}") }
}

impl ConditionLanguage for SqlConditions {
    fn check(&self, condition: &str) -> Result<(), String> {
        let context = context();
        let state = context.state();
        let parsed = state.sql_to_expr(condition, &state.config().options().sql_parser.dialect);
        parsed.map(|_| ()).map_err(|error| EngineError::of(error, 0).to_string())
    }

    fn compile(&self, condition: &str, schema: &Schema) -> Result<Box<dyn RowCondition>, DataError> {
        let bad = |error| params(condition, error);
        let columns = DFSchema::try_from(schema.clone()).map_err(bad)?;
        let context = context();
        let logical = context.state().create_logical_expr(condition, &columns).map_err(bad)?;
        let expression = context.create_physical_expr(logical, &columns).map_err(bad)?;
        let found = expression.data_type(schema).map_err(bad)?;
        if found != DataType::Boolean {
            let message =
                format!("`where: {condition}` is {found}, not true or false: write a comparison such as `fare > 0`");
            return Err(DataError::Params { message });
        }
        Ok(Box::new(SqlCondition { text: condition.to_owned(), expression }))
    }
}

impl RowCondition for SqlCondition {
    fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray, DataError> {
        let evaluated = self.expression.evaluate(batch).and_then(|value| value.into_array(batch.num_rows()));
        let values = evaluated.map_err(|error| params(&self.text, error))?;
        let values = values.as_boolean();
        Ok(match values.null_count() {
            0 => values.clone(),
            // Null is no.
            _ => values.iter().map(|value| Some(value == Some(true))).collect(),
        })
    }
}
