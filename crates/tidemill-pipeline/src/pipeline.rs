//! A parsed and checked pipeline: steps with their components, parameters and bindings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use tidemill_core::{Component, ComponentSpec, Digest};

use tidemill_schedule::Schedule;

use crate::condition::Condition;
use crate::source_map::SourceMap;

/// A pipeline that passed every check that needs no data.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name: the namespace of its runs and of the search for baselines.
    pub name: String,
    /// The author's description.
    pub description: Option<String>,
    /// Parameters with overrides applied, as recorded: references to the environment are not resolved.
    pub params: Map<String, Value>,
    /// The file it was read from.
    pub file: PathBuf,
    /// Steps in an order in which each follows those it depends on; otherwise in file order.
    pub steps: Vec<Step>,
    /// What starts its runs, in the order of the file.
    pub schedules: Vec<Schedule>,
}

impl Pipeline {
    /// The folder of the file: relative paths in parameters start here. Empty if it is the current folder, so that a
    /// joined path reads as it was written.
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
    /// The component that does the work.
    pub component: Arc<dyn Component>,
    /// Its specification.
    pub spec: ComponentSpec,
    /// Parameters with references resolved: for the component only, as they may contain secrets.
    pub params: Value,
    /// The same as recorded and shown: references to the environment are not resolved.
    pub recorded: Value,
    /// Digests of the referenced environment variables, by reference (`${env.X}`).
    pub environment: BTreeMap<String, Digest>,
    /// The source of each input. An optional input that nothing provides has no binding.
    pub bindings: Vec<InputBinding>,
    /// Gates that must pass first, although the step reads no output of theirs.
    pub waits_for: Vec<usize>,
    /// How it takes part in a run.
    pub options: StepOptions,
    /// The positions of its parameters in the file.
    pub(crate) source_map: SourceMap,
}

/// How a step takes part in a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepOptions {
    /// How often it is retried after an error of its environment.
    pub retries: u32,
    /// Its failure does not fail the run.
    pub optional: bool,
    /// It runs after all other steps have ended, however they ended.
    pub cleanup: bool,
    /// It runs only if this holds.
    pub condition: Option<Condition>,
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

/// The source of an input.
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
    /// What the input `of` of the same step was when the step last passed, other than its current artifact.
    LastAccepted {
        /// The input.
        of: String,
    },
}
