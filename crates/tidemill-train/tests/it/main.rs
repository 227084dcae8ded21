//! The `Trainer` from outside: its step run over real files.
#![allow(missing_docs, clippy::unwrap_used)]

#[cfg(unix)]
mod command;
mod decide;
mod learners;
mod linear;
mod outputs;
mod ranking;
mod rolling;
mod start;
mod support;
mod trainer;
mod tuner;
