//! The label: what a model learns to predict.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type, Schema};
use serde::{Deserialize, Serialize};
use tidemill_core::LabelSet;
use xxhash_rust::xxh3::xxh3_64;

use crate::ModelError;
use crate::expr::{BoundExpression, Expression, ExpressionError};

/// The label: a name and an expression over raw columns.
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
    /// The labels of a model of several, each true or false for a row. Empty: the expression is the label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<LabelPart>,
    /// The least age of a value, in seconds, to be known when the label is predicted. Features ignore younger values.
    #[serde(default, skip_serializing_if = "is_default")]
    pub horizon_seconds: u64,
}

/// One of several labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelPart {
    /// What the label is called.
    pub name: String,
    /// How it is computed: a condition, or a column of 0 and 1.
    pub expression: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl LabelSpec {
    /// A label that predicts the first column of its expression.
    pub fn new(name: impl Into<String>, expression: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            expression: expression.into(),
            target: Vec::new(),
            parts: Vec::new(),
            horizon_seconds: 0,
        }
    }

    /// The same label that predicts these columns.
    #[must_use]
    pub fn with_target(self, target: Vec<String>) -> Self {
        Self { target, ..self }
    }

    /// The same label made of several, each true or false.
    #[must_use]
    pub fn with_parts(self, parts: Vec<LabelPart>) -> Self {
        Self { parts, ..self }
    }

    /// The same label with a horizon.
    #[must_use]
    pub fn with_horizon(self, horizon_seconds: u64) -> Self {
        Self { horizon_seconds, ..self }
    }

    /// Whether the label is a plain column.
    pub fn is_column(&self) -> bool {
        let columns = self.parse().map(|parsed| parsed.columns()).unwrap_or_default();
        let quoted = |column: &String| format!("\"{}\"", column.replace('"', "\"\""));
        matches!(columns.as_slice(), [column] if self.expression == *column || self.expression == quoted(column))
    }

    /// The parsed expression.
    pub fn parse(&self) -> Result<Expression, ModelError> {
        Expression::parse(&self.expression)
            .map_err(|source| ModelError::LabelExpression { label: self.name.clone(), source })
    }

    /// The columns that the label is computed from.
    pub fn columns(&self) -> Result<Vec<String>, ModelError> {
        if self.parts.is_empty() {
            return Ok(self.parse()?.columns());
        }
        let mut columns: Vec<String> = Vec::new();
        for part in &self.parts {
            columns.extend(LabelSpec::new(&part.name, &part.expression).parse()?.columns());
        }
        columns.sort();
        columns.dedup();
        Ok(columns)
    }

    /// The columns that are being predicted and so are unknown when serving: `target`, or else the first column in the
    /// expression, and that of each of several labels.
    ///
    /// `tips > fare * 0.2` is about `tips`; `fare` is known before the ride ends and may well be a feature.
    pub fn targets(&self) -> Result<Vec<String>, ModelError> {
        let mut targets = self.target.clone();
        if targets.is_empty() {
            targets.extend(self.parse()?.columns().into_iter().take(1));
        }
        for part in &self.parts {
            let columns = LabelSpec::new(&part.name, &part.expression).parse()?.columns();
            targets.extend(columns.into_iter().take(1).filter(|column| !targets.contains(column)).collect::<Vec<_>>());
        }
        Ok(targets)
    }

    /// The label over the columns of `schema`: names resolved, types checked.
    pub fn bind(&self, schema: &Schema) -> Result<BoundLabel, ModelError> {
        let wrap = |source| ModelError::LabelExpression { label: self.name.clone(), source };
        if let Some((first, _)) = self.parts.split_first() {
            let bind = |part: &LabelPart| LabelSpec::new(&part.name, &part.expression).bind(schema);
            let parts = self.parts.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
            if let Some(text) = parts.iter().find(|part| part.kind == LabelKind::Text) {
                let message = "the label is text, and one of several is true or false";
                return Err(text.wrap(text.expression.error(message)));
            }
            let expression =
                Expression::parse(&first.expression).and_then(|parsed| parsed.bind(schema)).map_err(wrap)?;
            return Ok(BoundLabel { name: self.name.clone(), kind: LabelKind::Integer, expression, parts });
        }
        let expression = self.parse()?.bind(schema).map_err(wrap)?;
        let kind = match expression.datatype() {
            ArrowType::Boolean => LabelKind::Boolean,
            ArrowType::Int64 => LabelKind::Integer,
            ArrowType::Float64 => LabelKind::Number,
            ArrowType::Utf8 => LabelKind::Text,
            _ => return Err(wrap(expression.error("a label is true or false, a number, or text"))),
        };
        Ok(BoundLabel { name: self.name.clone(), kind, expression, parts: Vec::new() })
    }

    /// The label that is true if this one is `value`, which is written as in SQL: `'Adelie'`, `2`.
    #[must_use]
    pub fn equal_to(&self, value: &str) -> Self {
        let simple = self.expression.chars().all(|c| c.is_alphanumeric() || c == '_');
        let expression = &self.expression;
        let expression = if simple { format!("{expression} = {value}") } else { format!("({expression}) = {value}") };
        Self { expression, ..self.clone() }
    }
}

