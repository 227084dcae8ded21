//! Records of artifacts, and the events that tie them to executions.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidemill_core::{ArtifactType, Digest, Properties};

use crate::error::{StoreError, unknown_state};
use crate::{ArtifactId, ExecutionId, RunId};

/// The life of an artifact, named as in ML Metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ArtifactState {
    /// Its bytes are in the artifact store.
    Live,
    /// Its bytes were deleted. The record stays: lineage leads over it.
    Deleted,
}

impl ArtifactState {
    /// The name used in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Deleted => "DELETED",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Self, StoreError> {
        [Self::Live, Self::Deleted]
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| unknown_state("artifact", name))
    }
}

impl fmt::Display for ArtifactState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The record of an artifact. There is one per type and digest, however often it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// Its type.
    pub artifact_type: ArtifactType,
    /// Digest of its content.
    pub digest: Digest,
    /// Total size of its files.
    pub bytes: u64,
    /// Number of its files.
    pub files: u64,
    /// Properties given by its maker when it was first recorded.
    pub properties: Properties,
    /// Its state.
    pub state: ArtifactState,
    /// When it was first recorded.
    #[serde(with = "crate::millis")]
    pub created_at: Timestamp,
}

/// An artifact to be recorded; its bytes are already in the artifact store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewArtifact {
    /// Its type.
    pub artifact_type: ArtifactType,
    /// Digest of its content.
    pub digest: Digest,
    /// Total size of its files.
    pub bytes: u64,
    /// Number of its files.
    pub files: u64,
    /// Properties given by its maker.
    pub properties: Properties,
}

/// The direction of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Direction {
    /// The execution read it.
    Input,
    /// The execution wrote it.
    Output,
}

impl Direction {
    /// The name used in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "INPUT",
            Self::Output => "OUTPUT",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Self, StoreError> {
        match name {
            "INPUT" => Ok(Self::Input),
            "OUTPUT" => Ok(Self::Output),
            _ => Err(unknown_state("event", name)),
        }
    }
}

/// An execution read or wrote an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The artifact.
    pub artifact_id: ArtifactId,
    /// The direction.
    pub direction: Direction,
    /// The name of the input or output: `examples`.
    pub key: String,
}

/// Which artifacts to list. The default lists all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArtifactFilter {
    /// Only artifacts of this type.
    pub artifact_type: Option<ArtifactType>,
    /// Only artifacts written (or taken from the cache) in a run of this pipeline.
    pub pipeline: Option<String>,
    /// Only artifacts written (or taken from the cache) in this run.
    pub run_id: Option<RunId>,
}

/// The origin of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// The execution that wrote it.
    pub execution_id: ExecutionId,
    /// Its run.
    pub run_id: RunId,
    /// The pipeline of the run.
    pub pipeline: String,
    /// The step.
    pub step: String,
    /// The name of the output.
    pub key: String,
}

/// An artifact with the newest of the admitted executions that wrote it or took it from the cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// The artifact.
    pub artifact: Artifact,
    /// Its origin.
    pub producer: Producer,
}
