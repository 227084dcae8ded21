//! `by_key`: a step with constants of its own for each value of another column.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::{DataType, TensorSpec};

use super::super::decode::codes_of;
use super::super::mapper::{Codes, MapStep};
use super::super::run::{NumberOp, Numbers};
use super::super::table::CodeTable;
use super::super::{Keys, Mapper, Stage};

/// A step with constants of its own for each value of another column. A key that is missing or was not seen has the
/// constants of all rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByKey {
    /// The raw column that holds the key.
    pub column: String,
    /// Keys seen in fitting.
    pub values: Keys,
    /// By key: `z_score`, `min_max` or `bucketize`.
    #[serde(rename = "nodes")]
    pub mappers: Vec<Mapper>,
    /// The same step fitted on all rows, for other keys.
    pub other: Box<Mapper>,
}

impl MapStep for ByKey {
    fn name(&self) -> &'static str {
        "by_key"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.check_distinct(&self.values)?;
        if self.mappers.len() != self.values.len() {
            return Err("`by_key` has no step for each key".to_owned());
        }
        let gives = self.other.output(stage)?;
        let is_allowed = |mapper: &Mapper| {
            matches!(mapper, Mapper::ZScore(_) | Mapper::MinMax(_) | Mapper::Bucketize(_))
                && mapper.name() == self.other.name()
        };
        if !is_allowed(&self.other) || !self.mappers.iter().all(is_allowed) {
            return Err("`by_key` holds `z_score`, `min_max` or `bucketize`, the same for every key".to_owned());
        }
        let mut widest = gives;
        for mapper in &self.mappers {
            if let (Stage::Bucket(a), Stage::Bucket(b)) = (widest, mapper.output(stage)?) {
                widest = Stage::Bucket(a.max(b));
            }
        }
        Ok(widest)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " `{}` of {}: {}", self.column, self.values.len(), self.other.name())
    }

    fn key_column(&self) -> Option<&str> {
        Some(&self.column)
    }

    fn check_inputs(&self, inputs: &[TensorSpec]) -> Result<(), String> {
        let column = &self.column;
        let Some(input) = inputs.iter().find(|input| input.name == *column) else {
            return Err(format!("the column `{column}` of its keys is not among the inputs"));
        };
        match (&self.values, input.datatype) {
            (Keys::Strings(_), DataType::Bytes) | (Keys::Integers(_), DataType::Int64) => Ok(()),
            _ => Err(format!("the column `{column}` holds other values than its keys")),
        }
    }

    fn codes(&self) -> Option<Codes<'_>> {
        Some(Codes::Numbered(0))
    }

    fn number_op(&self, inputs: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        Some(Box::new(StepByKey {
            input: inputs.iter().position(|input| input.name == self.column)?,
            table: CodeTable::new(&self.values, 0),
            ops: self.mappers.iter().map(|mapper| mapper.step().number_op(inputs)).collect::<Option<_>>()?,
            other: self.other.step().number_op(inputs)?,
        }))
    }
}

#[derive(Debug)]
struct StepByKey {
    /// Which of the graph's inputs holds the key.
    input: usize,
    table: CodeTable,
    ops: Vec<Box<dyn NumberOp>>,
    other: Box<dyn NumberOp>,
}

impl NumberOp for StepByKey {
    fn run(&self, numbers: &mut Numbers<'_>) -> bool {
        let place = numbers.place;
        let key = place.column(self.input);
        let Some(codes) = key.and_then(|key| codes_of(key, &self.table)) else { return false };
        numbers.values.iter_mut().enumerate().all(|(row, value)| {
            let code = codes(row);
            let op = if code.is_nan() { &self.other } else { self.ops.get(code as usize).unwrap_or(&self.other) };
            op.run(&mut Numbers { values: std::slice::from_mut(value), indicator: None, place })
        })
    }
}
