//! A project, opened: its settings, its store, every component, its registry and its runs.
//!
//! This is the only library that knows all components. The command line is built on it, and so is anything else that
//! works on a project: it never prints, and never ends the process.

mod automl;
mod components;
mod draft;
mod feature_sets;
mod mirror;
mod optuna;
mod project;
mod registry;
mod reproduce;
mod runs;
mod settings;

pub use automl::{
    Automl, AutomlChoices, Board, BoardRow, JudgedScore, METRICS, PIPELINE_FILE, SEARCH_FILE, automl_parts, completed,
};
pub use components::{all as components, connectors};
pub use draft::{Draft, DraftRequest, LabelDraft, SplitDraft, SplitRequest, Trial, try_out};
pub use feature_sets::{
    Added, FeatureSetFolder, KeptSet, Use, UsingModel, split_reference, transform_graphs_using, uses,
};
pub use mirror::Mirror;
pub use optuna::write_optuna;
pub use project::Project;
pub use registry::{DEFAULT_ALIAS, RegistrySource, find_version, split_spec};
pub use reproduce::{Reproduction, reproduce};
pub use runs::{RunHandle, RunSupervisor};
pub use settings::doubtful_variables;
pub use settings::{FILE_NAME as SETTINGS_FILE_NAME, PREFIX as VARIABLE_PREFIX, Settings, cache_dir, cores};
