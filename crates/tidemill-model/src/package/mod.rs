//! The model package: a folder with everything a model needs.

mod files;
mod manifest;
mod sample;
mod write;

pub(crate) use files::{digest, read_bounded, read_versioned, to_pretty_json, write_file};
pub use manifest::{FileEntry, LearnerInfo, Manifest};
pub use sample::{SampleReport, SampleRow};
pub use write::{PackageParts, write_package};
