//! `clip`: the nearest value within bounds.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::MapStep;
use super::super::run::{NumberOp, each_number};

/// The nearest value within bounds; ±∞ become the bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// Low bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// High bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl MapStep for Clip {
    fn name(&self) -> &'static str {
        "clip"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        for (name, bound) in [("min", self.min), ("max", self.max)] {
            if let Some(bound) = bound {
                self.finite(name, bound)?;
            }
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err("`clip` has bounds in the wrong order".to_owned());
        }
        self.of_numbers(stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) => write!(f, " to {min} … {max}"),
            (Some(min), None) => write!(f, " to at least {min}"),
            (None, Some(max)) => write!(f, " to at most {max}"),
            (None, None) => Ok(()),
        }
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let (min, max) = (self.min.unwrap_or(f64::NEG_INFINITY), self.max.unwrap_or(f64::INFINITY));
        each_number(move |x| {
            if x < min {
                min
            } else if x > max {
                max
            } else {
                x
            }
        })
    }
}
