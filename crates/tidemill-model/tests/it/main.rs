//! What `tidemill-model` does, seen from outside. One binary, so that its crates are linked once.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test fails by panicking")]

mod common;
mod graph;
mod history;
mod hostile;
mod image;
mod package;
mod requests;
mod steps;
mod text_steps;
