//! Runs ONNX models of other programs; `export` writes our own.
//!
//! A graph runs on a small interpreter over whole tensors, which has the operators of classic machine learning
//! (`ai.onnx.ml`) with trees on the native executor, strings, and related operators. A numeric graph that needs more
//! runs on tract, and any graph on ONNX Runtime if the build includes it and the caller names its library.

mod attributes;
mod checks;
mod dense;
pub(crate) mod element;
mod engine;
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "written by prost from `proto/onnx.proto`")]
#[rustfmt::skip]
pub(crate) mod generated;
mod independence;
mod inline;
mod library_error;
pub(crate) mod ops;
mod options;
pub(crate) mod ports;
mod program;
mod read;
mod runner;
#[cfg(feature = "onnxruntime")]
mod runtime;
#[cfg(not(feature = "onnxruntime"))]
#[path = "absent.rs"]
mod runtime;
mod samples;
pub(crate) mod signature;
mod tensors;
pub(crate) mod value;

pub use library_error::OnnxRuntimeError;
pub use options::{OnnxEngine, OnnxOptions};

pub(crate) use engine::EngineError;
pub(crate) use read::{external_files, looks_like_model};
pub(crate) use runner::parse;
pub(crate) use tensors::sample_inputs;
