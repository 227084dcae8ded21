//! Which versions of which models are loaded, and which of them answers a request.
//!
//! [`Table`] decides and does nothing: listings and load results in, loads to start and a [`Snapshot`] out.
//! [`Manager`] drives it: it asks the source, loads off the async threads and publishes snapshots. Requests only
//! ever see a snapshot, so every change they see is a single step.

#[cfg(test)]
mod interleavings;
mod manager;
mod served;
mod snapshot;
mod status;
mod table;

pub(crate) use manager::{Manager, ManagerOptions, Models};
pub(crate) use served::{LoadOptions, ServedVersion, versions_text};
pub(crate) use snapshot::{ResolveError, Selector, Snapshot};
pub use status::{ModelStatus, VersionState, VersionStatus};
pub(crate) use table::Backoff;
