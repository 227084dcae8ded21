//! The command line.

mod automl;
mod endpoint;
mod features;
mod files;
mod help;
mod inference_log;
mod loadtest;
mod models;
mod monitor;
mod runs;
mod schedules;
mod schema;
mod store;
mod trials;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub use automl::AutomlArgs;
pub use endpoint::{EndpointApplyArgs, EndpointCommand, EndpointRollbackArgs, EndpointSetArgs, EndpointStatusArgs};
pub use features::{FeaturesAddArgs, FeaturesCommand};
pub use files::{
    DriftArgs, ExploreArgs, HistoryArgs, InferSchemaArgs, InputArgs, SqlArgs, StatsArgs, TransformArgs, ValidateArgs,
};
pub use help::{advice, arranged};
pub use inference_log::{InferenceLogCommand, LogCompactArgs, LogDirArgs, LogEraseArgs, LogImportArgs, LogPruneArgs};
pub use loadtest::LoadtestArgs;
pub use models::{
    EvaluateArgs, ExplainPredictionArgs, ExportArgs, ExportFormat, ModelBenchArgs, ModelCommand, ModelImportArgs,
    ModelRunArgs, PredictArgs, TaskName, WarmupArgs,
};
pub use monitor::{
    FeedbackAddArgs, FeedbackCommand, FeedbackDecideArgs, FeedbackQueueArgs, MonitorAckArgs, MonitorArgs,
    MonitorCommand, MonitorExplainArgs, MonitorExportArgs, MonitorInitArgs, MonitorReplayArgs, MonitorReportArgs,
    MonitorRunArgs, MonitorSilenceArgs, MonitorStatusArgs, MonitorTestArgs,
};
pub use runs::{LogRunArgs, RunsArgs};
pub use schedules::{
    ApprovalArgs, ApprovalsArgs, ApprovalsCommand, ApprovalsListArgs, BackfillArgs, DecideArgs, HistoryOfScheduleArgs,
    RetryArgs, ScheduleArgs, SchedulesArgs, SchedulesCommand, UpArgs,
};
pub use schema::{DiffArgs, SchemaCommand, SchemaConvertArgs, SchemaDiffArgs, SchemaUpdateArgs};
pub use store::{GcArgs, StoreBackupArgs, StoreCheckArgs, StoreCommand, StoreNewArgs, StoreRestoreArgs};
use tidemill_cli::duration;
pub use tidemill_cli::serve::{OnnxArgs, ServeArgs};
pub use tidemill_cli::{CompletionsArgs, ExplainArgs, Global, OutputFormat};
use tidemill_project::VARIABLE_PREFIX;
pub use trials::{StateName, TrialsArgs};

/// The variables that stand for flags, without their prefix; and that of the log.
pub fn variables() -> Vec<String> {
    fn of(command: &clap::Command) -> Vec<String> {
        let flags = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
        let flags = flags.filter_map(|name| name.strip_prefix(VARIABLE_PREFIX)).map(str::to_owned);
        flags.chain(command.get_subcommands().flat_map(of)).collect()
    }
    let mut all = of(&Cli::command());
    all.push("LOG".to_owned());
    all
}

