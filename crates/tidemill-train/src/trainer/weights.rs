//! What rows count for: a column of weights, and weights of classes.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use tidemill_core::{Task, suggest};

use super::error::TrainError;

/// What the rows of each class count for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ClassWeights {
    /// Each class counts the same in all.
    Balanced,
    /// So much a row, by the class's name; 1 where it has none.
    Named(BTreeMap<String, f64>),
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || D::Error::custom("`class_weights` is `balanced`, or a mapping such as `{ yes: 5 }`");
        match Value::deserialize(deserializer)? {
            Value::String(word) if word == "balanced" => Ok(Self::Balanced),
            Value::Object(entries) => {
                let weight = |(class, weight): (String, Value)| Some((class, weight.as_f64()?));
                let weights: Option<BTreeMap<String, f64>> = entries.into_iter().map(weight).collect();
                Ok(Self::Named(weights.ok_or_else(wrong)?))
            }
            _ => Err(wrong()),
        }
    }
}

impl schemars::JsonSchema for ClassWeights {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClassWeights".into()
    }

    fn json_schema(_generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "oneOf": [
                { "const": "balanced" },
                { "type": "object", "additionalProperties": { "type": "number", "exclusiveMinimum": 0 } },
            ],
        })
    }
}

impl ClassWeights {
    /// What is wrong with the numbers.
    pub(super) fn problem(&self) -> Option<String> {
        let Self::Named(weights) = self else { return None };
        let (class, weight) = weights.iter().find(|(_, weight)| !(**weight > 0.0 && weight.is_finite()))?;
        Some(format!("the weight of the class `{class}` is {weight}, and must be above 0"))
    }

    /// The weight of each class, where `names` are the classes by their numbers.
    pub(super) fn of(&self, task: &Task, names: &[Vec<String>], labels: &[f64]) -> Result<Vec<f64>, TrainError> {
        match self {
            Self::Balanced if names.is_empty() => Err(TrainError::ClassWeight {
                class: "balanced".to_owned(),
                task: task.kind(),
                known: Vec::new(),
                nearest: None,
            }),
            Self::Balanced => {
                let mut counts = vec![0.0_f64; names.len()];
                labels.iter().for_each(|label| counts[*label as usize] += 1.0);
                let share = labels.len() as f64 / names.len() as f64;
                Ok(counts.into_iter().map(|count| if count > 0.0 { share / count } else { 1.0 }).collect())
            }
            Self::Named(weights) => {
                let known = || names.iter().flatten().map(String::as_str);
                if let Some(class) = weights.keys().find(|class| !known().any(|name| name == class.as_str())) {
                    return Err(TrainError::ClassWeight {
                        class: class.clone(),
                        task: task.kind(),
                        known: known().map(str::to_owned).collect(),
                        nearest: suggest(class, known()).map(str::to_owned),
                    });
                }
                let of = |names: &Vec<String>| names.iter().find_map(|name| weights.get(name)).copied().unwrap_or(1.0);
                Ok(names.iter().map(of).collect())
            }
        }
    }
}

/// The weights of a batch's rows, the first of which is row `first_row` of `split`, from 0.
pub(super) fn weights_of(
    batch: &RecordBatch,
    column: &str,
    split: &str,
    first_row: usize,
) -> Result<Vec<f64>, TrainError> {
    let wrong = |row: Option<usize>, reason: String| TrainError::Weight {
        column: column.to_owned(),
        split: split.to_owned(),
        row: row.map(|row| (first_row + row) as u64),
        reason,
    };
    let Some(array) = batch.column_by_name(column) else {
        return Err(wrong(None, "is not among the columns".to_owned()));
    };
    let values: Vec<Option<f64>> = match array.data_type() {
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(|value| Some(value? as f64)).collect(),
        _ => return Err(wrong(None, "holds no numbers".to_owned())),
    };
    let of = |(row, value): (usize, Option<f64>)| match value {
        Some(weight) if weight >= 0.0 && weight.is_finite() => Ok(weight),
        Some(weight) => Err(wrong(Some(row), format!("is {weight}, and a weight is 0 or above"))),
        None => Err(wrong(Some(row), "has no value, and every row needs a weight".to_owned())),
    };
    values.into_iter().enumerate().map(of).collect()
}
