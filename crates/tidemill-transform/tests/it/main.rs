//! What `tidemill-transform` does, seen from outside. One binary, so that its crates are linked once.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test fails by panicking")]

mod component;
mod config;
mod constants;
mod fit;
mod history;
mod more_steps;
mod rank;
mod sets;
mod spans;
mod steps;
