//! What `tidemill-validation` does, seen from outside. One binary: each would link Arrow again.

#![allow(clippy::unwrap_used, missing_docs)]

mod alerts;
mod chance;
mod conformance;
mod drift;
mod report;
mod schema;
mod schema_files;
mod statistics;
mod statistics_file;
mod statistics_kinds;
mod statistics_options;
mod statistics_state;
mod validation;
mod validator;
mod weighted_validation;
