//! The pipeline: its file, its plan and its runs.
//!
//! The crate does not depend on any component. A pipeline file is checked against a set of [`Components`]; steps are
//! wired by artifact type; a fingerprint of everything a step depends on decides whether it runs; a pure [`Scheduler`]
//! decides when; the runner executes and records it.

mod components;
mod condition;
mod cost;
mod document;
mod expectations;
mod file;
mod fingerprint;
mod inputs;
mod json_schema;
mod launcher;
mod pipeline;
mod plan;
mod references;
mod report;
mod resume;
mod runner;
mod scheduler;
mod schedules;
mod selection;
mod source_map;
mod step;
mod values;
mod watch;
mod wiring;
mod workspace;
mod yaml;

pub use components::Components;
pub use condition::Condition;
pub use cost::Cost;
pub use document::Document;
pub use file::{FILE_NAME, LoadError, find};
pub use fingerprint::FingerprintInputs;
pub use json_schema::pipeline_schema;
pub use launcher::{ChildProcess, InProcess, Launcher, RetryDelay, StepResult};
pub use pipeline::{InputBinding, Origin, Pipeline, Step};
pub use plan::{Action, Plan, PlannedStep};
pub use report::{Observer, RunReport, StepOutput, StepReport, StepState};
pub use resume::check_same_pipeline;
pub use runner::{CachePolicy, RunOptions, begin_run, run, run_step};
pub use scheduler::{Command, Event, Scheduler, Skip, StepEnd, Task};
pub use selection::Selection;
pub use step::Attempt;
pub use tidemill_schedule as schedule;
pub use watch::WatchedInputs;
pub use workspace::{DamagedVersion, Workspace};
