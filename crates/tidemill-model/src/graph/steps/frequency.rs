//! `frequency`: how often a value occurs.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::codes::{CodeNumbers, CodesDecoder};
use super::super::mapper::{MapStep, Position};
use super::super::run::{Decoder, NumberOp};
use super::super::{Keys, Stage};
use super::target_encode::Encoding;
use super::vocabulary::listed;

/// The share of rows that a value has; 0 for a value that was not seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// The values.
    pub values: Keys,
    /// By value.
    pub shares: Vec<f64>,
}

impl MapStep for Frequency {
    fn name(&self) -> &'static str {
        "frequency"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.check_keys(stage, &self.values)?;
        for share in &self.shares {
            self.finite("shares", *share)?;
        }
        if self.shares.len() == self.values.len() {
            Ok(Stage::Float)
        } else {
            Err("`frequency` has no share for each value".to_owned())
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed(f, &self.values, 0)
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
        // A value that was not seen has no rows; one that is missing stays so.
        let shares = Encoding { encodings: self.shares.clone(), missing: f64::NAN, other: 0.0 };
        Some(Box::new(CodeNumbers::new(&shares, &[])))
    }
}
