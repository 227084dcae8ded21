//! `min_max`: scaled to a range.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::MapStep;
use super::super::run::{NumberOp, each_number};

/// (x − min) / (max − min), scaled to the output range. Values outside are not clipped. Where min = max it is
/// sigmoid(x), scaled to the output range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinMax {
    /// Smallest value it was fitted on.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// What `min` becomes.
    pub output_min: f64,
    /// What `max` becomes.
    pub output_max: f64,
}

impl MapStep for MinMax {
    fn name(&self) -> &'static str {
        "min_max"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        let Self { min, max, output_min, output_max } = *self;
        for (name, value) in [("min", min), ("max", max), ("output_min", output_min), ("output_max", output_max)] {
            self.finite(name, value)?;
        }
        if min > max || output_min >= output_max {
            return Err("`min_max` has bounds in the wrong order".to_owned());
        }
        self.of_numbers(stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " ({} to {})", self.min, self.max)
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let Self { min, max, output_min, output_max } = *self;
        let (width, output_width) = (max - min, output_max - output_min);
        if min == max {
            return each_number(move |x| 1.0 / (1.0 + (-x).exp()) * output_width + output_min);
        }
        each_number(move |x| (x - min) / width * output_width + output_min)
    }
}
