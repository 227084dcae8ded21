//! What a model learns to predict.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type, Schema};
use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::expr::{BoundExpression, Expression};

/// The label: a name and the expression over raw columns that gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSpec {
    /// What the label is called.
    pub name: String,
    /// How it is computed, in SQL's syntax: `tips > fare * 0.2`.
    pub expression: String,
    /// The columns that are being predicted and so are unknown when serving. Empty: the first one in the expression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<String>,
    /// How old a value must be, in seconds, to be known when the label is predicted. No feature looks at what came
    /// before but is younger.
    #[serde(default, skip_serializing_if = "is_default")]
    pub horizon_seconds: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl LabelSpec {
    /// A label about the first column of its expression.
    pub fn new(name: impl Into<String>, expression: impl Into<String>) -> Self {
        Self { name: name.into(), expression: expression.into(), target: Vec::new(), horizon_seconds: 0 }
    }

    /// The same label about these columns.
    #[must_use]
    pub fn with_target(self, target: Vec<String>) -> Self {
        Self { target, ..self }
    }

    /// The same label with a horizon.
    #[must_use]
    pub fn with_horizon(self, horizon_seconds: u64) -> Self {
        Self { horizon_seconds, ..self }
    }

    /// The parsed expression.
    pub fn parse(&self) -> Result<Expression, ModelError> {
        Expression::parse(&self.expression)
            .map_err(|source| ModelError::LabelExpression { label: self.name.clone(), source })
    }

    /// The columns that are being predicted and so are unknown when serving: `target`, or else the first column in the
    /// expression.
    ///
    /// `tips > fare * 0.2` is about `tips`; `fare` is known before the ride ends and may well be a feature.
    pub fn targets(&self) -> Result<Vec<String>, ModelError> {
        let expression = self.parse()?;
        if self.target.is_empty() {
            return Ok(expression.columns().into_iter().take(1).collect());
        }
        Ok(self.target.clone())
    }

    /// The label over the columns of `schema`: names resolved, types checked.
    pub fn bind(&self, schema: &Schema) -> Result<BoundLabel, ModelError> {
        let wrap = |source| ModelError::LabelExpression { label: self.name.clone(), source };
        let expression = self.parse()?.bind(schema).map_err(wrap)?;
        if !matches!(expression.datatype(), ArrowType::Boolean | ArrowType::Int64 | ArrowType::Float64) {
            return Err(ModelError::LabelExpression {
                label: self.name.clone(),
                source: expression.unsuitable("a label is true or false, or a number"),
            });
        }
        Ok(BoundLabel { name: self.name.clone(), expression })
    }
}

/// A label whose expression is resolved against a schema.
#[derive(Debug, Clone)]
pub struct BoundLabel {
    name: String,
    expression: BoundExpression,
}

impl BoundLabel {
    /// The expression is a condition: the label is 0 or 1 by construction.
    pub fn is_boolean(&self) -> bool {
        self.expression.datatype() == ArrowType::Boolean
    }

    /// The label of every row, `None` where it is null; a NaN counts as null. Booleans are 0 and 1.
    pub fn optional_values(&self, batch: &RecordBatch) -> Result<Vec<Option<f64>>, ModelError> {
        let array = self
            .expression
            .evaluate(batch)
            .map_err(|source| ModelError::LabelExpression { label: self.name.clone(), source })?;
        Ok(match array.data_type() {
            ArrowType::Boolean => array.as_boolean().iter().map(|v| v.map(|v| f64::from(u8::from(v)))).collect(),
            ArrowType::Int64 => array.as_primitive::<Int64Type>().iter().map(|v| v.map(|v| v as f64)).collect(),
            _ => array.as_primitive::<Float64Type>().iter().map(|v| v.filter(|v| !v.is_nan())).collect(),
        })
    }

    /// The label of every row; booleans are 0 and 1.
    ///
    /// A null or infinite label is an error that names the row within the batch.
    pub fn values(&self, batch: &RecordBatch) -> Result<Vec<f64>, ModelError> {
        let optional = self.optional_values(batch)?;
        let missing = optional.iter().filter(|v| v.is_none()).count();
        if let Some(first) = optional.iter().position(Option::is_none) {
            return Err(ModelError::LabelMissing {
                label: self.name.clone(),
                count: missing as u64,
                rows: optional.len() as u64,
                first_row: first as u64,
            });
        }
        let values: Vec<f64> = optional.into_iter().flatten().collect();
        if let Some(row) = values.iter().position(|v| v.is_infinite()) {
            return Err(ModelError::LabelValue { label: self.name.clone(), value: values[row], row: row as u64 });
        }
        Ok(values)
    }
}
