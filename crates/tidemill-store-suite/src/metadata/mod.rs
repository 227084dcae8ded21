//! Cases for `MetadataStore`.

pub mod artifacts;
pub mod executions;
pub mod lineage;
pub mod registry;
pub mod runs;
pub mod world;
