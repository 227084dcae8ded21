//! Flags of `monitor` and `feedback`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use tidemill_cli::duration;

/// `monitor`
#[derive(Debug, Subcommand)]
pub enum MonitorCommand {
    /// Write a monitor file for a model
    Init(MonitorInitArgs),
    /// Check a monitor file without running anything
    Check(MonitorArgs),
    /// Read the log, close windows, tell receivers, act
    ///
    /// Goes on until it is stopped; with `--once`, one round.
    Run(MonitorRunArgs),
    /// Show the last windows and the alerts
    ///
    /// Exit code 1 if an alert fires.
    Status(MonitorStatusArgs),
    /// Run a monitor over a log as it is, and show when it would have alerted
    ///
    /// Nothing is told, done or kept.
    Replay(MonitorReplayArgs),
    /// Show what an alert is about: causes, and rows that show them
    Explain(MonitorExplainArgs),
    /// Write what the windows of a period show as a page
    Report(MonitorReportArgs),
    /// Say that you look at an alert: it is not told again
    Ack(MonitorAckArgs),
    /// Tell nobody of alerts for a time
    Silence(MonitorSilenceArgs),
    /// Send a test alert to a receiver
    TestReceiver(MonitorTestArgs),
    /// Write the joined rows of a period, as training data
    Export(MonitorExportArgs),
}

/// A monitor file.
#[derive(Debug, Args)]
pub struct MonitorArgs {
    /// Monitor file, or the folder that holds `monitor.yaml`
    #[arg(default_value = ".")]
    pub path: PathBuf,
}

/// `monitor init`
#[derive(Debug, Args)]
pub struct MonitorInitArgs {
    /// The model
    pub model: String,
    /// The folder that `serve --log` writes to
    #[arg(long, value_name = "DIR", default_value = "log")]
    pub log: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE", default_value = "monitor.yaml")]
    pub out: PathBuf,
}

/// `monitor run`
#[derive(Debug, Args)]
pub struct MonitorRunArgs {
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// One round, and end
    #[arg(long)]
    pub once: bool,
    /// Take the log as complete: its last window is closed, and all labels are there
    #[arg(long, requires = "once")]
    pub complete: bool,
    /// How often to look for new files of the log
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1m")]
    pub every: Duration,
    /// Forget what was computed, and compute it again
    #[arg(long)]
    pub fresh: bool,
    /// Write gauges for Prometheus into this file after each round, for the textfile collector
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
}

/// `monitor status`
#[derive(Debug, Args)]
pub struct MonitorStatusArgs {
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// Maximum number of windows
    #[arg(short = 'n', long, default_value_t = 12)]
    pub limit: usize,
    /// Print gauges for Prometheus instead
    #[arg(long)]
    pub prometheus: bool,
}

/// `monitor replay`
#[derive(Debug, Args)]
pub struct MonitorReplayArgs {
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// Another folder of logs than the file names
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
    /// File to write the report to
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `monitor explain`
#[derive(Debug, Args)]
pub struct MonitorExplainArgs {
    /// The start of the alert's fingerprint, or a kind such as `drift` for its last alert
    pub alert: String,
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// Rows to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rows: usize,
}

/// `monitor report`
#[derive(Debug, Args)]
pub struct MonitorReportArgs {
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// File to write
    #[arg(long, value_name = "FILE", default_value = "monitor.html")]
    pub html: PathBuf,
    /// Only windows from this time on: `2026-03-01T00:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only windows before this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

/// `monitor ack`
#[derive(Debug, Args)]
pub struct MonitorAckArgs {
    /// The start of the alert's fingerprint, or its kind
    pub alert: String,
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// What you know of it
    #[arg(long, default_value = "")]
    pub note: String,
}

/// `monitor silence`
#[derive(Debug, Args)]
pub struct MonitorSilenceArgs {
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// Only alerts of this kind, such as `drift`
    #[arg(long)]
    pub kind: Option<String>,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", value_parser = tidemill_core::seconds_of_span)]
    pub seconds: u64,
    /// Why
    #[arg(long)]
    pub reason: String,
}

/// `monitor test-receiver`
#[derive(Debug, Args)]
pub struct MonitorTestArgs {
    /// The name of the receiver in the monitor file
    pub receiver: String,
    #[command(flatten)]
    pub monitor: MonitorArgs,
}

/// `monitor export`
#[derive(Debug, Args)]
pub struct MonitorExportArgs {
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// File to write: Parquet, CSV or JSON lines
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Only requests from this time on: `2026-03-01T00:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only requests before this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only labels that were known at this time [default: a request's own time plus the maturity]
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
}

/// `feedback`
#[derive(Debug, Subcommand)]
pub enum FeedbackCommand {
    /// Take in a file of feedback: JSON lines
    Add(FeedbackAddArgs),
    /// List predictions whose truth is worth a person's time, the least certain first
    Queue(FeedbackQueueArgs),
    /// Say what a prediction should have been
    Decide(FeedbackDecideArgs),
    /// Show what happened to labels, and how far the people who give them agree
    Status(MonitorArgs),
}

/// `feedback add`
#[derive(Debug, Args)]
pub struct FeedbackAddArgs {
    /// File of JSON lines; `-` is standard input
    pub file: PathBuf,
    /// The folder that `serve --log` writes to
    #[arg(long, value_name = "DIR", default_value = "log")]
    pub log: PathBuf,
}

/// `feedback queue`
#[derive(Debug, Args)]
pub struct FeedbackQueueArgs {
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// Maximum number of rows
    #[arg(short = 'n', long, default_value_t = 20)]
    pub limit: usize,
    /// Only requests from this time on: `2026-03-01T00:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
}

/// `feedback decide`
#[derive(Debug, Args)]
pub struct FeedbackDecideArgs {
    /// The name of the request
    pub request_id: String,
    /// The truth: a number, `true`, `false` or text
    pub label: String,
    #[command(flatten)]
    pub monitor: MonitorArgs,
    /// The row in the request
    #[arg(long, default_value_t = 0)]
    pub row: u64,
    /// Who decides [default: you]
    #[arg(long)]
    pub by: Option<String>,
}
