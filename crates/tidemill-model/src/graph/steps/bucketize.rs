//! `bucketize`: the bucket that a number falls into.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::{Codes, MapStep, code_count};
use super::super::run::{NumberOp, each_number};

/// The number of boundaries that are not above x: bucket i holds b\[i−1\] ≤ x < b\[i\]. −∞ and +∞ fall in the first and
/// the last bucket. A missing value stays missing (TensorFlow Transform: the last bucket).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucketize {
    /// Strictly ascending.
    pub boundaries: Vec<f64>,
}

impl MapStep for Bucketize {
    fn name(&self) -> &'static str {
        "bucketize"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        for boundary in &self.boundaries {
            self.finite("boundaries", *boundary)?;
        }
        if !self.boundaries.is_sorted_by(|a, b| a < b) {
            return Err("`boundaries` of `bucketize` are not strictly ascending".to_owned());
        }
        self.of_numbers(stage)?;
        Ok(Stage::Bucket(code_count(self.boundaries.len() as u64 + 1)?))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " into {}", self.boundaries.len() + 1)
    }

    fn codes(&self) -> Option<Codes<'_>> {
        Some(Codes::Numbered(0))
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let boundaries = self.boundaries.clone();
        each_number(move |x| if x.is_nan() { x } else { boundaries.partition_point(|boundary| *boundary <= x) as f64 })
    }
}
