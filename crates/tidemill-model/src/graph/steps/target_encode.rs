//! `target_encode`: the mean label of a value's rows.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::codes::{CodeNumbers, CodesDecoder};
use super::super::mapper::{MapStep, Missing, Position};
use super::super::run::{Decoder, NumberOp};
use super::super::{Keys, Mapper, Stage};

/// The mean label of a value's rows, drawn towards that of all rows. A missing value has an encoding of its own; a value
/// that was not seen has the mean of all rows.
///
/// A row of the training split sees the encoding of the fold it belongs to, fitted without that fold, so that its own
/// label is no part of it: see [`BoundGraph::apply_training`](crate::BoundGraph::apply_training).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetEncode {
    /// The values.
    pub values: Keys,
    /// Fitted on all rows.
    pub full: Encoding,
    /// By fold, fitted on the rows of the others; not needed at serving.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<Encoding>,
}

/// The numbers that `target_encode` replaces values by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// By value.
    pub encodings: Vec<f64>,
    /// For a missing value.
    pub missing: f64,
    /// For a value not listed.
    pub other: f64,
}

impl MapStep for TargetEncode {
    fn name(&self) -> &'static str {
        "target_encode"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.check_keys(stage, &self.values)?;
        if self.folds.len() == 1 {
            return Err("`target_encode` has a single fold".to_owned());
        }
        for Encoding { encodings, missing, other } in self.folds.iter().chain([&self.full]) {
            for encoding in encodings.iter().chain([missing, other]) {
                self.finite("encodings", *encoding)?;
            }
            if encodings.len() != self.values.len() {
                return Err("`target_encode` has no encoding for each value".to_owned());
            }
        }
        Ok(Stage::Float)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " of {} (mean {:.6})", self.values.len(), self.full.other)
    }

    fn missing(&self) -> Missing {
        Missing::Filled
    }

    fn for_serving(&self) -> Option<Mapper> {
        (!self.folds.is_empty()).then(|| Self { folds: Vec::new(), ..self.clone() }.into())
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.values)
    }

    fn reads_raw(&self, _: bool) -> bool {
        true
    }

    fn decoder(&self, at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        Some((Box::new(CodesDecoder::with_missing(&self.values, at)), 0))
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        Some(Box::new(CodeNumbers::new(&self.full, &self.folds)))
    }
}
