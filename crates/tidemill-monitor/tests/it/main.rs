//! Tests of the crate from outside.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod log;
mod nannyml;
mod watch;
mod world;
