//! What an artifact was made of, and what was made of it.

use serde::{Deserialize, Serialize};

use crate::{Artifact, Event, Execution};

/// Which way to follow the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineageDirection {
    /// To what it was made of.
    Up,
    /// To what was made of it.
    Down,
}

/// The part of the record that an artifact is tied to.
///
/// Only COMPLETE executions appear: a CACHED one repeats the events of the execution it was taken from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LineageGraph {
    /// Artifacts, the one asked for first, then by distance, then in the order they were recorded.
    pub artifacts: Vec<Artifact>,
    /// Executions between them, by distance, then in the order they were recorded.
    pub executions: Vec<Execution>,
    /// Events whose artifact and execution are both in the graph.
    pub events: Vec<Event>,
}
