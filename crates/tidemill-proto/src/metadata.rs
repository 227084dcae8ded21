//! TensorFlow Metadata: statistics and schemas as TFDV and Facets exchange them (package `tensorflow.metadata.v0`).

#![allow(missing_docs, clippy::pedantic, clippy::all, reason = "generated")]

/// Every message, for the text format.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/metadata/descriptors.bin");

include!("generated/metadata/tensorflow.metadata.v0.rs");
