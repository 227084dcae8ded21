//! Ancestors and descendants of an artifact.

use serde::{Deserialize, Serialize};

use crate::{Artifact, Event, Execution};

/// The direction in which to follow the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineageDirection {
    /// To the artifacts it was made from.
    Up,
    /// To the artifacts made from it.
    Down,
}

/// The part of the record that is connected to an artifact.
///
/// Only COMPLETE executions appear: a CACHED one repeats the events of an earlier execution.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LineageGraph {
    /// Artifacts: the requested one first, then by distance, then in the order they were recorded.
    pub artifacts: Vec<Artifact>,
    /// Executions between them, by distance, then in the order they were recorded.
    pub executions: Vec<Execution>,
    /// Events whose artifact and execution are both in the graph.
    pub events: Vec<Event>,
}
