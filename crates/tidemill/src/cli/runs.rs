//! Flags of `runs` and `log`.

use std::path::PathBuf;

use clap::Args;

use super::{ListArgs, name_value};

/// `runs`
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Only runs that fulfil this filter: `metrics.auc > 0.9 and params.rounds = '300'`
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Order of the runs: `metrics.auc DESC` [default: newest first]
    #[arg(long, value_name = "KEY [DESC]")]
    pub order_by: Vec<String>,
    /// Values to show: `metrics.auc,params.rounds` [default: those of the filter and the order]
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub show: Vec<String>,
    #[command(flatten)]
    pub list: ListArgs,
}

/// `log`
#[derive(Debug, Args)]
pub struct LogRunArgs {
    /// Log a new run of this experiment
    #[arg(long, value_name = "NAME", required_unless_present = "run")]
    pub experiment: Option<String>,
    /// Add to this run instead: `last`, an id or the start of one
    #[arg(long, value_name = "RUN", conflicts_with_all = ["experiment", "files"])]
    pub run: Option<String>,
    /// A setting; it never changes
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_value)]
    pub params: Vec<(String, String)>,
    /// A number that was measured, perhaps at a step: `loss=0.31@20`, `ratio=NaN`
    #[arg(long = "metric", value_name = "NAME=NUMBER[@STEP]", value_parser = name_value)]
    pub metrics: Vec<(String, String)>,
    /// A label
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = name_value)]
    pub tags: Vec<(String, String)>,
    /// A file or folder to keep with the run
    #[arg(long = "file", value_name = "PATH")]
    pub files: Vec<PathBuf>,
    /// The run did not work
    #[arg(long)]
    pub failed: bool,
}