/// The class name of a number: `2` for 2.0.
pub fn class_name(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 9e15 { format!("{}", value as i64) } else { format!("{value:?}") }
}

/// The type of a label's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelKind {
    /// Booleans: the label is 0 or 1 by construction.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Numbers.
    Number,
    /// Text: names of classes.
    Text,
}

/// A label whose expression is resolved against a schema.
#[derive(Debug, Clone)]
pub struct BoundLabel {
    name: String,
    kind: LabelKind,
    expression: BoundExpression,
    /// Several labels, which together are a [`LabelSet`].
    parts: Vec<BoundLabel>,
}

impl BoundLabel {
    /// The type of its values.
    pub fn kind(&self) -> LabelKind {
        self.kind
    }

    /// The label of every row as it is.
    pub fn array(&self, batch: &RecordBatch) -> Result<ArrayRef, ModelError> {
        self.expression.evaluate(batch).map_err(|source| self.wrap(source))
    }

    fn wrap(&self, source: ExpressionError) -> ModelError {
        ModelError::LabelExpression { label: self.name.clone(), source }
    }

    /// The label of every row as a class name, `None` if it is null or NaN: a whole number without a fraction, `true`
    /// or `false`.
    pub fn class_names(&self, batch: &RecordBatch) -> Result<Vec<Option<String>>, ModelError> {
        let array = self.array(batch)?;
        Ok(match array.data_type() {
            ArrowType::Utf8 => array.as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect(),
            ArrowType::Boolean => array.as_boolean().iter().map(|v| v.map(|v| v.to_string())).collect(),
            ArrowType::Int64 => array.as_primitive::<Int64Type>().iter().map(|v| v.map(|v| v.to_string())).collect(),
            _ => {
                let values = array.as_primitive::<Float64Type>().iter();
                values.map(|v| v.filter(|v| !v.is_nan()).map(class_name)).collect()
            }
        })
    }

    /// As [`optional_values`](Self::optional_values); equal texts have equal numbers, which have no other meaning.
    pub fn codes(&self, batch: &RecordBatch) -> Result<Vec<Option<f64>>, ModelError> {
        if self.kind != LabelKind::Text {
            return self.optional_values(batch);
        }
        let array = self.array(batch)?;
        // 53 bits are a whole number in floating point.
        let code = |text: &str| (xxh3_64(text.as_bytes()) >> 11) as f64;
        Ok(array.as_string::<i32>().iter().map(|text| text.map(code)).collect())
    }

    /// The label of every row, `None` if it is null or NaN. Booleans are 0 and 1. A text label is an error, because it
    /// has no numeric value.
    ///
    /// Several labels are a [`LabelSet`] a row, `None` if one of them is null.
    pub fn optional_values(&self, batch: &RecordBatch) -> Result<Vec<Option<f64>>, ModelError> {
        if !self.parts.is_empty() {
            return self.sets(batch);
        }
        if self.kind == LabelKind::Text {
            let message = "the label is text, and this needs one that is true or false, or a number";
            return Err(self.wrap(self.expression.error(message)));
        }
        let array = self.array(batch)?;
        Ok(match array.data_type() {
            ArrowType::Boolean => array.as_boolean().iter().map(|v| v.map(|v| f64::from(u8::from(v)))).collect(),
            ArrowType::Int64 => array.as_primitive::<Int64Type>().iter().map(|v| v.map(|v| v as f64)).collect(),
            _ => array.as_primitive::<Float64Type>().iter().map(|v| v.filter(|v| !v.is_nan())).collect(),
        })
    }

    /// The set of the labels of every row that are true.
    fn sets(&self, batch: &RecordBatch) -> Result<Vec<Option<f64>>, ModelError> {
        let mut columns = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let values = part.optional_values(batch)?;
            if let Some(other) = values.iter().flatten().find(|value| **value != 0.0 && **value != 1.0) {
                let message = format!("the label is true or false, or 0 and 1, and in one row it is {other}");
                return Err(part.wrap(part.expression.error(&message)));
            }
            columns.push(values);
        }
        let set = |row: usize| {
            let labels: Option<Vec<bool>> = columns.iter().map(|values| Some(values[row]? == 1.0)).collect();
            Some(labels?.into_iter().collect::<LabelSet>().value())
        };
        Ok((0..batch.num_rows()).map(set).collect())
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
