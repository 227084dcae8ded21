//! What `tidemill-data` does, seen from outside. One binary: each would link Arrow again.

#![allow(clippy::unwrap_used, missing_docs)]

mod avro;
mod bad_input;
mod blobs;
mod csv;
mod example_gen;
mod json;
mod parquet;
mod sample;
mod tables;
mod tfrecord;
