//! The `Trainer` from outside: its step run over real files.
#![allow(missing_docs, clippy::unwrap_used)]

#[cfg(unix)]
mod command;
mod decide;
mod linear;
mod rolling;
mod support;
mod trainer;
