//! What `tidemill-evaluate` does, seen from outside. One binary, so that its crates are linked once.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod common;
mod evaluator;
mod finder;
mod gate;
mod laws;
mod own_metrics;
mod recorded;
mod report;
mod requested;
mod scikit_learn;
mod tfma;
