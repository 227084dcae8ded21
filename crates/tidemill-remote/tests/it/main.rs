//! What `tidemill-remote` does, seen from outside. One binary, so that its crates are linked once.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod databases;
mod sql_source;
