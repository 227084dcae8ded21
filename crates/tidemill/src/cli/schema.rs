//! `schema …` and `diff`: their flags.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::InputArgs;

/// `schema …`
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Print the JSON Schema of `pipeline.yaml`, for editors
    Pipeline,
    /// Print the JSON Schema of endpoint files, for editors
    Endpoint,
    /// Print the JSON Schema of `schema.yaml`, for editors
    Schema,
    /// Show in what two schemas differ (exit code 1 if they do)
    Diff(SchemaDiffArgs),
    /// Accept anomalies of data: edit the schema so that it allows them, and nothing else
    Update(SchemaUpdateArgs),
    /// Write a schema in another format: YAML, or TensorFlow Metadata's `.pbtxt`
    Convert(SchemaConvertArgs),
}

/// `schema diff`
#[derive(Debug, Args)]
pub struct SchemaDiffArgs {
    /// A schema: `.yaml` or `.pbtxt`
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// Another
    #[arg(value_name = "B")]
    pub after: PathBuf,
}

/// `schema update`
#[derive(Debug, Args)]
pub struct SchemaUpdateArgs {
    /// The data with the anomalies: CSV, JSON or Parquet, a folder of them, or statistics (`tidemill stats -o json`)
    #[arg(value_name = "FILE")]
    pub data: PathBuf,
    /// What to accept: an anomaly type, in every feature or in one; `all` for every anomaly
    #[arg(long, value_name = "ANOMALY[:FEATURE]", required = true, value_delimiter = ',')]
    pub accept: Vec<String>,
    /// The schema to edit
    #[arg(long, value_name = "FILE", default_value = "schema.yaml")]
    pub schema: PathBuf,
    /// The data before, to accept drift
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Environment to validate in
    #[arg(long, default_value = "TRAINING")]
    pub environment: String,
    /// Column with the weight of each row: presence and shares are of the weight
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
    /// Only show what would change
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub input: InputArgs,
}

/// `schema convert`
#[derive(Debug, Args)]
pub struct SchemaConvertArgs {
    /// A schema: `.yaml` or `.pbtxt`
    pub file: PathBuf,
    /// Write to this file, `.yaml` or `.pbtxt`
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

/// `diff`
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// CSV, JSON or Parquet file, or a folder of them; or a run
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// The one to compare it with
    #[arg(value_name = "B")]
    pub after: PathBuf,
    /// Columns that together name a row; required for files
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub key: Vec<String>,
    /// Columns not to compare
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// Numbers that differ by less than this, relative to the larger of 1 and their size, are the same
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0)]
    pub tolerance: f64,
    /// Sample rows of each kind
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rows: usize,
    #[command(flatten)]
    pub input: InputArgs,
}
