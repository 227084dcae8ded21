//! What `tidemill-serving` does, seen from outside. One binary, so that its crates are linked once.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod batching;
mod conformance_table;
mod dashboard;
mod endpoints;
mod equality;
mod foreign;
mod grpc_compressed;
mod grpc_open_inference;
mod grpc_server;
mod grpc_tf_serving;
mod hostile;
mod infra_validator;
mod input_checks;
mod jobs;
mod lifecycle;
mod model_logs;
mod models;
mod open_inference;
mod open_inference_types;
mod proto;
mod session;
mod tf_serving;
mod tf_serving_metrics;
mod traces;
mod transport;
