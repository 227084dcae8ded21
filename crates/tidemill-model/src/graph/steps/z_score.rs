//! `z_score`: centred and scaled by mean and standard deviation.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::MapStep;
use super::super::run::{NumberOp, each_number};

/// (x − mean) / `std_dev`; x − mean where the deviation is 0 (a constant column).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZScore {
    /// Mean of the values it was fitted on.
    pub mean: f64,
    /// Their standard deviation, divided by n.
    pub std_dev: f64,
}

impl MapStep for ZScore {
    fn name(&self) -> &'static str {
        "z_score"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.finite("mean", self.mean)?;
        self.finite("std_dev", self.std_dev)?;
        if self.std_dev < 0.0 {
            return Err("`std_dev` of `z_score` is negative".to_owned());
        }
        self.of_numbers(stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " (mean {:.6}, deviation {:.6})", self.mean, self.std_dev)
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let Self { mean, std_dev } = *self;
        if std_dev == 0.0 { each_number(move |x| x - mean) } else { each_number(move |x| (x - mean) / std_dev) }
    }
}
