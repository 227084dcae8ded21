//! Learners and the component that trains them: histogram gradient boosting and linear models, each behind the trait
//! [`Learner`](learner::Learner).

pub mod gbdt;
pub mod learner;
pub mod linear;
mod trainer;

pub use trainer::{TrainError, Trainer};
