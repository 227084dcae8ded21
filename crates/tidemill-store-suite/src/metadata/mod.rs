//! Cases for `MetadataStore`.

pub mod approvals;
pub mod artifacts;
pub mod executions;
pub mod lineage;
pub mod registry;
pub mod runs;
pub mod schedules;
pub mod values;
pub mod world;
