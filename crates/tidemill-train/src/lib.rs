//! Learners: histogram gradient boosting, and the component that trains them.

pub mod gbdt;
mod trainer;

pub use trainer::{TrainError, Trainer};
