//! Flags of `up`, `schedules`, `backfill`, `approvals` and `retry`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Subcommand};

use tidemill_cli::duration;

use super::{LauncherName, ListArgs, ServeArgs, name_value};

/// `up`
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Address that receives signed requests: `POST /hooks/SCHEDULE`, `POST /approvals/ID`
    #[arg(long, value_name = "ADDRESS")]
    pub hooks: Option<SocketAddr>,
    /// Run the schedules only, without the model server
    #[arg(long)]
    pub no_serve: bool,
    /// Do not run the monitors of the project (`monitor.yaml`, `monitors/*.yaml`)
    #[arg(long)]
    pub no_monitors: bool,
    /// How often monitors read what is new in the log
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    pub monitor_every: Duration,
    /// Threads a step may keep busy [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Where steps run
    #[arg(long, value_name = "LAUNCHER", default_value = "in-process")]
    pub launcher: LauncherName,
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// `schedules`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SchedulesArgs {
    #[command(subcommand)]
    pub command: Option<SchedulesCommand>,
    /// Number of next ticks to show
    #[arg(short = 'n', long, default_value_t = 5)]
    pub next: usize,
}

/// `schedules …`
#[derive(Debug, Subcommand)]
pub enum SchedulesCommand {
    /// List what became of past ticks, newest first
    History(HistoryOfScheduleArgs),
    /// Pause a schedule: its ticks are recorded as SKIPPED
    Pause(ScheduleArgs),
    /// Resume a schedule
    Resume(ScheduleArgs),
}

/// `schedules pause`
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    /// The schedule, as the pipeline file names it
    pub schedule: String,
}

/// `schedules history`
#[derive(Debug, Args)]
pub struct HistoryOfScheduleArgs {
    /// Only ticks of this schedule
    pub schedule: Option<String>,
    #[command(flatten)]
    pub list: ListArgs,
}

/// `backfill`
#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// The parameter and its values: `span=1..30`, `day=2026-01-01..2026-01-31`, `region=north,south`
    #[arg(value_name = "NAME=VALUES", value_parser = name_value)]
    pub values: (String, String),
    /// Runs at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub parallel: u32,
    /// Name of the backfill: a value of the same name runs once [default: the name of the parameter]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Run values again whose run failed, was rejected or was stopped
    #[arg(long)]
    pub retry_failed: bool,
    /// Only show what would run
    #[arg(long)]
    pub dry_run: bool,
    /// Override another parameter of the pipeline file
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_value)]
    pub params: Vec<(String, String)>,
    /// Threads a step may keep busy [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Where steps run
    #[arg(long, value_name = "LAUNCHER", default_value = "in-process")]
    pub launcher: LauncherName,
}

/// `approvals`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ApprovalsArgs {
    #[command(subcommand)]
    pub command: Option<ApprovalsCommand>,
    #[command(flatten)]
    pub list: ApprovalsListArgs,
}

/// `approvals …`
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// List what waits for a decision
    List(ApprovalsListArgs),
    /// Show what is to be decided, and on what
    Show(ApprovalArgs),
    /// Approve: the run goes on
    Approve(DecideArgs),
    /// Reject: the steps below do not run
    Reject(DecideArgs),
}

/// `approvals list`
#[derive(Debug, Args)]
pub struct ApprovalsListArgs {
    /// Also those that are decided
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub list: ListArgs,
}

/// `approvals show`
#[derive(Debug, Args)]
pub struct ApprovalArgs {
    /// The approval: its id or the start of it
    pub approval: String,
}

/// `approvals approve`
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The approval: its id or the start of it
    pub approval: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Who decides [default: the user of this process]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

/// `retry`
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The run: `last`, an id or the start of one
    #[arg(default_value = "last")]
    pub run: String,
    /// Threads a step may keep busy [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Where steps run
    #[arg(long, value_name = "LAUNCHER", default_value = "in-process")]
    pub launcher: LauncherName,
}
