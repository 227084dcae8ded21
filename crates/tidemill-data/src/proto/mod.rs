//! The messages of TensorFlow Metadata: statistics and schemas as TFDV and Facets exchange them.
//!
//! Generated from `proto/` and committed (`tests/proto.rs` of `tidemill-serving` writes and checks them), so that
//! building needs no `protoc`. [`from_text`] and [`to_text`] are the text form (`.pbtxt`) of any of them.

mod descriptors;
mod text_print;
mod text_read;
mod text_tokens;

pub(crate) use text_print::to_text;
pub(crate) use text_read::{TextError, from_text};

/// The package `tensorflow.metadata.v0`.
#[allow(missing_docs, dead_code, unreachable_pub, clippy::pedantic, clippy::all, reason = "generated")]
pub(crate) mod metadata {
    include!("generated/tensorflow.metadata.v0.rs");
}
