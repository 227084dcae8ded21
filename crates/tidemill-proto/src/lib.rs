//! Protocol Buffers, for every crate that speaks a protocol of others.
//!
//! * [`wire`] reads the fields of a message where they lie, without building it.
//! * [`text`] reads and writes the text format (`.pbtxt`, the configuration files of TF Serving).
//! * [`tfrecord`] is the framing of record files, [`example`] the content of a `tf.Example`.
//! * [`metadata`], [`serving`] and [`analysis`] are generated messages: TensorFlow Metadata, TF Serving and the Open Inference
//!   Protocol, the configuration of TensorFlow Model Analysis.
//!   They are generated from `proto/` and committed, so that building needs no `protoc`; `tests/proto.rs` writes and checks
//!   them.

pub mod analysis;
pub mod example;
pub mod metadata;
pub mod serving;
pub mod text;
pub mod tfrecord;
pub mod wire;
