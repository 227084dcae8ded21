//! The report of a run.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill_core::{ArtifactType, Code, Digest, Kind, Outcome, Progress};
use tidemill_metadata::{Artifact, ExecutionError, Run, RunId, RunState};

use crate::cost::Cost;
use crate::pipeline::Pipeline;
use crate::workspace::DamagedVersion;

/// Receives the events of a run as they happen. Calls come from several threads.
pub trait Observer: Send + Sync {
    /// The run is recorded and begins.
    fn run_started(&self, run: &Run, pipeline: &Pipeline);
    /// A step begins to work (a cached one does not); returns the receiver of its progress.
    fn step_started(&self, step: usize) -> Arc<dyn Progress>;
    /// An attempt at a step failed, and the next one begins after `delay`. Attempts count from 1.
    fn step_retried(&self, step: usize, attempt: u32, error: &ExecutionError, delay: Duration) {
        let _ = (step, attempt, error, delay);
    }
    /// A step has ended.
    fn step_ended(&self, step: usize, report: &StepReport);
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The run.
    pub run_id: RunId,
    /// The pipeline's name.
    pub pipeline: String,
    /// How it ended.
    pub state: RunState,
    /// Wall-clock time.
    pub seconds: f64,
    /// What it used, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Steps in the order of the plan.
    pub steps: Vec<StepReport>,
    /// Model versions with an alias whose package is damaged after the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged_versions: Vec<DamagedVersion>,
}

impl RunReport {
    /// The exit code of a process that ran the pipeline once.
    pub fn exit_code(&self) -> u8 {
        match self.state {
            // The steps are done, but the model that is served from the store cannot be read.
            RunState::Complete if !self.damaged_versions.is_empty() => Kind::Environment.exit_code(),
            RunState::Complete => 0,
            RunState::Canceled => Kind::Interrupted.exit_code(),
            RunState::Failed | RunState::Running => {
                // With several errors the gravest decides: a bug, the environment, broken input.
                let errors = self.steps.iter().filter_map(|step| step.error.as_ref());
                errors.map(|error| error.code.exit_code()).max().unwrap_or(Kind::Bug.exit_code())
            }
            RunState::Rejected | RunState::Waiting => Kind::Verdict.exit_code(),
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StepState {
    /// It ran.
    Complete,
    /// It did not need to run.
    Cached,
    /// It failed.
    Failed,
    /// It was stopped.
    Canceled,
    /// It waits for a person.
    Waiting,
    /// It never began, because of another step or because the run was stopped.
    Skipped,
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step's name.
    pub step: String,
    /// Its component.
    pub component: String,
    /// How it ended.
    pub state: StepState,
    /// Wall-clock time of the last attempt.
    pub seconds: f64,
    /// Number of attempts.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub attempts: u32,
    /// The component's summary, for a step that ran or was cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The error code of a rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_with: Option<Code>,
    /// Why it failed, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ExecutionError>,
    /// Why it never began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_because: Option<String>,
    /// It was skipped because it was asked for: by a condition, a selection, or the failure of an optional step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_choice: bool,
    /// The artifacts it wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<StepOutput>,
}

impl StepReport {
    /// A report with only the names and the state.
    pub(crate) fn without_result(pipeline: &Pipeline, step: usize, state: StepState) -> Self {
        let step = &pipeline.steps[step];
        Self {
            step: step.name.clone(),
            component: step.spec.name.to_string(),
            state,
            seconds: 0.0,
            attempts: 1,
            outcome: None,
            rejected_with: None,
            error: None,
            skipped_because: None,
            by_choice: false,
            outputs: Vec::new(),
        }
    }

    /// The exit code of a process that ran just this step.
    pub fn exit_code(&self) -> u8 {
        match (self.state, &self.error) {
            (StepState::Canceled, _) => Kind::Interrupted.exit_code(),
            (StepState::Failed, Some(error)) => error.code.exit_code(),
            (StepState::Failed, None) => Kind::Bug.exit_code(),
            (StepState::Skipped | StepState::Waiting, _) => Kind::Verdict.exit_code(),
            (StepState::Complete | StepState::Cached, _) if self.is_rejected() => {
                self.rejected_with.unwrap_or(Code::Rejected).exit_code()
            }
            (StepState::Complete | StepState::Cached, _) => 0,
        }
    }

    /// Whether the step did its work, now or earlier, and its verdict is a rejection.
    pub fn is_rejected(&self) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| !outcome.verdict.passed())
    }
}

const fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_once(attempts: &u32) -> bool {
    *attempts == 1
}

/// An artifact that a step wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepOutput {
    /// The name of the output.
    pub key: String,
    /// What it is.
    #[serde(rename = "type")]
    pub artifact_type: ArtifactType,
    /// Digest of its content.
    pub digest: Digest,
}

impl StepOutput {
    /// What a report says of the artifacts that were recorded.
    pub(crate) fn of(outputs: &[(String, Artifact)]) -> Vec<Self> {
        let of = |(key, artifact): &(String, Artifact)| Self {
            key: key.clone(),
            artifact_type: artifact.artifact_type,
            digest: artifact.digest.clone(),
        };
        outputs.iter().map(of).collect()
    }
}
