//! Flags of `store`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

/// `store`
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Compare the database and all artifacts with what was recorded of them
    ///
    /// Exit code 1 if anything is damaged.
    Check(StoreCheckArgs),
    /// Copy the store to a new folder, while others go on using it
    Backup(StoreBackupArgs),
    /// Make the store what a backup holds
    Restore(StoreRestoreArgs),
    /// Start an empty store in place of one that was lost
    New(StoreNewArgs),
}

/// `store check`
#[derive(Debug, Args)]
pub struct StoreCheckArgs {
    /// Move damaged artifacts aside, so that the next run makes them again
    #[arg(long)]
    pub repair: bool,
}

/// `store backup`
#[derive(Debug, Args)]
pub struct StoreBackupArgs {
    /// Folder to write to, new or empty
    pub dir: PathBuf,
}

/// `store restore`
#[derive(Debug, Args)]
pub struct StoreRestoreArgs {
    /// Folder that `store backup` wrote
    pub dir: PathBuf,
    /// Move a store that is there away first
    #[arg(long)]
    pub replace: bool,
}

/// `store new`
#[derive(Debug, Args)]
pub struct StoreNewArgs {
    /// Move a store that is there away first
    #[arg(long)]
    pub replace: bool,
}

/// `gc`
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Versions of each model that are kept; those with an alias are never deleted
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub keep_versions: usize,
    /// Runs of each pipeline whose artifacts are kept
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub keep_runs: usize,
    /// Delete only what is older: `30d`, `12h`
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "7d")]
    pub older: Duration,
    /// Only show what would be deleted
    #[arg(long)]
    pub dry_run: bool,
}

/// `30d`, `12h`, `0s`.
fn age(text: &str) -> Result<Duration, String> {
    tidemill_core::seconds_of_span(text).map(Duration::from_secs)
}
