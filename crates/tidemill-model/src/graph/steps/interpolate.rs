//! `interpolate`: the share of values below, in straight lines between boundaries.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::MapStep;
use super::super::run::{NumberOp, each_number};

/// The share of boundaries that lie below x, in straight lines between them: 0 up to the first boundary, 1 from the last
/// one on (TensorFlow Transform's `apply_buckets_with_interpolation`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interpolate {
    /// Strictly ascending, at least two.
    pub boundaries: Vec<f64>,
}

impl MapStep for Interpolate {
    fn name(&self) -> &'static str {
        "interpolate"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.check_edges(&self.boundaries)?;
        self.of_numbers(stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " between {} boundaries", self.boundaries.len())
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let boundaries = self.boundaries.clone();
        each_number(move |x| interpolate(&boundaries, x))
    }
}

fn interpolate(boundaries: &[f64], x: f64) -> f64 {
    let above = boundaries.partition_point(|boundary| *boundary <= x);
    if x.is_nan() || above == 0 {
        return if x.is_nan() { x } else { 0.0 };
    }
    if above == boundaries.len() {
        return 1.0;
    }
    let (low, high) = (boundaries[above - 1], boundaries[above]);
    ((above - 1) as f64 + (x - low) / (high - low)) / (boundaries.len() - 1) as f64
}
