//! What happened: runs, executions, artifacts and the events between them, registered models with their
//! versions and aliases; schedules with their ticks, and approvals; and the bytes of artifacts.
//!
//! [`MetadataStore`] records, [`ArtifactStore`] stores the bytes, named by their digest, and [`RunLeases`] prevents two
//! concurrent runs of one pipeline. Each is a trait with a local implementation ([`SqliteStore`],
//! [`FolderArtifactStore`], [`FolderLeases`]) and one in memory, and each has a conformance suite that all of them
//! pass. [`StoreFolder`] combines the three in one folder: `.tidemill`.
//!
//! Bytes come first: an artifact is committed to the [`ArtifactStore`], then recorded in the
//! [`MetadataStore`] in the same transaction that completes its execution. A process killed in between leaves
//! a folder that nothing refers to and that the next run reuses.

mod approval;
mod artifact;
mod artifact_store;
mod error;
mod execution;
mod id;
mod lease;
mod lineage;
mod memory;
mod millis;
mod registry;
mod rules;
mod run;
mod schedule;
mod search;
mod secret;
mod sqlite;
mod store;
mod store_folder;
mod values;

pub use approval::{Approval, ApprovalFilter, ApprovalLog, ApprovalState, Decision, NewApproval};
pub use artifact::{Artifact, ArtifactFilter, ArtifactRecord, ArtifactState, Direction, Event, NewArtifact, Producer};
pub use artifact_store::{
    ArtifactStore, ContentList, Damage, DamageKind, FolderArtifactStore, MemoryArtifactStore, Staged, StoredArtifact,
};
pub use error::StoreError;
pub use execution::{Completed, Execution, ExecutionError, ExecutionRecord, ExecutionState, NewExecution};
pub use id::{ApprovalId, ArtifactId, ExecutionId, RunId, StoreId, TickId};
pub use lease::{FolderLeases, MemoryLeases, RunLease, RunLeases};
pub use lineage::{LineageDirection, LineageGraph};
pub use memory::MemoryStore;
pub use registry::{
    Actor, Alias, AliasMove, ModelRecord, ModelVersion, NewVersion, RegisteredModel, RegisteredVersion, VersionSpec,
    check_alias_name, check_model_name,
};
pub use run::{NewRun, Run, RunFilter, RunState};
pub use schedule::{NewTick, ScheduleLog, ScheduleProgress, ScheduleState, Tick, TickFilter, TickState};
pub use search::{Clause, Comparator, Entity, FoundRun, Literal, OrderBy, RunSearch, RunValue, SearchError, ValueKind};
pub use secret::SecretKey;
pub use sqlite::{SCHEMA_VERSION, SqliteStore};
pub use store::MetadataStore;
pub use store_folder::{ArtifactFinding, BackupReport, CheckReport, OpenStore, StoreFolder, StoreState};
pub use values::RunValues;
