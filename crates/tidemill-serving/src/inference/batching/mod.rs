//! Requests that run together.
//!
//! [`queue`] decides and does nothing else; [`Batcher`] drives it for one model version. Whether a model has a batcher
//! at all is decided when it is loaded ([`BatchingOptions::policy_for`]).

mod batcher;
mod options;
mod queue;

pub(crate) use batcher::Batcher;
pub use options::{Batching, BatchingOptions};
