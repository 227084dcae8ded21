//! The store in one SQLite file.

mod approvals;
mod artifacts;
mod executions;
mod lineage;
mod maintenance;
mod open;
mod registry;
mod rows;
mod runs;
mod ticks;
mod values;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::Value;
use sqlx::{Sqlite, SqlitePool, Transaction};
use tempfile::TempDir;
use tidemill_core::Digest;
use tokio::sync::{Mutex, MutexGuard};

use crate::lease::is_same_file;
use crate::{
    Actor, Alias, AliasMove, Artifact, ArtifactFilter, ArtifactId, ArtifactRecord, Completed, Event, ExecutionError,
    ExecutionId, ExecutionRecord, ExecutionState, LineageDirection, LineageGraph, MetadataStore, ModelRecord,
    ModelVersion, NewExecution, NewRun, NewVersion, RegisteredVersion, Run, RunFilter, RunId, RunState, StoreError,
    StoreId, VersionSpec,
};
pub use open::SCHEMA_VERSION;
pub(crate) use open::prepare_restored;

/// The store in one SQLite file: `.tidemill/metadata.db`.
///
/// ```text
/// .tidemill/
/// ├── metadata.db         the tables of `migrations/`; `PRAGMA user_version` is the schema version
/// ├── metadata.db-wal     the write-ahead log: the last transactions, until they are moved into the file
/// ├── metadata.db-shm     the index of that log
/// └── metadata.lock       locked by the process that makes or upgrades the file
/// ```
///
/// Any number of processes may use the file at once. A writer takes SQLite's write lock before it reads (`BEGIN
/// IMMEDIATE`) and waits for it up to half a minute, so "database is locked" does not occur in ordinary use; readers do
/// not wait. A committed transaction survives the death of the process; a power failure may lose the last ones, each
/// completely (WAL with `synchronous = NORMAL`). The end of a run and every change of the registry move the log into
/// the file, so that a copy of the file alone includes them.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    id: StoreId,
    pool: SqlitePool,
    /// The file as it was opened, to detect that it was removed or replaced.
    opened: Option<fs::Metadata>,
    /// Removed when the store is closed: the copy that is read if the original cannot be.
    _copy: Option<TempDir>,
    /// Writers of this process queue here, in order, rather than in SQLite's polling.
    writer: Mutex<()>,
}

/// A transaction that holds the write lock. Rolled back if dropped without a commit.
struct Write<'a> {
    tx: Transaction<'static, Sqlite>,
    _turn: MutexGuard<'a, ()>,
}

impl SqliteStore {
    /// Opens the store at `path`, and creates it if it does not exist.
    ///
    /// [`StoreError::Version`] if a newer version wrote it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let pool = open::open(path).await?;
        Self::with_pool(path, pool, None).await
    }

    /// Opens an existing store for commands that only read: this also works on a full or read-only disk.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let (pool, copy) = open::open_to_read(path).await?;
        Self::with_pool(path, pool, copy).await
    }

    async fn with_pool(path: &Path, pool: SqlitePool, copy: Option<TempDir>) -> Result<Self, StoreError> {
        let id: Option<String> = sqlx::query_scalar("SELECT id FROM store")
            .fetch_optional(&pool)
            .await
            .map_err(|error| StoreError::unavailable(path, error))?;
        let nameless = || StoreError::Corrupt { kind: "store", reason: "it has no id".to_owned() };
        let id = id.map(StoreId::from).ok_or_else(nameless)?;
        let opened = fs::metadata(path).ok();
        Ok(Self { path: path.to_owned(), id, pool, opened, _copy: copy, writer: Mutex::new(()) })
    }

    /// The id of the store, which stays the same if its folder moves.
    pub fn id(&self) -> &StoreId {
        &self.id
    }

    /// Closes the store after the calls in progress.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::unavailable(&self.path, error)
    }

    /// Checks that the file is still the one that was opened. Otherwise a long-running process would continue with an
    /// unlinked file, and never see the writes of others.
    fn require_file(&self) -> Result<(), StoreError> {
        let lost = |reason: &str| {
            let dir = self.path.parent().unwrap_or(&self.path).to_owned();
            Err(StoreError::Lost { dir, reason: reason.to_owned() })
        };
        match (&self.opened, fs::metadata(&self.path)) {
            (Some(opened), Ok(found)) if !is_same_file(opened, &found) => {
                lost("its database was replaced while this process used it; start the process again")
            }
            (Some(_), Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                lost("its database was removed while this process used it")
            }
            _ => Ok(()),
        }
    }

    async fn read(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.require_file()?;
        self.pool.begin().await.map_err(|error| self.failed(error))
    }

    async fn write(&self) -> Result<Write<'_>, StoreError> {
        self.require_file()?;
        let turn = self.writer.lock().await;
        let tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failed(error))?;
        Ok(Write { tx, _turn: turn })
    }

    async fn commit(&self, write: Write<'_>) -> Result<(), StoreError> {
        write.tx.commit().await.map_err(|error| self.failed(error))
    }
}

