//! What happened: runs, executions, artifacts and the events between them, registered models with their
//! versions and aliases; and the bytes of artifacts on disk.
//!
//! [`MetadataStore`] is the record, with an embedded implementation ([`SqliteStore`]) and one in memory
//! ([`MemoryStore`]); both pass one conformance suite. [`ArtifactStore`] holds the bytes, named by their
//! digest. [`RunLock`] keeps two runs of one pipeline apart.
//!
//! Bytes come first: an artifact is committed to the [`ArtifactStore`], then recorded in the
//! [`MetadataStore`] in the same transaction that completes its execution. A process killed in between leaves
//! a folder that nothing refers to and that the next run reuses.

mod artifact;
mod bytes;
mod error;
mod execution;
mod id;
mod lineage;
mod lock;
mod memory;
mod millis;
mod registry;
mod rules;
mod run;
mod sqlite;
mod store;

pub use artifact::{Artifact, ArtifactFilter, ArtifactRecord, ArtifactState, Direction, Event, NewArtifact, Producer};
pub use bytes::{ArtifactStore, Staged, StoredArtifact};
pub use error::StoreError;
pub use execution::{Completed, Execution, ExecutionError, ExecutionRecord, ExecutionState, NewExecution};
pub use id::{ArtifactId, ExecutionId, RunId};
pub use lineage::{LineageDirection, LineageGraph};
pub use lock::RunLock;
pub use memory::MemoryStore;
pub use registry::{
    Alias, AliasMove, ModelRecord, ModelVersion, Mover, NewVersion, RegisteredModel, RegisteredVersion, VersionSpec,
    check_alias_name, check_model_name,
};
pub use run::{NewRun, Run, RunFilter, RunState};
pub use sqlite::{SCHEMA_VERSION, SqliteStore};
pub use store::MetadataStore;
