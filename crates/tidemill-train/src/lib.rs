//! Learners and the component that trains them: histogram gradient boosting, linear models, networks, and any program, each
//! behind the trait [`Learner`](learner::Learner).

pub mod additive;
mod bin_columns;
pub mod calibration;
mod command;
pub mod ensemble;
mod fast_exp;
pub mod forest;
pub mod gbdt;
pub mod learner;
pub mod linear;
pub mod mlp;
pub mod neighbors;
#[cfg(test)]
mod recorded;
mod report;
mod selector;
mod trainer;
mod tuner;

pub use command::{JobFolder, PYTHON_MODULE, Program, ProgramReport};
pub use report::{render_search_report, render_training_report, tensorboard_events};
pub use selector::ModelSelector;
pub use trainer::{KeepingTrainer, TrainError, Trainer};
pub use tuner::{EnsembleFound, Hyperparameters, Tuner, learner_of, read_trials, search_space};
