//! The learner `ensemble`: several learners, averaged.

mod learner;
mod params;

pub use learner::EnsembleLearner;
pub use params::{Ensemble, Member};
