//! How far two datasets lie apart, and when that is too far.
//!
//! Distances are computed from statistics alone, so they cost milliseconds whatever the number of rows.

mod bins;
mod chance;
mod compare;
mod cumulative;
mod defaults;
mod distance;
mod movement;
mod shares;
mod values;

pub use compare::{Comparison, DriftReport, FeatureDrift, Measured, NotCompared, compare};
pub use defaults::default_comparators;
pub use distance::{FeatureDistance, distances};
pub use movement::movement;

/// Distances of two samples from counts in the same cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellDistances {
    /// Jensen-Shannon divergence in bits.
    pub jensen_shannon: f64,
    /// Population stability index.
    pub population_stability_index: f64,
    /// The largest difference of two shares.
    pub l_infinity: f64,
}

/// How far `b` lies from `a`, both counted in the same cells.
pub fn cell_distances(a: &[f64], b: &[f64]) -> CellDistances {
    let pairs = shares::Pairs::from(a.iter().copied().zip(b.iter().copied()).collect::<Vec<_>>());
    CellDistances {
        jensen_shannon: pairs.jensen_shannon(),
        population_stability_index: pairs.population_stability_index(),
        l_infinity: pairs.l_infinity(),
    }
}
