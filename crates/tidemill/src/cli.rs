//! The command line.

mod loadtest;
mod log;
mod schema;
mod serve;
mod tolerated;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tidemill_data::{parse_delimiter, parse_quote};

pub use loadtest::LoadtestArgs;
pub use log::{LogArgs, TraceArgs};
pub use schema::{DiffArgs, SchemaCommand, SchemaConvertArgs, SchemaDiffArgs, SchemaUpdateArgs};
pub use serve::{BatchingMode, GrpcPort, ServeArgs, Switch};
pub use tolerated::without_tolerated;

/// Production machine learning in one binary.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, about, disable_help_subcommand = false, propagate_version = false)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

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

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a project from a template
    Init(InitArgs),
    /// Check the pipeline file without running anything
    Check(PipelineArgs),
    /// Show which steps would run, and why
    Plan(PlanArgs),
    /// Run the pipeline
    Run(RunArgs),
    /// Show how the last run went
    Status(StatusArgs),
    /// List runs
    Runs(ListArgs),
    /// List artifacts, or show one
    Artifacts(ArtifactsArgs),
    /// Write what a run found as an HTML page: its evaluation, or its statistics
    Report(ReportArgs),
    /// List registered models, or show one
    Models(ModelsArgs),
    /// Make an alias of a model stand for a version: roll back, promote
    Alias(AliasArgs),
    /// Show what a model or artifact was made of
    Lineage(LineageArgs),
    /// Answer prediction requests for the registered models
    Serve(Box<ServeArgs>),
    /// Put load on a model server and measure what its clients see
    Loadtest(Box<LoadtestArgs>),
    /// Predict for every row of a file
    Predict(PredictArgs),
    /// Write the features of every row of a file
    Transform(TransformArgs),
    /// Judge the predictions in a file, whatever made them
    Evaluate(EvaluateArgs),
    /// Look into a model package
    #[command(subcommand)]
    Model(ModelCommand),
    /// Statistics of a file, on the terminal or as an HTML report
    Stats(StatsArgs),
    /// Infer a schema from a file
    InferSchema(InferSchemaArgs),
    /// Check a file against a schema
    Validate(ValidateArgs),
    /// Show how far one file lies from another, and whether that is too far
    Drift(DriftArgs),
    /// Ask files in SQL
    Sql(SqlArgs),
    /// Compare two files row by row, by a key
    Diff(DiffArgs),
    /// Write sample data
    #[command(subcommand)]
    Sample(SampleCommand),
    /// Schemas: their differences, edits, other formats, JSON Schemas for editors
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Explain an error code
    Explain(ExplainArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
}

/// `init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The template
    #[arg(value_name = "TEMPLATE", value_parser = ["taxi"])]
    pub template: String,
    /// Folder to write into [default: the template's name]
    pub dir: Option<PathBuf>,
    /// Rows of sample data
    #[arg(long, default_value_t = 15_000)]
    pub rows: u64,
    /// Seed of the sample data
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

/// A pipeline and its parameters.
#[derive(Debug, Clone, Args)]
pub struct PipelineArgs {
    /// Project folder or pipeline file
    #[arg(value_name = "PROJECT")]
    pub path: Option<PathBuf>,
    /// Override a parameter of the pipeline file
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_value)]
    pub params: Vec<(String, String)>,
}

/// When not to look for earlier outputs.
#[derive(Debug, Clone, Args)]
pub struct CacheArgs {
    /// Run every step, or only STEP, whatever was done before
    #[arg(long, value_name = "STEP", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub no_cache: Vec<String>,
}

