//! Executions: attempts at steps.

use std::error::Error;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::{Code, Coded, ComponentError, Digest, Failure, Outcome};

use crate::error::{StoreError, unknown_state};
use crate::{Artifact, ArtifactId, ExecutionId, NewArtifact, RunId};

/// The state of an execution, named as in ML Metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionState {
    /// Not started.
    New,
    /// Running.
    Running,
    /// Completed; its outputs are recorded.
    Complete,
    /// Ended with an error; no outputs.
    Failed,
    /// Not run: its outputs are those of an earlier execution with the same fingerprint.
    Cached,
    /// Stopped; no outputs.
    Canceled,
}

impl ExecutionState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::New, Self::Running, Self::Complete, Self::Failed, Self::Cached, Self::Canceled];

    /// The name used in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::Cached => "CACHED",
            Self::Canceled => "CANCELED",
        }
    }

    /// Whether its outputs are recorded: COMPLETE or CACHED.
    pub const fn has_outputs(self) -> bool {
        matches!(self, Self::Complete | Self::Cached)
    }

    pub(crate) fn from_name(name: &str) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| unknown_state("execution", name))
    }
}

impl fmt::Display for ExecutionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The error of an execution that did not complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionError {
    /// The error code.
    pub code: Code,
    /// What went wrong.
    pub message: String,
    /// How to fix it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

impl ExecutionError {
    /// Creates the record of any error with a code.
    pub fn of(error: &dyn Coded) -> Self {
        Self { code: error.code(), message: error.to_string(), hint: error.hint(), causes: causes(error.source()) }
    }
}

impl From<&ComponentError> for ExecutionError {
    fn from(error: &ComponentError) -> Self {
        Self {
            code: error.code,
            message: error.message.clone(),
            hint: error.hint.clone(),
            causes: causes(error.source()),
        }
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        Self { hint: error.hint, causes: error.causes, ..Self::new(error.code, error.message) }
    }
}

fn causes(first: Option<&(dyn Error + 'static)>) -> Vec<String> {
    std::iter::successors(first, |&error| error.source()).map(ToString::to_string).collect()
}

/// One attempt at a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// The run it belongs to.
    pub run_id: RunId,
    /// The step's name.
    pub step: String,
    /// The component the step uses.
    pub component: String,
    /// Version of the component.
    pub component_version: u32,
    /// Its state.
    pub state: ExecutionState,
    /// Everything its outputs depend on, as one digest.
    pub fingerprint: Digest,
    /// The inputs of the fingerprint, in the caller's own shape: a plan compares them to report what changed.
    pub fingerprint_parts: Value,
    /// Parameters, with references resolved.
    pub params: Value,
    /// When it began.
    #[serde(with = "crate::millis")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(with = "crate::millis::option")]
    pub finished_at: Option<Timestamp>,
    /// The outcome, once COMPLETE or CACHED.
    pub outcome: Option<Outcome>,
    /// The error, once FAILED or CANCELED.
    pub error: Option<ExecutionError>,
    /// The execution whose outputs were used, if CACHED.
    pub cached_from: Option<ExecutionId>,
}

/// An execution with the artifacts it read and wrote, each by key in the order given when it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRecord {
    /// The execution.
    pub execution: Execution,
    /// Artifacts read.
    pub inputs: Vec<(String, Artifact)>,
    /// Artifacts written; empty unless COMPLETE or CACHED.
    pub outputs: Vec<(String, Artifact)>,
}

/// An execution to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExecution {
    /// The run it belongs to.
    pub run_id: RunId,
    /// The step's name.
    pub step: String,
    /// The component the step uses.
    pub component: String,
    /// Version of the component.
    pub component_version: u32,
    /// Everything its outputs depend on, as one digest.
    pub fingerprint: Digest,
    /// The inputs of the fingerprint.
    pub fingerprint_parts: Value,
    /// Parameters, with references resolved.
    pub params: Value,
    /// Artifacts read, by key. A key occurs once.
    pub inputs: Vec<(String, ArtifactId)>,
}

/// The result of a completed execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Completed {
    /// The fingerprint after the run: it differs for a component that writes back a file it reads.
    pub fingerprint: Digest,
    /// The inputs of the fingerprint.
    pub fingerprint_parts: Value,
    /// The outcome.
    pub outcome: Outcome,
    /// Artifacts written, by key; their bytes are already in the artifact store. A key occurs once.
    pub outputs: Vec<(String, NewArtifact)>,
}
