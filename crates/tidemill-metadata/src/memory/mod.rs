//! The store in memory.

mod approvals;
mod executions;
mod queries;
mod registry;
mod runs;
mod ticks;
mod values;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tidemill_core::Digest;

use crate::{
    Actor, Alias, AliasMove, Approval, Artifact, ArtifactFilter, ArtifactId, ArtifactRecord, Completed, Event,
    Execution, ExecutionError, ExecutionId, ExecutionRecord, ExecutionState, LineageDirection, LineageGraph,
    MetadataStore, ModelRecord, ModelVersion, NewExecution, NewRun, NewVersion, RegisteredVersion, Run, RunFilter,
    RunId, RunState, RunValue, ScheduleState, StoreError, Tick, VersionSpec,
};

/// The store in memory: for tests, and for users who want no record. Gone when dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

/// Rows in the order they were recorded. A method that fails has changed nothing.
#[derive(Debug, Default)]
struct Tables {
    runs: Vec<Run>,
    executions: Vec<Execution>,
    artifacts: Vec<Artifact>,
    events: Vec<Event>,
    models: BTreeMap<String, ModelRecord>,
    moves: Vec<AliasMove>,
    schedules: BTreeMap<(String, String), ScheduleState>,
    ticks: Vec<Tick>,
    approvals: Vec<Approval>,
    /// The newest value of each key.
    values: Vec<(RunId, RunValue)>,
    /// The history of metrics.
    metrics: Vec<(RunId, RunValue)>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A panic in another thread leaves only complete rows: they are pushed after everything is checked.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MetadataStore for MemoryStore {
    async fn create_run(&self, new: NewRun) -> Result<Run, StoreError> {
        self.tables().create_run(new)
    }

    async fn finish_run(&self, id: &RunId, state: RunState, summary: Value) -> Result<Run, StoreError> {
        self.tables().finish_run(id, state, summary)
    }

    async fn resume_run(&self, id: &RunId, lease: &str) -> Result<Run, StoreError> {
        self.tables().resume_run(id, lease)
    }

    async fn run(&self, spec: &str) -> Result<Run, StoreError> {
        self.tables().run(spec)
    }

    async fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Run>, StoreError> {
        Ok(self.tables().runs(filter, limit))
    }

    async fn recover(&self, pipeline: &str, lease: &str) -> Result<Vec<RunId>, StoreError> {
        Ok(self.tables().recover(pipeline, lease))
    }

    async fn start_execution(&self, new: NewExecution) -> Result<ExecutionId, StoreError> {
        self.tables().insert_execution(new, None)
    }

    async fn complete_execution(&self, id: &ExecutionId, done: Completed) -> Result<Vec<Artifact>, StoreError> {
        self.tables().complete(id, done)
    }

    async fn fail_execution(
        &self,
        id: &ExecutionId,
        state: ExecutionState,
        error: ExecutionError,
    ) -> Result<(), StoreError> {
        self.tables().fail(id, state, error)
    }

    async fn record_cached(&self, new: NewExecution, cached_from: &ExecutionId) -> Result<ExecutionId, StoreError> {
        self.tables().insert_execution(new, Some(cached_from))
    }

    async fn find_cached(&self, fingerprint: &Digest) -> Result<Option<ExecutionRecord>, StoreError> {
        Ok(self.tables().find_cached(fingerprint))
    }

    async fn last_execution(&self, pipeline: &str, step: &str) -> Result<Option<ExecutionRecord>, StoreError> {
        Ok(self.tables().last_execution(pipeline, step))
    }

    async fn executions(&self, run_id: &RunId) -> Result<Vec<ExecutionRecord>, StoreError> {
        Ok(self.tables().executions(run_id))
    }

    async fn execution_events(&self, id: &ExecutionId) -> Result<Vec<Event>, StoreError> {
        self.tables().execution_events(id)
    }

    async fn artifact(&self, spec: &str) -> Result<Artifact, StoreError> {
        self.tables().artifact(spec)
    }

    async fn artifacts(&self, filter: &ArtifactFilter, limit: usize) -> Result<Vec<ArtifactRecord>, StoreError> {
        Ok(self.tables().artifacts(filter, limit))
    }

    async fn delete_artifacts(&self, ids: &[ArtifactId]) -> Result<(), StoreError> {
        self.tables().delete_artifacts(ids)
    }

    async fn lineage(
        &self,
        id: &ArtifactId,
        direction: LineageDirection,
        max_hops: u32,
    ) -> Result<LineageGraph, StoreError> {
        self.tables().lineage(id, direction, max_hops)
    }

    async fn latest_blessed_model(&self, pipeline: &str, excluding: &[Digest]) -> Result<Option<Artifact>, StoreError> {
        Ok(self.tables().latest_blessed_model(pipeline, excluding))
    }

    async fn last_accepted_input(
        &self,
        pipeline: &str,
        step: &str,
        key: &str,
        excluding: &[Digest],
    ) -> Result<Option<Artifact>, StoreError> {
        Ok(self.tables().last_accepted_input(pipeline, step, key, excluding))
    }

    async fn register_version(&self, model: &str, new: NewVersion) -> Result<RegisteredVersion, StoreError> {
        self.tables().register_version(model, new)
    }

    async fn set_alias(&self, model: &str, alias: &str, version: u64, by: Actor) -> Result<Alias, StoreError> {
        self.tables().set_alias(model, alias, version, by)
    }

    async fn models(&self) -> Result<Vec<ModelRecord>, StoreError> {
        Ok(self.tables().models.values().cloned().collect())
    }

    async fn model(&self, name: &str) -> Result<ModelRecord, StoreError> {
        self.tables().model(name).cloned()
    }

    async fn model_version(&self, model: &str, spec: &VersionSpec) -> Result<ModelVersion, StoreError> {
        self.tables().model(model)?.version(spec).cloned()
    }

    async fn tag_version(
        &self,
        model: &str,
        spec: &VersionSpec,
        tags: BTreeMap<String, String>,
    ) -> Result<ModelVersion, StoreError> {
        self.tables().tag_version(model, spec, tags)
    }

    async fn alias_history(&self, model: &str) -> Result<Vec<AliasMove>, StoreError> {
        self.tables().alias_history(model)
    }
}
