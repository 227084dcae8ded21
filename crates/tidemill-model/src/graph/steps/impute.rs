//! `impute`: a constant for missing values.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::mapper::{MapStep, Missing};
use super::super::run::{NumberOp, TextOp, each_number};
use super::super::{Scalar, Stage};

/// A missing value becomes `value`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impute {
    /// Of the column's type. A number with a fraction turns whole numbers into real ones.
    pub value: Scalar,
}

impl MapStep for Impute {
    fn name(&self) -> &'static str {
        "impute"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        if let Scalar::Float(value) = &self.value {
            self.finite("value", *value)?;
        }
        match (stage, &self.value) {
            (Stage::Text, Scalar::Text(_)) | (Stage::Int, Scalar::Int(_)) | (Stage::Bool, Scalar::Bool(_)) => Ok(stage),
            (Stage::Int | Stage::Float | Stage::Bool, Scalar::Int(_) | Scalar::Float(_)) => Ok(Stage::Float),
            (Stage::Bucket(size), Scalar::Int(bucket)) if (0..i64::from(size)).contains(bucket) => Ok(stage),
            (
                Stage::Code(_) | Stage::Columns | Stage::Tokens | Stage::Vector(_) | Stage::History | Stage::Binary,
                _,
            ) => Err(self.does_not_apply(stage)),
            _ => Err(format!("`impute` has a value of another type than its column, which holds {stage}")),
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.value)
    }

    fn missing(&self) -> Missing {
        Missing::Filled
    }

    fn fill(&self) -> Option<&Scalar> {
        Some(&self.value)
    }

    fn text_op(&self) -> Option<Box<dyn TextOp>> {
        match &self.value {
            Scalar::Text(text) => Some(Box::new(Fill(text.clone()))),
            _ => None,
        }
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let fill = match &self.value {
            Scalar::Bool(value) => f64::from(u8::from(*value)),
            Scalar::Int(value) => *value as f64,
            Scalar::Float(value) => *value,
            Scalar::Text(_) => return None,
        };
        each_number(move |x| if x.is_nan() { fill } else { x })
    }
}

#[derive(Debug)]
struct Fill(String);

impl TextOp for Fill {
    fn apply<'a>(&'a self, text: Option<Cow<'a, str>>, _: &mut bool) -> Option<Cow<'a, str>> {
        text.or(Some(Cow::Borrowed(&self.0)))
    }
}
