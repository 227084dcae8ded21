//! `density`: the density of a histogram.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::MapStep;
use super::super::run::{NumberOp, each_number};

/// The density of a histogram at x; 0 outside of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Density {
    /// The histogram's edges, strictly ascending, at least two.
    pub boundaries: Vec<f64>,
    /// One for each bucket, one fewer than boundaries.
    pub densities: Vec<f64>,
}

impl MapStep for Density {
    fn name(&self) -> &'static str {
        "density"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.check_edges(&self.boundaries)?;
        for density in &self.densities {
            self.finite("densities", *density)?;
        }
        if self.densities.len() + 1 != self.boundaries.len() {
            return Err("`density` has no density for each bucket".to_owned());
        }
        self.of_numbers(stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " of {} buckets", self.densities.len())
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let Self { boundaries, densities } = self.clone();
        each_number(move |x| {
            if x.is_nan() {
                return x;
            }
            let bucket = boundaries.partition_point(|boundary| *boundary <= x);
            // The last edge belongs to the last bucket.
            let bucket = bucket - usize::from(boundaries.last() == Some(&x));
            bucket.checked_sub(1).and_then(|bucket| densities.get(bucket)).copied().unwrap_or(0.0)
        })
    }
}
