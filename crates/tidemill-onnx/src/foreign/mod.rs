//! Formats of other programs: LightGBM's text and XGBoost's JSON, whose trees run on the native executor.
//!
//! A file of another program has no manifest, so its own names, types and shapes form the signature.

mod file;
pub(crate) mod lightgbm;
mod link;
mod threshold;
mod trees;
mod ubjson;
pub(crate) mod xgboost;

pub use file::is_model;
pub(crate) use file::{FILE_BYTES_MAX, Format, find_model_file};
pub(crate) use link::{logistic, softmax};
pub(crate) use trees::Description;
pub use trees::{ForeignLink, ForeignTrees};
