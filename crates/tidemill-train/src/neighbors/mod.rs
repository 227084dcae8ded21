//! The k nearest rows: nothing is fitted but the scales of numbers, and the training rows are the model.

mod learner;
mod params;
#[cfg(test)]
mod tests;

pub use learner::NeighborsLearner;
pub use params::Neighbors;
