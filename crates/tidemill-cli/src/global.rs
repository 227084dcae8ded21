//! What every build has: the flags of every command, errors explained, completions.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Project folder: the one with `pipeline.yaml` [default: this folder or the nearest one above]
    #[arg(long, global = true, help_heading = "Global options", value_name = "DIR", env = "TIDEMILL_PROJECT")]
    pub project: Option<PathBuf>,
    /// Settings profile of `tidemill.toml`
    #[arg(long, global = true, help_heading = "Global options", value_name = "NAME", env = "TIDEMILL_PROFILE")]
    pub profile: Option<String>,
    /// How to print the result
    #[arg(
        short = 'o',
        long = "output",
        global = true,
        help_heading = "Global options",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub output: OutputFormat,
    /// Say nothing but the result and errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Say more (-vv: everything)
    #[arg(short, long, global = true, help_heading = "Global options", action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How to print the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The code, such as TM2005; none lists all
    pub code: Option<String>,
}

/// `completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