/// How input files are written, where their names do not say it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Input options")]
pub struct InputArgs {
    /// Format of the files [default: by extension]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<FormatName>,
    /// CSV: what stands between cells, one character or `tab` [default: a comma, or a tab in `.tsv`]
    #[arg(long, value_name = "CHARACTER", value_parser = parse_delimiter)]
    pub delimiter: Option<u8>,
    /// CSV: what stands around cells, one character or `none` [default: `"`]
    #[arg(long, value_name = "CHARACTER", value_parser = quote_mark)]
    pub quote: Option<QuoteMark>,
    /// CSV: cells that are missing values, beside empty ones
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    pub null_tokens: Vec<String>,
    /// CSV: the first line is a row; columns are called `column_1` and so on
    #[arg(long)]
    pub no_header: bool,
    /// CSV: names of the columns of files without header
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
}

/// A format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// Comma-separated values
    Csv,
    /// One JSON object a line
    Json,
    /// Apache Parquet
    Parquet,
    /// TFRecord of tf.Example
    Tfrecord,
    /// Avro object container files
    Avro,
    /// Images in folders
    Images,
    /// Texts in folders
    Texts,
}

/// What stands around cells, if anything does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteMark(pub Option<u8>);

fn quote_mark(text: &str) -> Result<QuoteMark, String> {
    parse_quote(text).map(QuoteMark)
}

/// `plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// `run`
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    #[command(flatten)]
    pub cache: CacheArgs,
    /// Threads a step may keep busy [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// A run, or the start of its id
    #[arg(default_value = "last")]
    pub run: String,
}

/// Listings.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// At most so many rows
    #[arg(short = 'n', long, default_value_t = 20)]
    pub limit: usize,
}

/// `artifacts`
#[derive(Debug, Args)]
pub struct ArtifactsArgs {
    /// An artifact: its id or the start of its digest
    pub artifact: Option<String>,
    /// Only artifacts of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub artifact_type: Option<String>,
    /// Only artifacts of this run (`last`, an id or the start of one)
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    #[command(flatten)]
    pub list: ListArgs,
}

/// `report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run (`last`, an id or the start of one), or the start of an artifact's digest
    #[arg(value_name = "RUN or DIGEST", default_value = "last")]
    pub of: String,
    /// Of a run: `evaluation` or `statistics` [default: the evaluation, if there is one]
    #[arg(long = "type", value_name = "TYPE")]
    pub artifact_type: Option<String>,
    /// File to write [default: evaluation.html or statistics.html]
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `models`
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// A registered model
    pub model: Option<String>,
}

/// `alias`
#[derive(Debug, Args)]
pub struct AliasArgs {
    /// The registered model
    pub model: String,
    /// The alias, with or without `@`: requests that name no version go to `champion`
    pub alias: String,
    /// The version: a number, `latest` or another alias
    pub version: String,
}

/// `lineage`
#[derive(Debug, Args)]
pub struct LineageArgs {
    /// A model (`taxi-tips`, `taxi-tips@champion`, `taxi-tips:7`) or the start of an artifact's digest
    pub of: String,
    /// What was made of it, instead of what it was made of
    #[arg(long)]
    pub down: bool,
    /// At most so many steps away
    #[arg(long, default_value_t = 20)]
    pub hops: u32,
}

/// `predict`
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// CSV, JSON lines or Parquet file, or a folder of them; a model may stand before it
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The model: NAME, NAME@ALIAS, NAME:VERSION, the folder of a package or a model file of another program
    /// [default: the only registered model]
    #[arg(short, long)]
    pub model: Option<String>,
    /// Write to this file, CSV, JSON lines or Parquet by extension [default: CSV on standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Columns of the input to keep beside the prediction [default: all]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub keep: Option<Vec<String>>,
    #[command(flatten)]
    pub input: InputArgs,
}

