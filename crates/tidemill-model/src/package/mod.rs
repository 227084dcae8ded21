//! The model package: a folder with everything a model needs.

mod card;
mod files;
mod manifest;
mod read;
mod sample;
mod schema;
mod write;

pub use card::model_card;
pub use files::read_bounded;
pub(crate) use files::{read_versioned, to_pretty_json, write_file};
pub use manifest::{FileEntry, LearnerInfo, Manifest};
pub(crate) use read::{Contents, read_package};
pub use sample::{SampleReport, SampleRow};
pub use schema::{add_schema, package_schema};
pub use write::{Exporter, PackageParts, write_package, write_package_with};
