//! ONNX, both ways: models of other programs are run, and models of Tidemill are written.
//!
//! A graph runs on a small interpreter over whole tensors, which has the operators of classic machine learning
//! (`ai.onnx.ml`) with trees on the native executor, strings, and what stands around them. A graph of numbers that
//! needs more runs on tract.

mod attributes;
mod dense;
mod export;
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "written by prost from `proto/onnx.proto`")]
#[rustfmt::skip]
mod generated;
mod ops;
mod program;
mod read;
mod runner;
mod signature;
mod value;

pub use export::{Unseen, export_onnx};
pub(crate) use read::looks_like_model;
pub(crate) use runner::parse;
