//! `robust`: centred and scaled by quantiles.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::MapStep;
use super::super::run::{NumberOp, each_number};

/// (x − median) / range; x − median where the range is 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Robust {
    /// The middle value it was fitted on.
    pub median: f64,
    /// The distance of two quantiles, by default the quartiles.
    pub range: f64,
}

impl MapStep for Robust {
    fn name(&self) -> &'static str {
        "robust"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.finite("median", self.median)?;
        self.finite("range", self.range)?;
        if self.range < 0.0 {
            return Err("`range` of `robust` is negative".to_owned());
        }
        self.of_numbers(stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " (median {:.6}, range {:.6})", self.median, self.range)
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let Self { median, range } = *self;
        if range == 0.0 { each_number(move |x| x - median) } else { each_number(move |x| (x - median) / range) }
    }
}
