//! The `Trainer` from outside: its step run over real files.
#![allow(missing_docs, clippy::unwrap_used)]

#[cfg(unix)]
mod command;
mod learners;
mod support;
mod trainer;
