//! Flags of `automl`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidemill_cli::duration;

use crate::cli::InputArgs;

/// `automl`
#[derive(Debug, Args)]
pub struct AutomlArgs {
    /// Your data: a CSV, JSON lines, Parquet or Avro file, a folder of them, a glob or a URL
    pub file: PathBuf,
    /// The column to predict [default: a column called `label`, `target` or the like, or the last one]
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// The time of all together: `90s`, `5m` [default: 5m, and no limit with `--trials`]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub budget: Option<Duration>,
    /// Models to try, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub trials: Option<u64>,
    /// Models that are tried at once; they share the cores
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallel: u16,
    /// What is made as good as possible: `log_loss`, `auc`, `accuracy`, `rmse`, `mae` or `r2` [default: the loss of the task]
    #[arg(long, value_name = "METRIC", alias = "objective")]
    pub metric: Option<String>,
    /// A column of times: the newest rows are judged on
    #[arg(long, value_name = "COLUMN", conflicts_with = "group")]
    pub time: Option<String>,
    /// A column that several rows have in common, such as a customer: these rows stay together
    #[arg(long, value_name = "COLUMN")]
    pub group: Option<String>,
    /// What a row may take from raw input to prediction at the 99th percentile: `5ms`, `200us`
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_latency: Option<Duration>,
    /// Only models that can be read: linear and additive ones
    #[arg(long)]
    pub explain_only: bool,
    /// Folder of the project [default: the name of the data]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Name of the pipeline and the model [default: the name of the data]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Seed of the search
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Threads that may be kept busy [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub input: InputArgs,
}
