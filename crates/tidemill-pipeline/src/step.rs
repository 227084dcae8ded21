//! One step of a run: taken from the cache, or executed and recorded.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_core::{CancelFlag, Code, ComponentError, Digest, InputArtifact, Outcome, Progress, RunInfo, StepContext};
use tidemill_metadata::{
    Artifact, ArtifactStore, Completed, ExecutionError, ExecutionId, ExecutionState, NewArtifact, NewExecution, RunId,
};

use crate::fingerprint::FingerprintInputs;
use crate::inputs::{Outputs, Resolved, external_inputs, recorded, resolve};
use crate::launcher::{RetryDelay, StepResult};
use crate::pipeline::{Pipeline, Step};
use crate::report::{Observer, StepOutput, StepReport, StepState};
use crate::runner::{RunOptions, run_info};
use crate::workspace::Workspace;
use tokio::sync::watch;

/// The state shared by the steps of a run.
#[derive(Clone)]
pub(crate) struct RunContext {
    pub pipeline: Arc<Pipeline>,
    pub workspace: Workspace,
    pub options: RunOptions,
    pub run_id: RunId,
    pub observer: Arc<dyn Observer>,
    pub cancel: CancelFlag,
    /// Becomes `true` together with `cancel`, for async waiters.
    pub stopped: watch::Receiver<bool>,
}

/// One attempt at a step of a run, ready to run.
#[derive(Clone)]
pub struct Attempt {
    pub(crate) context: RunContext,
    pub(crate) step: usize,
    /// The artifacts of earlier steps.
    pub(crate) done: Outputs,
}

/// The result of a step's work.
struct Work {
    state: StepState,
    outcome: Outcome,
    outputs: Vec<(String, Artifact)>,
}

impl Attempt {
    /// The run that the step belongs to.
    pub fn run_id(&self) -> &RunId {
        &self.context.run_id
    }

    /// The name of the step.
    pub fn step_name(&self) -> &str {
        &self.step().name
    }

