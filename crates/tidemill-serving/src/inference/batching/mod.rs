//! Batching: requests of different clients run together.
//!
//! [`queue`] only decides; [`Batcher`] drives it for one model version. Whether a model has a batcher is decided when
//! the model is loaded ([`BatchingOptions::policy_for`]).

mod batcher;
mod options;
mod queue;

pub(crate) use batcher::Batcher;
pub use options::{Batching, BatchingOptions};