/// Production machine learning in one binary.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, about, disable_help_subcommand = false, propagate_version = false)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a project for your own data, or with sample data
    Init(InitArgs),
    /// Look at a new table: what is unusual, what to predict
    Explore(ExploreArgs),
    /// Find the best model for a table within a budget, as a project
    Automl(Box<AutomlArgs>),
    /// Check the pipeline file without running anything
    Check(PipelineArgs),
    /// Show which steps would run, and why
    Plan(PlanArgs),
    /// Run the pipeline
    Run(RunArgs),
    /// Run schedules, triggers and the model server in one process
    Up(Box<UpArgs>),
    /// Show schedules, their next ticks and what became of past ones
    Schedules(SchedulesArgs),
    /// Run the pipeline once for each value of a parameter
    Backfill(BackfillArgs),
    /// Continue a run that waited, or repeat one that failed
    Retry(RetryArgs),
    /// List what waits for a person, and decide
    Approvals(ApprovalsArgs),
    /// Run one step of a run in a process of its own
    #[command(subcommand)]
    Step(StepCommand),
    /// Show how the last run went, and why
    Status(StatusArgs),
    /// List or search runs
    Runs(RunsArgs),
    /// Log parameters, metrics and files of other work as a run
    Log(LogRunArgs),
    /// List artifacts, or show one
    Artifacts(ArtifactsArgs),
    /// List searches for parameters, or the trials of one
    Trials(TrialsArgs),
    /// Write what a run found as a page: evaluation, data, search
    Report(ReportArgs),
    /// List registered models, or show one
    Models(ModelsArgs),
    /// Move an alias of a model to a version: promote, roll back
    Alias(AliasArgs),
    /// Move an alias back to the version it pointed to before
    Rollback(RollbackArgs),
    /// Register a model that a step rejected, by your decision
    Bless(BlessArgs),
    /// Show what a model or artifact was made from
    Lineage(LineageArgs),
    /// Make a model again from its lineage, and compare the two
    Reproduce(ReproduceArgs),
    /// Serve models over REST and gRPC
    Serve(Box<ServeArgs>),
    /// Route requests: splits, shadows, fallbacks, caches
    #[command(subcommand)]
    Endpoint(EndpointCommand),
    /// Put load on a model server and measure its latency
    Loadtest(Box<LoadtestArgs>),
    /// Work with the log of the server: compact, prune, erase
    #[command(subcommand)]
    InferenceLog(InferenceLogCommand),
    /// Watch what is served: drift, performance, alerts
    #[command(subcommand)]
    Monitor(MonitorCommand),
    /// Take in what was true, and judge uncertain predictions
    #[command(subcommand)]
    Feedback(FeedbackCommand),
    /// Predict for every row of a file
    Predict(PredictArgs),
    /// Write the features of every row of a file
    Transform(TransformArgs),
    /// Add the earlier values of each row, for lags and windows
    History(HistoryArgs),
    /// Keep features under a name and a version
    #[command(subcommand)]
    Features(FeaturesCommand),
    /// Evaluate stored predictions of any model
    Evaluate(EvaluateArgs),
    /// Explain one prediction: contributions, path, what if
    ExplainPrediction(ExplainPredictionArgs),
    /// Inspect and export model packages
    #[command(subcommand)]
    Model(ModelCommand),
    /// Compute the statistics of files
    Stats(StatsArgs),
    /// Infer a schema from a file
    InferSchema(InferSchemaArgs),
    /// Check a file against a schema
    Validate(ValidateArgs),
    /// Measure how far one file has drifted from another
    Drift(DriftArgs),
    /// Query files with SQL
    Sql(SqlArgs),
    /// Compare two files row by row, by a key
    Diff(DiffArgs),
    /// Write sample data
    #[command(subcommand)]
    Sample(SampleCommand),
    /// Compare, update and convert schemas
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Check, back up and restore the store of the project
    #[command(subcommand)]
    Store(StoreCommand),
    /// Delete artifacts that nothing needs
    Gc(GcArgs),
    /// Explain an error code
    Explain(ExplainArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
}

/// `init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The template `taxi` (with `--data`: the folder to write into)
    #[arg(value_name = "TEMPLATE")]
    pub template: Option<String>,
    /// Folder to write into [default: the name of the template or of the data]
    pub dir: Option<PathBuf>,
    /// Your data: a CSV, JSON lines, Parquet or Avro file, a folder of them, a glob or a URL
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// The column to predict [default: a column called `label`, `target` or the like, or the last one]
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub label: Option<String>,
    /// Name of the pipeline and the model [default: the name of the data]
    #[arg(long, value_name = "NAME", requires = "data")]
    pub name: Option<String>,
    /// Train no first model: the evaluation has no thresholds then
    #[arg(long, requires = "data")]
    pub no_trial: bool,
    /// Template: rows of sample data
    #[arg(long, default_value_t = 15_000)]
    pub rows: u64,
    /// Template: seed of the sample data
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    #[command(flatten)]
    pub input: InputArgs,
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
    /// Do not reuse earlier results, of any step or of STEP
    #[arg(long, value_name = "STEP", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub no_cache: Vec<String>,
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
    /// Where steps run
    #[arg(long, value_name = "LAUNCHER", default_value = "in-process")]
    pub launcher: LauncherName,
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Keep running: run again whenever an input changes and then stays unchanged for `--every`
    #[arg(long)]
    pub watch: bool,
    /// How often to look for changes, and how long an input must stay unchanged: `10s`, `5m`
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s", requires = "watch")]
    pub every: Duration,
}

