//! Schedules: their ticks, and what became of them.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{StoreError, unknown_state};
use crate::{RunId, TickId};

/// The state of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TickState {
    /// It is to be run.
    Pending,
    /// A run of it was recorded, and has not ended.
    Started,
    /// Its run has ended, or waits for an approval.
    Done,
    /// Nothing ran it in time.
    Missed,
    /// It was not run, on purpose.
    Skipped,
}

impl TickState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Started, Self::Done, Self::Missed, Self::Skipped];

    /// The name used in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Started => "STARTED",
            Self::Done => "DONE",
            Self::Missed => "MISSED",
            Self::Skipped => "SKIPPED",
        }
    }

    /// Whether there is something left to do.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Started)
    }

    pub(crate) fn from_name(name: &str) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| unknown_state("tick", name))
    }
}

impl fmt::Display for TickState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One time that a schedule should run its pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// Its id.
    pub id: TickId,
    /// The pipeline's name.
    pub pipeline: String,
    /// The schedule's name.
    pub schedule: String,
    /// The time of the tick, or what a trigger saw: unique within the schedule.
    pub key: String,
    /// Its time.
    #[serde(with = "crate::millis")]
    pub at: Timestamp,
    /// The tick before it.
    #[serde(with = "crate::millis")]
    pub from: Timestamp,
    /// Parameters of its run, by name: overrides of those in the file.
    pub params: Value,
    /// It waits for those before it, instead of being skipped.
    pub in_turn: bool,
    /// Its state.
    pub state: TickState,
    /// Why it was missed, skipped, or started again.
    pub reason: Option<String>,
    /// The newest run of it.
    pub run_id: Option<RunId>,
    /// When it was recorded.
    #[serde(with = "crate::millis")]
    pub recorded_at: Timestamp,
    /// When nothing was left to do.
    #[serde(with = "crate::millis::option")]
    pub ended_at: Option<Timestamp>,
}

/// A tick to be recorded.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields of `Tick`")]
pub struct NewTick {
    pub key: String,
    pub at: Timestamp,
    pub from: Timestamp,
    pub params: Value,
    pub in_turn: bool,
    /// PENDING, MISSED or SKIPPED.
    pub state: TickState,
    pub reason: Option<String>,
}

/// How far the ticks of a schedule are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleProgress {
    /// The pipeline's name.
    pub pipeline: String,
    /// The schedule's name.
    pub schedule: String,
    /// The trigger as written.
    pub definition: String,
    /// The last tick.
    pub last: Timestamp,
    /// What a trigger saw last.
    pub cursor: Option<String>,
}

/// What the store knows about a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// The pipeline's name.
    pub pipeline: String,
    /// The schedule's name.
    pub schedule: String,
    /// The trigger as it was written when the last tick was recorded.
    pub definition: String,
    /// The last tick.
    #[serde(with = "crate::millis")]
    pub last: Timestamp,
    /// What a trigger saw last.
    pub cursor: Option<String>,
    /// Who paused it, if it is paused.
    pub paused_by: Option<String>,
    /// When it was paused.
    #[serde(with = "crate::millis::option")]
    pub paused_at: Option<Timestamp>,
}

/// Which ticks to list. The default lists all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TickFilter {
    /// Only ticks of this pipeline.
    pub pipeline: Option<String>,
    /// Only ticks of this schedule.
    pub schedule: Option<String>,
    /// Only ticks that are PENDING or STARTED.
    pub open: bool,
}

/// The record of schedules.
///
/// A run that is created for a tick makes it STARTED in the same transaction, and the end of that run makes it DONE. A
/// tick therefore has at most one run that was not abandoned, whenever a process dies.
#[async_trait]
pub trait ScheduleLog: Send + Sync {
    /// What is known about the schedules of a pipeline, by name.
    async fn schedules(&self, pipeline: &str) -> Result<Vec<ScheduleState>, StoreError>;

    /// Records ticks and how far the schedule has got, in one transaction. A tick whose key is known is left as it is.
    /// Returns those that were new.
    async fn record_ticks(&self, progress: ScheduleProgress, ticks: Vec<NewTick>) -> Result<Vec<Tick>, StoreError>;

    /// Pauses a schedule, or resumes it if `by` is `None`.
    async fn pause_schedule(&self, pipeline: &str, schedule: &str, by: Option<&str>) -> Result<(), StoreError>;

    /// Ticks that the filter admits: newest first, or oldest first if only open ones are asked for.
    async fn ticks(&self, filter: &TickFilter, limit: usize) -> Result<Vec<Tick>, StoreError>;

    /// Ends an open tick. [`StoreError::Conflict`] if it has ended already.
    async fn end_tick(&self, id: TickId, state: TickState, reason: Option<String>) -> Result<Tick, StoreError>;

    /// Makes a DONE or SKIPPED tick PENDING again.
    async fn reopen_tick(&self, id: TickId, reason: &str) -> Result<Tick, StoreError>;
}
