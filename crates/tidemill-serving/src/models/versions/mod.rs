//! Which versions of which models are loaded, and which of them answers a request.
//!
//! [`Table`] only decides: listings and load results in, loads to start and a [`Snapshot`] out. [`Manager`] drives it:
//! it polls the source, loads off the async threads and publishes snapshots. Requests only see snapshots, so every
//! change is atomic for them.

mod counters;
#[cfg(test)]
mod interleavings;
mod loading;
mod manager;
mod served;
mod snapshot;
mod speed;
mod status;
mod table;
pub(crate) mod trial;

pub(crate) use counters::versions_text;
pub(crate) use loading::LoadOptions;
#[cfg(feature = "fuzzing")]
pub(crate) use loading::load_alone;
pub(crate) use manager::{Manager, ManagerOptions, Models};
pub(crate) use served::{ServedVersion, VersionTarget};
pub(crate) use snapshot::{ResolveError, Selector, Snapshot};
pub use status::{ModelStatus, VersionState, VersionStatus};
pub(crate) use table::Backoff;
