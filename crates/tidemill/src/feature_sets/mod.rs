//! Feature sets of a project: a folder with a file for each version.

mod file;
mod folder;

pub use folder::{FeatureSetFolder, KeptSet, split_reference};