    /// Resolves when the run is being stopped.
    pub async fn stop_requested(&self) {
        let mut stopped = self.context.stopped.clone();
        if stopped.wait_for(|stopped| *stopped).await.is_err() {
            // The run is over without having been stopped.
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn workspace(&self) -> &Workspace {
        &self.context.workspace
    }

    pub(crate) fn retries(&self) -> u32 {
        self.step().options.retries
    }

    pub(crate) fn retry_delay(&self) -> RetryDelay {
        self.context.options.retry_delay
    }

    pub(crate) fn started(&self) -> Arc<dyn Progress> {
        self.context.observer.step_started(self.step)
    }

    pub(crate) fn retried(&self, attempt: u32, error: &ExecutionError, delay: Duration) {
        self.context.observer.step_retried(self.step, attempt, error, delay);
    }

    pub(crate) fn failed(&self, error: ExecutionError) -> StepReport {
        StepReport {
            error: Some(error),
            ..StepReport::without_result(&self.context.pipeline, self.step, StepState::Failed)
        }
    }

    fn step(&self) -> &Step {
        &self.context.pipeline.steps[self.step]
    }

    /// Runs the attempt in this process and records it. Errors are in the report.
    pub async fn execute(self) -> StepResult {
        let began = Instant::now();
        let work = self.attempt().await;
        let mut report = StepReport::without_result(&self.context.pipeline, self.step, StepState::Failed);
        report.seconds = began.elapsed().as_secs_f64();
        let mut outputs = BTreeMap::new();
        match work {
            Ok(work) => {
                report.state = work.state;
                if !work.outcome.verdict.passed() {
                    report.rejected_with = Some(self.step().component.rejection_code());
                }
                report.outcome = Some(work.outcome);
                report.outputs = StepOutput::of(&work.outputs);
                outputs = work.outputs.into_iter().collect();
            }
            Err(error) => {
                report.state = match error.code {
                    Code::Canceled => StepState::Canceled,
                    Code::Waiting => StepState::Waiting,
                    _ => StepState::Failed,
                };
                report.error = Some(error);
            }
        }
        StepResult { report, outputs }
    }

    async fn attempt(&self) -> Result<Work, ExecutionError> {
        let (context, step) = (&self.context, self.step());
        let resolved = match resolve(&context.pipeline, step, &self.done, &context.workspace).await {
            Ok(resolved) => resolved,
            Err(error) => {
                // The attempt is recorded even if it failed before its fingerprint was known.
                let secrets = &context.workspace.secrets;
                let nothing =
                    FingerprintInputs::new(&context.pipeline.name, step, BTreeMap::new(), Vec::new(), secrets);
                let id = self.start(step, &[], &nothing).await?;
                return Err(self.fail(&id, error).await);
            }
        };
        let fingerprint = resolved.fingerprint_inputs.fingerprint();
        let mut warnings = resolved.passed_over.clone();
        if !context.options.cache.skips(&step.name) {
            let cached = context.workspace.cached(&step.spec, &fingerprint).await.map_err(recorded)?;
            for damaged in &cached.damaged {
                context.workspace.quarantine(damaged).await.map_err(recorded)?;
                warnings.push(format!("{damaged}; the step runs again"));
            }
            if let Some(record) = cached.record {
                let new = self.new_execution(step, &resolved.inputs, &resolved.fingerprint_inputs);
                let metadata = &context.workspace.metadata;
                metadata.record_cached(new, &record.execution.id).await.map_err(recorded)?;
                let outcome = record.execution.outcome.unwrap_or_default();
                return Ok(Work { state: StepState::Cached, outcome, outputs: record.outputs });
            }
        }
        let id = self.start(step, &resolved.inputs, &resolved.fingerprint_inputs).await?;
        match self.perform(resolved, &id).await {
            // Reported once: the recorded outcome is repeated when the outputs come from the cache.
            Ok(mut work) => {
                work.outcome.warnings.splice(0..0, warnings);
                Ok(work)
            }
            Err(error) => Err(self.fail(&id, error).await),
        }
    }

    /// Runs the component and commits its outputs: bytes first, then the record.
    async fn perform(&self, resolved: Resolved, id: &ExecutionId) -> Result<Work, ExecutionError> {
        let (context, step) = (&self.context, self.step());
        let work = context.workspace.artifacts.work(resolved.fingerprint_inputs.fingerprint().as_str());
        let call = Call {
            step: step.clone(),
            project_dir: context.pipeline.project_dir().to_owned(),
            inputs: resolved.inputs.clone(),
            artifacts: context.workspace.artifacts.clone(),
            progress: self.started(),
            cancel: context.cancel.clone(),
            threads: context.options.threads,
            run: run_info(&context.pipeline, &context.run_id, &step.name),
            work: work.clone(),
        };
        let (outcome, outputs) =
            tokio::task::spawn_blocking(move || call.make()).await.map_err(|error| stopped(&step.name, error))??;
        let before = resolved.fingerprint_inputs;
        let external = external_inputs(&context.pipeline, step).await.map_err(|error| ExecutionError::from(&error))?;
        let secrets = &context.workspace.secrets;
        let inputs = before.inputs.clone();
        let fingerprint_inputs = FingerprintInputs::new(&context.pipeline.name, step, inputs, external, secrets);
        if !step.spec.writes_back && fingerprint_inputs.external != before.external {
            return Err(inputs_changed(&fingerprint_inputs, &before));
        }
        let keys: Vec<String> = outputs.iter().map(|(key, _)| key.clone()).collect();
        let completed = Completed {
            fingerprint: fingerprint_inputs.fingerprint(),
            fingerprint_parts: parts(&fingerprint_inputs),
            outcome: outcome.clone(),
            outputs,
        };
        let artifacts = context.workspace.metadata.complete_execution(id, completed).await.map_err(recorded)?;
        // Nobody needs it any more; what cannot be removed now is swept later.
        let _ = std::fs::remove_dir_all(&work);
        Ok(Work { state: StepState::Complete, outcome, outputs: keys.into_iter().zip(artifacts).collect() })
    }

    fn new_execution(
        &self,
        step: &Step,
        inputs: &[(String, Artifact)],
        fingerprint_inputs: &FingerprintInputs,
    ) -> NewExecution {
        NewExecution {
            run_id: self.run_id().clone(),
            step: step.name.clone(),
            component: step.spec.name.to_string(),
            component_version: step.spec.version,
            fingerprint: fingerprint_inputs.fingerprint(),
            fingerprint_parts: parts(fingerprint_inputs),
            params: step.recorded.clone(),
            inputs: inputs.iter().map(|(key, artifact)| (key.clone(), artifact.id.clone())).collect(),
        }
    }

    async fn start(
        &self,
        step: &Step,
        inputs: &[(String, Artifact)],
        fingerprint_inputs: &FingerprintInputs,
    ) -> Result<ExecutionId, ExecutionError> {
        self.workspace()
            .metadata
            .start_execution(self.new_execution(step, inputs, fingerprint_inputs))
            .await
            .map_err(recorded)
    }

    /// Records the failure and returns the error; errors of the recording itself are added as causes.
    async fn fail(&self, id: &ExecutionId, mut error: ExecutionError) -> ExecutionError {
        let state = match error.code {
            // A step that waits has no execution that goes on: the next attempt is another one.
            Code::Canceled | Code::Waiting => ExecutionState::Canceled,
            _ => ExecutionState::Failed,
        };
        if let Err(trouble) = self.workspace().metadata.fail_execution(id, state, error.clone()).await {
            error.causes.push(format!("and it could not be recorded: {trouble}"));
        }
        error
    }
}

/// The error for inputs that changed during the run, so that they no longer match the fingerprint. Recording the
/// outputs under it would attribute them to other data once the file is restored.
fn inputs_changed(after: &FingerprintInputs, before: &FingerprintInputs) -> ExecutionError {
    ExecutionError {
        code: Code::SourceUnreadable,
        message: format!("{} while it was read", after.changes_since(before).join(", ")),
        hint: Some("run again when it is not being written".to_owned()),
        causes: Vec::new(),
    }
}

fn parts(fingerprint_inputs: &FingerprintInputs) -> serde_json::Value {
    serde_json::to_value(fingerprint_inputs).expect("fingerprint_inputs are plain data with string keys")
}

/// The error for a component that panicked, with the panic's message.
fn stopped(step: &str, error: tokio::task::JoinError) -> ExecutionError {
    let said = error.try_into_panic().ok().map_or_else(|| "it was aborted".to_owned(), |panic| panic_text(&*panic));
    ExecutionError {
        code: Code::Internal,
        message: format!("step `{step}` stopped unexpectedly: {said}"),
        hint: Some("please report this; the run can be repeated, nothing half-written is visible".to_owned()),
        causes: Vec::new(),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Everything that one call of a component needs, without async.
struct Call {
    step: Step,
    project_dir: PathBuf,
    inputs: Vec<(String, Artifact)>,
    artifacts: Arc<dyn ArtifactStore>,
    progress: Arc<dyn Progress>,
    cancel: CancelFlag,
    threads: usize,
    run: RunInfo,
    /// The folder of unfinished work.
    work: PathBuf,
}

impl Call {
    fn make(self) -> Result<(Outcome, Vec<(String, NewArtifact)>), ExecutionError> {
        let store = |error| recorded(error);
        let mut inputs = BTreeMap::new();
        for (key, artifact) in self.inputs {
            // Compared with its digest here, off the async threads: it may be large.
            let path = self.artifacts.get(artifact.artifact_type, &artifact.digest).map_err(store)?;
            let Artifact { artifact_type, digest, properties, .. } = artifact;
            inputs.insert(key, InputArtifact { artifact_type, digest, path, properties });
        }
        let mut staged = BTreeMap::new();
        let mut folders: BTreeMap<String, PathBuf> = BTreeMap::new();
        for output in &self.step.spec.outputs {
            let stage = self.artifacts.stage().map_err(store)?;
            folders.insert(output.key.to_string(), stage.path().to_owned());
            staged.insert(output.key.clone(), stage);
        }
        let context = StepContext {
            params: &self.step.params,
            project_dir: &self.project_dir,
            inputs: &inputs,
            outputs: &folders,
            progress: &*self.progress,
            cancel: &self.cancel,
            threads: self.threads,
            run: &self.run,
            work: Some(&self.work),
        };
        let outcome = self.step.component.run(&context).map_err(|error: ComponentError| ExecutionError {
            message: self.step.source_map.locate(&error.place, &error.message),
            ..ExecutionError::from(&error)
        })?;
        // Completed work is kept, even if the run is being stopped: a model may already have been pushed.
        let mut outputs = Vec::new();
        for output in &self.step.spec.outputs {
            let Some(stage) = staged.remove(&output.key) else { continue };
            let stored = self.artifacts.commit(stage, output.artifact_type).map_err(store)?;
            let digest: Digest = stored.digest;
            let properties = outcome.properties.get(&*output.key).cloned().unwrap_or_default();
            outputs.push((
                output.key.to_string(),
                NewArtifact {
                    artifact_type: output.artifact_type,
                    digest,
                    bytes: stored.bytes,
                    files: stored.files,
                    properties,
                },
            ));
        }
        Ok((outcome, outputs))
    }
}
