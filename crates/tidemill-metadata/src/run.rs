//! Runs: invocations of a pipeline.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{StoreError, unknown_state};
use crate::{RunId, TickId};

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunState {
    /// Its process is running, or has died without a report (see [`recover`](crate::MetadataStore::recover)).
    Running,
    /// A person has to decide something before it can go on. No process works on it.
    Waiting,
    /// Every step completed, and every verdict is positive.
    Complete,
    /// Every step completed, but a verdict is negative: an anomaly, a model not blessed.
    Rejected,
    /// A step failed, or the process died.
    Failed,
    /// A user stopped it.
    Canceled,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Waiting, Self::Complete, Self::Rejected, Self::Failed, Self::Canceled];

    /// The name used in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Waiting => "WAITING",
            Self::Complete => "COMPLETE",
            Self::Rejected => "REJECTED",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
        }
    }

    /// Whether the state is final.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Running | Self::Waiting)
    }

    pub(crate) fn from_name(name: &str) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| unknown_state("run", name))
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One invocation of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The pipeline's name.
    pub pipeline: String,
    /// Its state.
    pub state: RunState,
    /// When it began.
    #[serde(with = "crate::millis")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(with = "crate::millis::option")]
    pub finished_at: Option<Timestamp>,
    /// Parameters of the pipeline, as given.
    pub params: Value,
    /// The plan of the run, as the pipeline prints it.
    pub plan: Value,
    /// The runner's summary at the end.
    pub summary: Option<Value>,
    /// The process that executes it.
    pub pid: u32,
    /// The lease that this process holds.
    pub lease: String,
    /// The tick of a schedule that it is for.
    pub tick: Option<TickId>,
    /// Where it ran: code, machine, user.
    pub environment: Option<Value>,
}

impl Run {
    /// Whether its process died before it ended.
    pub fn is_abandoned(&self) -> bool {
        self.state == RunState::Failed && self.summary.is_none()
    }
}

/// A run to be started.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewRun {
    /// The pipeline's name.
    pub pipeline: String,
    /// Parameters of the pipeline.
    pub params: Value,
    /// The plan of the run.
    pub plan: Value,
    /// The lease that this process holds; empty for that of the pipeline.
    pub lease: String,
    /// The tick of a schedule that it is for.
    pub tick: Option<TickId>,
    /// Where it runs: code, machine, user.
    pub environment: Option<Value>,
}

/// Which runs to list. The default lists all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunFilter {
    /// Only runs of this pipeline.
    pub pipeline: Option<String>,
    /// Only runs in this state.
    pub state: Option<RunState>,
}
