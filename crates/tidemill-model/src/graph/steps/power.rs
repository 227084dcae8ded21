//! `power` and `sqrt`.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::{MapStep, Missing};
use super::super::run::{NumberOp, each_number};

/// x to the power of a constant. x < 0 with a fraction as exponent and 0 with a negative one become missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// The exponent.
    pub exponent: f64,
}

/// See [`Mapper::Sqrt`](super::Mapper::Sqrt).
pub(super) struct Sqrt;

impl MapStep for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.finite("exponent", self.exponent)?;
        self.of_numbers(stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.exponent)
    }

    fn missing(&self) -> Missing {
        Missing::Made
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let exponent = self.exponent;
        // By the standard, NaN to the power of 0 is 1, and 0 to a negative power is infinite.
        each_number(move |x| if x.is_nan() || (x == 0.0 && exponent < 0.0) { f64::NAN } else { x.powf(exponent) })
    }
}

impl MapStep for Sqrt {
    fn name(&self) -> &'static str {
        "sqrt"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.of_numbers(stage)
    }

    fn missing(&self) -> Missing {
        Missing::Made
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        each_number(|x| if x >= 0.0 { x.sqrt() } else { f64::NAN })
    }
}