#[async_trait]
impl MetadataStore for SqliteStore {
    async fn create_run(&self, new: NewRun) -> Result<Run, StoreError> {
        self.insert_run(new).await
    }

    async fn finish_run(&self, id: &RunId, state: RunState, summary: Value) -> Result<Run, StoreError> {
        let run = self.end_run(id, state, summary).await?;
        self.checkpoint().await;
        Ok(run)
    }

    async fn resume_run(&self, id: &RunId, lease: &str) -> Result<Run, StoreError> {
        self.run_again(id, lease).await
    }

    async fn run(&self, spec: &str) -> Result<Run, StoreError> {
        self.find_run(spec).await
    }

    async fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.list_runs(filter, limit).await
    }

    async fn recover(&self, pipeline: &str, lease: &str) -> Result<Vec<RunId>, StoreError> {
        self.fail_abandoned(pipeline, lease).await
    }

    async fn start_execution(&self, new: NewExecution) -> Result<ExecutionId, StoreError> {
        self.insert_running(new).await
    }

    async fn complete_execution(&self, id: &ExecutionId, done: Completed) -> Result<Vec<Artifact>, StoreError> {
        self.complete(id, done).await
    }

    async fn fail_execution(
        &self,
        id: &ExecutionId,
        state: ExecutionState,
        error: ExecutionError,
    ) -> Result<(), StoreError> {
        self.fail(id, state, &error).await
    }

    async fn record_cached(&self, new: NewExecution, cached_from: &ExecutionId) -> Result<ExecutionId, StoreError> {
        self.insert_cached(new, cached_from).await
    }

    async fn find_cached(&self, fingerprint: &Digest) -> Result<Option<ExecutionRecord>, StoreError> {
        self.newest_complete(fingerprint).await
    }

    async fn last_execution(&self, pipeline: &str, step: &str) -> Result<Option<ExecutionRecord>, StoreError> {
        self.newest_of_step(pipeline, step).await
    }

    async fn executions(&self, run_id: &RunId) -> Result<Vec<ExecutionRecord>, StoreError> {
        self.executions_of_run(run_id).await
    }

    async fn execution_events(&self, id: &ExecutionId) -> Result<Vec<Event>, StoreError> {
        self.events_of(id).await
    }

    async fn artifact(&self, spec: &str) -> Result<Artifact, StoreError> {
        self.find_artifact(spec).await
    }

    async fn artifacts(&self, filter: &ArtifactFilter, limit: usize) -> Result<Vec<ArtifactRecord>, StoreError> {
        self.list_artifacts(filter, limit).await
    }

    async fn delete_artifacts(&self, ids: &[ArtifactId]) -> Result<(), StoreError> {
        self.mark_deleted(ids).await
    }

    async fn lineage(
        &self,
        id: &ArtifactId,
        direction: LineageDirection,
        max_hops: u32,
    ) -> Result<LineageGraph, StoreError> {
        self.walk(id, direction, max_hops).await
    }

    async fn latest_blessed_model(&self, pipeline: &str, excluding: &[Digest]) -> Result<Option<Artifact>, StoreError> {
        self.newest_blessed(pipeline, excluding).await
    }

    async fn last_accepted_input(
        &self,
        pipeline: &str,
        step: &str,
        key: &str,
        excluding: &[Digest],
    ) -> Result<Option<Artifact>, StoreError> {
        self.newest_accepted(pipeline, step, key, excluding).await
    }

    async fn register_version(&self, model: &str, new: NewVersion) -> Result<RegisteredVersion, StoreError> {
        self.insert_version(model, new).await
    }

    async fn set_alias(&self, model: &str, alias: &str, version: u64, by: Actor) -> Result<Alias, StoreError> {
        let alias = self.move_alias(model, alias, version, by).await?;
        self.checkpoint().await;
        Ok(alias)
    }

    async fn models(&self) -> Result<Vec<ModelRecord>, StoreError> {
        self.model_records(None).await
    }

    async fn model(&self, name: &str) -> Result<ModelRecord, StoreError> {
        self.find_model(name).await
    }

    async fn model_version(&self, model: &str, spec: &VersionSpec) -> Result<ModelVersion, StoreError> {
        self.find_version(model, spec).await
    }

    async fn tag_version(
        &self,
        model: &str,
        spec: &VersionSpec,
        tags: BTreeMap<String, String>,
    ) -> Result<ModelVersion, StoreError> {
        let version = self.set_tags(model, spec, tags).await?;
        self.checkpoint().await;
        Ok(version)
    }

    async fn alias_history(&self, model: &str) -> Result<Vec<AliasMove>, StoreError> {
        self.moves_of(model).await
    }
}
