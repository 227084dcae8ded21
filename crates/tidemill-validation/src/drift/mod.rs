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
