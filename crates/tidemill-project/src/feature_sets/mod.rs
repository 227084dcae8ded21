//! Feature sets of a project: a folder with a file for each version.

mod file;
mod folder;
mod usage;

pub use folder::{Added, FeatureSetFolder, KeptSet, split_reference};
pub use usage::{Use, UsingModel, transform_graphs_using, uses};