/// `transform`
#[derive(Debug, Args)]
pub struct TransformArgs {
    /// The features: the folder of a transform graph or of a model package, a model (NAME, NAME@ALIAS, NAME:VERSION), or
    /// a YAML file with `label` and `features` as in a Transform step, which are fitted on FILE first
    #[arg(value_name = "FEATURES")]
    pub features: String,
    /// Files to read: a path, a folder of them, or a glob
    pub file: PathBuf,
    /// Write to this file, CSV, JSON lines or Parquet by extension
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write the label too, as the last column
    #[arg(long)]
    pub label: bool,
    /// The rows are those that the features were fitted on, in order: give them what a learner is trained on
    #[arg(long)]
    pub training: bool,
    /// Keep the fitted graph in this folder
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Threads for fitting [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `evaluate`
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// CSV, JSON lines or Parquet file, or a folder of them, with a label and a prediction in every row
    #[arg(value_name = "PREDICTIONS")]
    pub file: PathBuf,
    /// Column of labels: numbers, or true and false
    #[arg(long, value_name = "COLUMN")]
    pub label: String,
    /// Column of predictions: probabilities, or values
    #[arg(long, value_name = "COLUMN")]
    pub prediction: String,
    /// Column of another model's predictions, to compare with
    #[arg(long, value_name = "COLUMN")]
    pub baseline: Option<String>,
    /// Column that says how much each row counts
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
    /// What the label is [default: binary where labels are 0 and 1 and predictions between them]
    #[arg(long, value_name = "TASK")]
    pub task: Option<TaskName>,
    /// Evaluate by the values of a column, or of several crossed; may be given again
    #[arg(long = "slice", value_name = "COLUMN[,COLUMN]")]
    pub slices: Vec<String>,
    /// Slices with fewer rows are not shown
    #[arg(long, value_name = "ROWS", default_value_t = 1)]
    pub min_slice_size: u64,
    /// Look for the N slices where the predictions are worst
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub find_slices: usize,
    /// Columns to look in [default: all but label, predictions and weight]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', requires = "find_slices")]
    pub find_in: Option<Vec<String>>,
    /// A bound that must hold, or the exit code is 1: `auc>=0.9`, `auc>=baseline-0.005`; may be given again
    #[arg(long = "threshold", value_name = "BOUND")]
    pub thresholds: Vec<String>,
    /// A row is called positive when its score is above this
    #[arg(long, value_name = "SCORE", default_value_t = 0.5)]
    pub decision_threshold: f64,
    /// Write an HTML report that works offline
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub input: InputArgs,
}

/// What a label is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TaskName {
    /// 0 or 1
    Binary,
    /// A number
    Regression,
}

/// `model …`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Show signature, learner, size and training facts of a package or of another program's model file
    Show {
        /// Folder of a package, a model file, or NAME, NAME@ALIAS, NAME:VERSION
        model: String,
    },
    /// Write warm-up requests (TF Serving's `PredictionLog`) from the rows recorded in training, or those of a file
    Warmup(WarmupArgs),
    /// Write a package for other runtimes: raw features in, prediction out
    Export(ExportArgs),
}

/// `model warmup`
#[derive(Debug, Args)]
pub struct WarmupArgs {
    /// Folder of a package, or NAME, NAME@ALIAS, NAME:VERSION
    pub model: String,
    /// Rows: CSV, Parquet or JSON lines, such as files of the inference log [default: those recorded in training]
    #[arg(long, value_name = "FILE")]
    pub rows: Option<PathBuf>,
    /// Requests to write, at most 1,000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub records: u64,
    /// File to write [default: `assets.extra/tf_serving_warmup_requests` in the folder of the package]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `model export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Folder of a package, or NAME, NAME@ALIAS, NAME:VERSION
    pub model: String,
    /// The format
    #[arg(long, value_enum, default_value_t = ExportFormat::Onnx)]
    pub format: ExportFormat,
    /// The file to write; never written over
    #[arg(long, value_name = "FILE", default_value = "model.onnx")]
    pub out: PathBuf,
    /// Write a model that takes values missing from a vocabulary as missing, where Tidemill hashes them into buckets
    #[arg(long)]
    pub unseen_as_missing: bool,
}

/// What a package can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// ONNX with operators of `ai.onnx` 20 and `ai.onnx.ml` 5
    Onnx,
}

