//! Learners and the component that trains them: histogram gradient boosting, linear models, and any program, each behind
//! the trait [`Learner`](learner::Learner).

pub mod calibration;
mod command;
pub mod gbdt;
pub mod learner;
pub mod linear;
mod report;
mod selector;
mod trainer;
mod tuner;

pub use command::JobFolder;
pub use report::{render_training_report, tensorboard_events};
pub use selector::ModelSelector;
pub use trainer::{KeepingTrainer, TrainError, Trainer};
pub use tuner::Tuner;
