//! What `tidemill-onnx` does, seen from outside. One binary, so that its crates are linked once.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

#[path = "../onnx_support/mod.rs"]
mod onnx_support;

mod export;
mod foreign;
mod hostile;
mod inspect;
mod onnx;
mod operators;
mod proto;