/// `stats`
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// CSV, JSON lines or Parquet files, or folders of them; several are shown side by side
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Write an HTML report that works offline
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the statistics: `.json`, or for TFDV and Facets `.pb`, `.pbtxt`, `.tfrecord`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Column with the weight of each row: every statistic gets a weighted twin
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
    /// Statistics of the rows that agree in these columns too, for the 20 largest groups; can be repeated
    #[arg(long, value_name = "COLUMN[,COLUMN]")]
    pub slice: Vec<String>,
    /// Correlation of every two numeric features
    #[arg(long)]
    pub correlations: bool,
    /// Column with the label: which values of categorical features go with which of it
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Where a numeric label is divided into ranges
    #[arg(long, value_name = "N,N", value_delimiter = ',', requires = "label", allow_negative_numbers = true)]
    pub label_boundaries: Vec<f64>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub input: InputArgs,
}

/// `infer-schema`
#[derive(Debug, Args)]
pub struct InferSchemaArgs {
    /// CSV, JSON lines or Parquet file, or a folder of them
    pub file: PathBuf,
    /// Write to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    pub force: bool,
    #[command(flatten)]
    pub input: InputArgs,
}

/// `validate`
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// CSV, JSON lines or Parquet file, or a folder of them
    pub file: PathBuf,
    /// The schema
    #[arg(long, value_name = "FILE", default_value = "schema.yaml")]
    pub schema: PathBuf,
    /// Environment to validate in
    #[arg(long, default_value = "TRAINING")]
    pub environment: String,
    /// Rules of your own: queries over `data` and `statistics`
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Sample rows shown with each anomaly that single rows can show, at most 5
    #[arg(long, value_name = "N", default_value_t = 0, num_args = 0..=1, default_missing_value = "5")]
    pub show_rows: usize,
    /// Write an HTML report with the anomalies beside their features
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub input: InputArgs,
}

/// `drift`
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// What to measure against: CSV, JSON lines or Parquet file, a folder of them, or statistics (`tidemill stats -o json`)
    #[arg(value_name = "BASELINE")]
    pub baseline: PathBuf,
    /// What to judge
    #[arg(value_name = "CURRENT")]
    pub current: PathBuf,
    /// The schema with the thresholds [default: those that would be inferred from BASELINE]
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Use the `skew` comparators: BASELINE is the serving data, CURRENT the training data
    #[arg(long)]
    pub skew: bool,
    /// CURRENT is another version of BASELINE: `num_examples_version` bounds its rows, instead of `num_examples_drift`
    #[arg(long, conflicts_with = "skew")]
    pub new_version: bool,
    /// Environment to compare in
    #[arg(long, default_value = "TRAINING")]
    pub environment: String,
    /// Write an HTML report of both with distances and anomalies
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub input: InputArgs,
}

/// `sql`
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The query, as in "SELECT company, avg(fare) FROM trips GROUP BY company"
    pub query: String,
    /// Tables: files, folders or URLs, named as in `trips=data/trips.csv` or by their file
    #[arg(value_name = "NAME=FILE")]
    pub tables: Vec<String>,
    /// Write the rows to this file or URL, in the format of its extension
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print CSV
    #[arg(long, conflicts_with = "out")]
    pub csv: bool,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `sample …`
#[derive(Debug, Subcommand)]
pub enum SampleCommand {
    /// Taxi trips: skewed categories, missing cells, outliers, a learnable tip
    Taxi(SampleTaxiArgs),
}

/// `sample taxi`
#[derive(Debug, Args)]
pub struct SampleTaxiArgs {
    /// Number of trips
    #[arg(long, default_value_t = 15_000)]
    pub rows: u64,
    /// Seed: the same seed gives the same trips on every machine
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Number of the span: trips of another time
    #[arg(long, default_value_t = 0)]
    pub span: u32,
    /// File to write, CSV or Parquet by extension
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Trouble to plant, to see it found
    #[arg(long, value_name = "TROUBLE", value_delimiter = ',')]
    pub plant: Vec<String>,
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

fn name_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
