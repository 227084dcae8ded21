//! Flags of `inference-log`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use tidemill_cli::duration;

/// `inference-log`
#[derive(Debug, Subcommand)]
pub enum InferenceLogCommand {
    /// Show what a log holds: rows, hours, gaps, files that are not read
    Status(LogDirArgs),
    /// Write rows of a file as if the server had answered them: a batch job, or a history to replay
    Import(LogImportArgs),
    /// Move the rows of complete files into a Parquet file for each hour
    Compact(LogCompactArgs),
    /// Remove what is older than it may be
    Prune(LogPruneArgs),
    /// Erase the rows of a person, and the feedback on them
    Erase(LogEraseArgs),
}

/// A log.
#[derive(Debug, Args)]
pub struct LogDirArgs {
    /// Folder that `serve --log` writes to
    pub dir: PathBuf,
    /// Only the log of this model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
}

/// `inference-log import`
#[derive(Debug, Args)]
pub struct LogImportArgs {
    /// A CSV, JSON lines, Parquet or Avro file, a folder of them, a glob or a URL
    pub file: PathBuf,
    /// The model that answers: `taxi-tips`, `taxi-tips@champion`, `taxi-tips:7`
    #[arg(long)]
    pub model: String,
    /// The folder of the log
    #[arg(long, value_name = "DIR", default_value = "log")]
    pub log: PathBuf,
    /// The time of the first row: `2026-03-01` or `2026-03-01T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// The period over which the rows are spread
    #[arg(long = "for", value_name = "DURATION", value_parser = tidemill_core::seconds_of_span, default_value = "1d")]
    pub seconds: u64,
    /// Take the label of each row as feedback that became known this long after the request
    #[arg(long, value_name = "DURATION", value_parser = tidemill_core::seconds_of_span)]
    pub feedback_after: Option<u64>,
    /// What the names of requests begin with [default: the time of `--from`]
    #[arg(long, value_name = "TEXT")]
    pub request_prefix: Option<String>,
    #[command(flatten)]
    pub input: super::InputArgs,
}

/// `inference-log compact`
#[derive(Debug, Args)]
pub struct LogCompactArgs {
    #[command(flatten)]
    pub log: LogDirArgs,
    /// Leave files that were begun less than this ago: their hour is still filling
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
    pub hold: Duration,
}

/// `inference-log prune`
#[derive(Debug, Args)]
pub struct LogPruneArgs {
    #[command(flatten)]
    pub log: LogDirArgs,
    /// How long rows are kept: `90d`, `720h`
    #[arg(long, value_name = "DURATION", value_parser = tidemill_core::seconds_of_span)]
    pub keep: u64,
    /// Count what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `inference-log erase`
#[derive(Debug, Args)]
pub struct LogEraseArgs {
    #[command(flatten)]
    pub log: LogDirArgs,
    /// The column that says whose a row is
    #[arg(long, value_name = "COLUMN")]
    pub column: String,
    /// A value of it; may be given more than once
    #[arg(long = "value", value_name = "VALUE", required = true)]
    pub values: Vec<String>,
    /// File with the key, if the server hashes the column (`--log-hash-key`)
    #[arg(long, value_name = "FILE")]
    pub hash_key: Option<PathBuf>,
}
