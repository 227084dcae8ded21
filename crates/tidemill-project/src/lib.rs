//! A project, opened: its settings, its store, every component, its registry and its runs.
//!
//! This is the only library that knows all components. The command line is built on it, and so is anything else that
//! works on a project: it never prints, and never ends the process.

mod alias_policy;
mod automl;
mod backfill;
mod components;
mod custom;
mod draft;
mod endpoints;
mod environment;
mod feature_sets;
mod gc;
mod jobs;
mod mirror;
mod monitors;
mod open_lineage;
mod optuna;
mod orchestrator;
mod project;
mod registry;
mod reproduce;
mod runs;
mod settings;
mod sql;

pub use alias_policy::{AliasPolicy, AliasRequest};
pub use automl::{
    Automl, AutomlChoices, Board, BoardRow, JudgedScore, METRICS, PIPELINE_FILE, SEARCH_FILE, automl_parts, completed,
};
pub use backfill::{
    BACKFILL_PREFIX, BackfillOptions, BackfillRequest, BackfillValue, backfill_values, plan_backfill, run_backfill,
};
pub use components::{all as components, connectors};
pub use custom::{CustomComponent, custom_components};
pub use draft::{Draft, DraftRequest, LabelDraft, SplitDraft, SplitRequest, Trial, try_out};
pub use endpoints::{
    CheckedEndpoint, EndpointAction, EndpointChange, EndpointFile, EndpointFolder, EndpointRevision, EndpointSource,
    changes_between,
};
pub use environment::{environment, user};
pub use feature_sets::{
    Added, FeatureSetFolder, KeptSet, Use, UsingModel, split_reference, transform_graphs_using, uses,
};
pub use gc::{GcPolicy, GcReport, gc};
pub use jobs::SqliteJobs;
pub use mirror::Mirror;
pub use monitors::{
    Acted, OpenMonitor, References, Tick, act, export_joined, monitor_state_dir, read_monitor_file, tick, watch_monitor,
};
pub use open_lineage::open_lineage_events;
pub use optuna::write_optuna;
pub use orchestrator::{Notice, Orchestrator, OrchestratorOptions, Waiting, overrides, signature, waiting_approvals};
pub use project::Project;
pub use registry::{DEFAULT_ALIAS, RegistrySource, find_version, split_spec};
pub use reproduce::{Reproduction, reproduce};
pub use runs::{RunHandle, RunSupervisor};
pub use settings::doubtful_variables;
pub use settings::{FILE_NAME as SETTINGS_FILE_NAME, PREFIX as VARIABLE_PREFIX, Settings, cache_dir, cores};
pub use sql::rules;
