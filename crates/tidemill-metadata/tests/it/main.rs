//! What `tidemill-metadata` does, seen from outside. One binary, so that its crates are linked once.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod bytes;
mod conformance;
mod processes;
mod sqlite_file;
