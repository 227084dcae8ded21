//! `features …`: its flags.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `features …`
#[derive(Debug, Subcommand)]
pub enum FeaturesCommand {
    /// Keep the features of a file as the next version of a feature set
    Add(FeaturesAddArgs),
    /// List the feature sets
    List,
    /// Show a feature set, and which runs and models use it
    Show {
        /// The set: NAME@VERSION, or NAME for the newest
        set: String,
    },
    /// Show in what two versions differ (exit code 1 if they do)
    Diff {
        /// A set: NAME@VERSION
        #[arg(value_name = "A")]
        before: String,
        /// Another [default: the newest of the same name]
        #[arg(value_name = "B")]
        after: Option<String>,
    },
}

/// `features add`
#[derive(Debug, Args)]
pub struct FeaturesAddArgs {
    /// A YAML file with `features:`, as in a `Transform` step, and a `description:`
    pub file: PathBuf,
    /// The set's name [default: as the file calls itself, or is called]
    #[arg(long)]
    pub name: Option<String>,
}
