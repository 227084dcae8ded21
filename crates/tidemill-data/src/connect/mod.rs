//! Data that is elsewhere: the contract that object stores and databases are read through, and how what they hold
//! becomes files of this machine.
//!
//! This crate speaks no protocol itself. A program that wants `s3://` or `postgres://` hands it [`Connectors`].

mod connectors;
mod contract;
mod listing;
mod spool;

pub use connectors::{Connectors, dataset_name};
pub use contract::{Database, FileStore, Query, QueryValue, RemoteFile};
pub(crate) use listing::{Listing, Tree};
pub(crate) use spool::Spool;

use std::path::Path;

/// The scheme and the rest of `s3://bucket/key`; `None` for a path of this machine.
pub(crate) fn split_url(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(plain)).then_some((scheme, rest))
}

/// Whether a path is a URL, so that it does not start at any folder.
pub(crate) fn is_url(path: &Path) -> bool {
    path.to_str().is_some_and(|text| split_url(text).is_some())
}
