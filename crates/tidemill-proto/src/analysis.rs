//! TensorFlow Model Analysis: its `EvalConfig` (package `tensorflow_model_analysis`).

#![allow(missing_docs, clippy::pedantic, clippy::all, reason = "generated")]

/// Every message, for the text format.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/analysis/descriptors.bin");

include!("generated/analysis/tensorflow_model_analysis.rs");
