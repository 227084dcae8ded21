//! Executions: one attempt at a step each.

use std::error::Error;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::{Code, Coded, ComponentError, Digest, Failure, Outcome};

use crate::error::{StoreError, unknown_state};
use crate::{Artifact, ArtifactId, ExecutionId, NewArtifact, RunId};

/// How far an execution is, named as in ML Metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionState {
    /// Not begun.
    New,
    /// At work.
    Running,
    /// Done; its outputs are recorded.
    Complete,
    /// Ended with an error; no outputs.
    Failed,
    /// Not needed: an earlier execution had the same fingerprint and its outputs were taken.
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

/// Why an execution did not complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionError {
    /// Which error of the catalogue it is.
    pub code: Code,
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What caused it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

impl ExecutionError {
    /// The record of any error with a code.
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
    /// How far it is.
    pub state: ExecutionState,
    /// Everything its outputs depend on, as one digest.
    pub fingerprint: Digest,
    /// What the fingerprint was made of, in the caller's own shape: kept so that a plan can say what changed.
    pub fingerprint_parts: Value,
    /// Parameters, references resolved.
    pub params: Value,
    /// When it began.
    #[serde(with = "crate::millis")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(with = "crate::millis::option")]
    pub finished_at: Option<Timestamp>,
    /// What came of it, once COMPLETE or CACHED.
    pub outcome: Option<Outcome>,
    /// Why it did not complete, once FAILED or CANCELED.
    pub error: Option<ExecutionError>,
    /// The execution whose outputs were taken, where CACHED.
    pub cached_from: Option<ExecutionId>,
}

/// An execution with what it read and wrote, each by key in the order given when it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRecord {
    /// The execution.
    pub execution: Execution,
    /// Artifacts read.
    pub inputs: Vec<(String, Artifact)>,
    /// Artifacts written; empty unless COMPLETE or CACHED.
    pub outputs: Vec<(String, Artifact)>,
}

/// An execution about to begin.
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
    /// What the fingerprint was made of.
    pub fingerprint_parts: Value,
    /// Parameters, references resolved.
    pub params: Value,
    /// Artifacts read, by key. A key occurs once.
    pub inputs: Vec<(String, ArtifactId)>,
}

/// What an execution ended with.
#[derive(Debug, Clone, PartialEq)]
pub struct Completed {
    /// The fingerprint again: a component that writes back a file it reads has another one after the run.
    pub fingerprint: Digest,
    /// What the fingerprint was made of.
    pub fingerprint_parts: Value,
    /// What came of it.
    pub outcome: Outcome,
    /// Artifacts written, by key, their bytes already in the artifact store. A key occurs once.
    pub outputs: Vec<(String, NewArtifact)>,
}