/// Which steps run.
#[derive(Debug, Clone, Default, Args)]
pub struct SelectionArgs {
    /// Run these steps and everything that depends on them; what they read comes from earlier runs
    #[arg(long, value_name = "STEP", value_delimiter = ',', conflicts_with = "watch")]
    pub from: Vec<String>,
    /// Run these steps and everything that they depend on
    #[arg(long, value_name = "STEP", value_delimiter = ',', conflicts_with = "watch")]
    pub until: Vec<String>,
    /// Run only these steps; what they read comes from earlier runs
    #[arg(long, value_name = "STEP", value_delimiter = ',', conflicts_with = "watch")]
    pub only: Vec<String>,
    /// Do not run these steps
    #[arg(long, value_name = "STEP", value_delimiter = ',', conflicts_with = "watch")]
    pub skip: Vec<String>,
}

/// Where steps run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LauncherName {
    /// All in this process
    InProcess,
    /// Each in a process of its own
    Process,
}

/// `step …`
#[derive(Debug, Subcommand)]
pub enum StepCommand {
    /// Run one step of a run that is going on, and record it
    Run(StepRunArgs),
}

/// `step run`
#[derive(Debug, Args)]
pub struct StepRunArgs {
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// The run: its id or the start of it
    #[arg(long, value_name = "RUN")]
    pub run: String,
    /// The step
    #[arg(long, value_name = "STEP")]
    pub step: String,
    /// Do not look for earlier outputs
    #[arg(long)]
    pub no_cache: bool,
    /// Threads the step may keep busy [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Stop when standard input is closed: what a scheduler holds open ends with it
    #[arg(long)]
    pub stop_with_stdin: bool,
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
    /// Maximum number of rows
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
    /// What to show of a run: `evaluation`, `statistics`, `training` or `search` [default: the first that it has]
    #[arg(long = "type", value_name = "TYPE")]
    pub artifact_type: Option<String>,
    /// File to write, or a folder (`reports/`) for all reports of the run with an index page [default: evaluation.html,
    /// statistics.html, training.html or search.html]
    #[arg(long, value_name = "FILE or FOLDER/")]
    pub html: Option<PathBuf>,
    /// Write the learning curves as event files of `TensorBoard` below this folder, and no page
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["html", "open", "artifact_type"])]
    pub tensorboard: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long)]
    pub open: bool,
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
    /// The alias, with or without `@`; requests that name no version go to `champion`
    pub alias: String,
    /// The version: a number, `latest` or another alias
    pub version: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `rollback`
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The registered model
    pub model: String,
    /// The alias, with or without `@`
    #[arg(default_value = "champion")]
    pub alias: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `bless`
#[derive(Debug, Args)]
pub struct BlessArgs {
    /// The run that made the model: `last`, an id or the start of one
    #[arg(default_value = "last")]
    pub run: String,
    /// The registered model [default: as the `Pusher` of the pipeline names it]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Alias to move to the version [default: as the `Pusher` has it]
    #[arg(long, value_name = "ALIAS")]
    pub alias: Option<String>,
    /// Register a model that the evaluation rejected; needs `--reason`
    #[arg(long, requires = "reason")]
    pub force: bool,
    /// Why: recorded with the version, its tags and what was overruled
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `reproduce`
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// The model: `taxi-tips`, `taxi-tips@champion`, `taxi-tips:7`
    pub model: String,
}

/// `lineage`
#[derive(Debug, Args)]
pub struct LineageArgs {
    /// A model (`taxi-tips`, `taxi-tips@champion`, `taxi-tips:7`), the start of an artifact's digest, or a feature set
    /// (`taxi_features@2`); with `--openlineage` a run (`last`, an id or the start of one)
    pub of: String,
    /// Write the events of the run in the format of `OpenLineage` to this file, one a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["down", "hops"])]
    pub openlineage: Option<PathBuf>,
    /// Show what was made from it instead; always so for a feature set
    #[arg(long)]
    pub down: bool,
    /// Maximum number of steps between them
    #[arg(long, default_value_t = 20)]
    pub hops: u32,
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
    /// Number of the span: each span has trips of another time
    #[arg(long, default_value_t = 0)]
    pub span: u32,
    /// File to write, CSV or Parquet by extension
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Faults to plant in the data, to see them found
    #[arg(long, value_name = "TROUBLE", value_delimiter = ',')]
    pub plant: Vec<String>,
}

fn name_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
