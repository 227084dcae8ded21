//! The pipeline: its file, its plan and its runs.
//!
//! Nothing here knows what a component does. A pipeline file is read against a set of [`Components`]; steps are
//! wired by artifact type; a fingerprint of everything a step depends on decides whether it runs; a pure
//! [`Scheduler`] decides when; the runner does it and records it.

mod components;
mod document;
mod file;
mod fingerprint;
mod inputs;
mod json_schema;
mod pipeline;
mod places;
mod plan;
mod references;
mod report;
mod runner;
mod scheduler;
mod step;
mod watch;
mod wiring;
mod workspace;
mod yaml;

pub use components::Components;
pub use document::Document;
pub use file::{FILE_NAME, LoadError, find};
pub use fingerprint::Ingredients;
pub use json_schema::pipeline_schema;
pub use pipeline::{Origin, Pipeline, Step, Wire};
pub use plan::{Action, Plan, PlannedStep};
pub use report::{Observer, RunReport, StepOutput, StepReport, StepState};
pub use runner::{CachePolicy, RunOptions, run};
pub use scheduler::{Command, Ending, Event, Scheduler, Skip, Task};
pub use watch::Sources;
pub use workspace::Workspace;
