//! A pipeline, read and checked: steps with their components, parameters and bindings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use tidemill_core::{Component, ComponentSpec, Digest};

use crate::source_map::SourceMap;

/// A pipeline that passed every check that needs no data.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name: the namespace of its runs and of the search for baselines.
    pub name: String,
    /// What it is for, in the author's words.
    pub description: Option<String>,
    /// Parameters with overrides applied, as they are recorded: references to the environment stay what was written.
    pub params: Map<String, Value>,
    /// The file it was read from.
    pub file: PathBuf,
    /// Steps in an order in which every step comes after those it depends on; file order where that is free.
    pub steps: Vec<Step>,
}

impl Pipeline {
    /// The folder of the file: relative paths in parameters start here. Empty where that is the current folder, so
    /// that a joined path reads as it was written.
    pub fn project_dir(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// The index of the step called `name`.
    pub fn step_index(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.name == name)
    }
}

/// A use of a component.
#[derive(Clone)]
pub struct Step {
    /// The key in the file.
    pub name: String,
    /// What does the work.
    pub component: Arc<dyn Component>,
    /// Its specification.
    pub spec: ComponentSpec,
    /// Parameters with references resolved: for the component alone, they may hold secrets.
    pub params: Value,
    /// The same as they are recorded and shown: a reference to the environment stays what was written.
    pub recorded: Value,
    /// Digests of the environment variables referred to, by reference (`${env.X}`).
    pub environment: BTreeMap<String, Digest>,
    /// Where each input comes from. An optional input that nothing provides has no binding.
    pub bindings: Vec<InputBinding>,
    /// Gates that must say yes first although nothing of theirs is read.
    pub waits_for: Vec<usize>,
    /// How often it is tried again after an error of its surroundings.
    pub retries: u32,
    /// Where its parameters stand in the file.
    pub(crate) source_map: SourceMap,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("name", &self.name)
            .field("component", &self.spec.name)
            .field("params", &self.recorded)
            .field("bindings", &self.bindings)
            .field("waits_for", &self.waits_for)
            .finish_non_exhaustive()
    }
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputBinding {
    /// The input.
    pub key: String,
    /// Its origin.
    pub from: Origin,
}

/// The origin of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An output of another step of this pipeline.
    Step {
        /// The step's index.
        step: usize,
        /// Which of its outputs.
        output: String,
    },
    /// The newest blessed model of this pipeline other than the candidate.
    LatestBlessedModel,
    /// What the input `of` of the same step was when the step last said yes, other than what it is now.
    LastAccepted {
        /// The input.
        of: String,
    },
}
