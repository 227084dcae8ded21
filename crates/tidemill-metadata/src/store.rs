//! The record of what happened.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;
use tidemill_core::Digest;

use crate::{
    Actor, Alias, AliasMove, ApprovalLog, Artifact, ArtifactFilter, ArtifactId, ArtifactRecord, Completed, Event,
    ExecutionError, ExecutionId, ExecutionRecord, ExecutionState, LineageDirection, LineageGraph, ModelRecord,
    ModelVersion, NewExecution, NewRun, NewVersion, RegisteredVersion, Run, RunFilter, RunId, RunState, RunValues,
    ScheduleLog, StoreError, VersionSpec,
};

/// The record of what happened: runs, executions, artifacts, events, and the model registry; with [`ScheduleLog`],
/// [`ApprovalLog`] and [`RunValues`] also schedules, approvals and the values of runs.
///
/// Every call that writes is one transaction: it happens completely or not at all. Several processes may use one store
/// at once. *Newest* means recorded last.
#[async_trait]
pub trait MetadataStore: ScheduleLog + ApprovalLog + RunValues {
    /// Records a run of this process as RUNNING. A tick of `new` becomes STARTED.
    ///
    /// [`StoreError::Conflict`] if the tick has ended, or has a run that was not abandoned.
    async fn create_run(&self, new: NewRun) -> Result<Run, StoreError>;

    /// Ends a RUNNING run. Its executions that are still RUNNING become CANCELED, and its tick becomes DONE.
    ///
    /// `state` must be final or WAITING. [`StoreError::Conflict`] if the run is not RUNNING.
    async fn finish_run(&self, id: &RunId, state: RunState, summary: Value) -> Result<Run, StoreError>;

    /// Makes a WAITING run RUNNING again, in this process and under `lease`. [`StoreError::Conflict`] in any other state.
    async fn resume_run(&self, id: &RunId, lease: &str) -> Result<Run, StoreError>;

    /// The run with this id, the only one whose id begins with it, or the newest for `last`.
    async fn run(&self, spec: &str) -> Result<Run, StoreError>;

    /// Runs that the filter admits, newest first.
    async fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Run>, StoreError>;

    /// Marks the leftovers of dead processes: every RUNNING run of the pipeline under `lease`, and its RUNNING executions,
    /// become FAILED with [`Code::Abandoned`](tidemill_core::Code::Abandoned). Returns the runs, oldest first.
    ///
    /// The caller holds the [lease](crate::RunLeases) and has not yet created a run of its own: this proves that the
    /// processes are dead, whatever became of their ids.
    async fn recover(&self, pipeline: &str, lease: &str) -> Result<Vec<RunId>, StoreError>;

    /// Records an execution as RUNNING, with its INPUT events.
    async fn start_execution(&self, new: NewExecution) -> Result<ExecutionId, StoreError>;

    /// Ends a RUNNING execution as COMPLETE: records the artifacts it wrote and the OUTPUT events.
    ///
    /// Returns the artifacts in the order of `outputs`; one that was recorded before (same type and digest)
    /// comes back as it was recorded. [`StoreError::Conflict`] if the execution is not RUNNING.
    async fn complete_execution(&self, id: &ExecutionId, done: Completed) -> Result<Vec<Artifact>, StoreError>;

    /// Ends a RUNNING execution as FAILED or CANCELED.
    async fn fail_execution(
        &self,
        id: &ExecutionId,
        state: ExecutionState,
        error: ExecutionError,
    ) -> Result<(), StoreError>;

    /// Records an execution as CACHED: its INPUT events are those of `new`, its outcome and OUTPUT events those
    /// of `cached_from`, which must be COMPLETE.
    async fn record_cached(&self, new: NewExecution, cached_from: &ExecutionId) -> Result<ExecutionId, StoreError>;

    /// The newest COMPLETE execution with this fingerprint, of any pipeline.
    async fn find_cached(&self, fingerprint: &Digest) -> Result<Option<ExecutionRecord>, StoreError>;

    /// The newest COMPLETE or CACHED execution of a step: a plan compares with it to report why the step would run.
    async fn last_execution(&self, pipeline: &str, step: &str) -> Result<Option<ExecutionRecord>, StoreError>;

    /// Executions of a run, oldest first.
    async fn executions(&self, run_id: &RunId) -> Result<Vec<ExecutionRecord>, StoreError>;

    /// Events of an execution: INPUT, then OUTPUT, each in the order given when it was recorded.
    async fn execution_events(&self, id: &ExecutionId) -> Result<Vec<Event>, StoreError>;

    /// The artifact with this id, or the only one whose digest begins with it (`Type:digest` restricts it to a type).
    async fn artifact(&self, spec: &str) -> Result<Artifact, StoreError>;

    /// Artifacts that the filter admits, newest first.
    async fn artifacts(&self, filter: &ArtifactFilter, limit: usize) -> Result<Vec<ArtifactRecord>, StoreError>;

    /// Makes artifacts DELETED, all of them or none: their bytes are going to be removed. A step that writes the same bytes
    /// again makes the artifact LIVE.
    ///
    /// [`StoreError::Conflict`] if one is the package of a version that an alias points to.
    async fn delete_artifacts(&self, ids: &[ArtifactId]) -> Result<(), StoreError>;

    /// The ancestors or descendants of an artifact. One hop leads over an execution to its artifacts.
    async fn lineage(
        &self,
        id: &ArtifactId,
        direction: LineageDirection,
        max_hops: u32,
    ) -> Result<LineageGraph, StoreError>;

    /// The model of this pipeline that was blessed last, other than those in `excluding`.
    ///
    /// A model is blessed by an execution, COMPLETE or CACHED, that reads it as `model`, writes a Blessing and has a
    /// positive verdict, provided no other execution of the same run rejected the model or failed on it.
    async fn latest_blessed_model(&self, pipeline: &str, excluding: &[Digest]) -> Result<Option<Artifact>, StoreError>;

    /// The artifact of the input `key` of a step when the step last passed, other than those in `excluding`.
    ///
    /// A step passes with an execution, COMPLETE or CACHED, that has a positive verdict.
    async fn last_accepted_input(
        &self,
        pipeline: &str,
        step: &str,
        key: &str,
        excluding: &[Digest],
    ) -> Result<Option<Artifact>, StoreError>;

    /// Registers a Model artifact as the next version of a registered model, which is created if the name is new.
    ///
    /// An artifact that is already a version of that model keeps its number and everything recorded with it.
    async fn register_version(&self, model: &str, new: NewVersion) -> Result<RegisteredVersion, StoreError>;

    /// Points an alias at a version, and adds the move to the history. If it already points there nothing changes,
    /// unless a person moved it and a run now confirms it: then the run is added to the history.
    async fn set_alias(&self, model: &str, alias: &str, version: u64, by: Actor) -> Result<Alias, StoreError>;

    /// Every registered model, by name.
    async fn models(&self) -> Result<Vec<ModelRecord>, StoreError>;

    /// One registered model.
    async fn model(&self, name: &str) -> Result<ModelRecord, StoreError>;

    /// One version of a registered model.
    async fn model_version(&self, model: &str, spec: &VersionSpec) -> Result<ModelVersion, StoreError>;

    /// Sets tags of a version: the given tags are replaced, the others stay. Nothing else about a version ever changes.
    async fn tag_version(
        &self,
        model: &str,
        spec: &VersionSpec,
        tags: BTreeMap<String, String>,
    ) -> Result<ModelVersion, StoreError>;

    /// Every move of every alias of a registered model, newest first.
    async fn alias_history(&self, model: &str) -> Result<Vec<AliasMove>, StoreError>;
}
