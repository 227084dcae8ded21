//! Flags of the commands that use a model or judge one.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{InputArgs, OnnxArgs};

/// `predict`
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// CSV, JSON lines or Parquet file, or a folder of them; a model may stand before it
    #[arg(required_unless_present = "rows", num_args = 1..=2, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// A row instead of a file, as a JSON object: `{"fare": 12.5}`; may be given again
    #[arg(long = "row", value_name = "JSON", conflicts_with_all = ["out", "keep"])]
    pub rows: Vec<String>,
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
    #[command(flatten)]
    pub onnx: OnnxArgs,
}

/// `explain-prediction`
#[derive(Debug, Args)]
pub struct ExplainPredictionArgs {
    /// CSV, JSON lines or Parquet file with the row [default: the rows recorded in the package]
    #[arg(value_name = "FILE", conflicts_with = "row")]
    pub file: Option<PathBuf>,
    /// Which row of the file, from 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub at: u64,
    /// The row as a JSON object: `{"fare": 12.5}`
    #[arg(long, value_name = "JSON")]
    pub row: Option<String>,
    /// The model: NAME, NAME@ALIAS, NAME:VERSION or the folder of a package [default: the only registered model]
    #[arg(short, long)]
    pub model: Option<String>,
    /// What if: the same row with another value, `fare=30`; may be given again
    #[arg(long = "set", value_name = "INPUT=VALUE", value_parser = super::name_value)]
    pub set: Vec<(String, String)>,
    /// What the nearest other row is to be predicted as: a class, or `>NUMBER` or `<=NUMBER`
    /// [default: the other side of the decision threshold, the second class]
    #[arg(long, value_name = "PREDICTION")]
    pub want: Option<String>,
    /// Rows whose values the nearest other row may take [default: the rows recorded in the package]
    #[arg(long, value_name = "FILE")]
    pub among: Option<PathBuf>,
    /// Contributions to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
    /// Trees whose decision path to show
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub paths: usize,
}

/// `evaluate`
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// CSV, JSON lines or Parquet file, or a folder of them, with a label and a prediction in every row
    #[arg(value_name = "PREDICTIONS")]
    pub file: PathBuf,
    /// Column of labels: numbers, true and false, or text; several labels as a list, or `NAME` for the columns `NAME[LABEL]`
    #[arg(long, value_name = "COLUMN")]
    pub label: String,
    /// Column of predictions: probabilities, values or scores; `NAME` for the columns `NAME[CLASS]`; given again, the
    /// predictions of another model to show beside the first
    #[arg(long = "prediction", value_name = "COLUMN", required = true)]
    pub predictions: Vec<String>,
    /// Column of another model's predictions, to compare with
    #[arg(long, value_name = "COLUMN")]
    pub baseline: Option<String>,
    /// Column that says how much each row counts
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
    /// What the label is [default: by the columns; binary where labels are 0 and 1 and predictions between them]
    #[arg(long, value_name = "TASK")]
    pub task: Option<TaskName>,
    /// Column of the query of a ranking; otherwise of rows that belong together, such as those of a user: intervals draw
    /// them together
    #[arg(long, value_name = "COLUMN")]
    pub group: Option<String>,
    /// Compute a metric besides those that are always computed, `recall@precision=0.9` or `all`; may be given again
    #[arg(long = "metric", value_name = "METRIC")]
    pub metrics: Vec<String>,
    /// YAML file with parameters as the `Evaluator` takes them: `slices`, `metrics`, `thresholds` and so on; or TFMA's
    /// `EvalConfig`, as `.pbtxt` or `.json`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Evaluate by the values of a column, or of several crossed; may be given again
    #[arg(long = "slice", value_name = "COLUMN[,COLUMN]")]
    pub slices: Vec<String>,
    /// Slices with fewer rows are not shown [default: 1]
    #[arg(long, value_name = "ROWS")]
    pub min_slice_size: Option<u64>,
    /// Look for the N slices where the predictions are worst
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub find_slices: usize,
    /// Columns to look in [default: all but label, predictions and weight]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', requires = "find_slices")]
    pub find_in: Option<Vec<String>>,
    /// A bound that must hold, or the exit code is 1: `auc>=0.9`, `auc>=baseline-0.005`; may be given again
    #[arg(long = "threshold", value_name = "BOUND")]
    pub thresholds: Vec<String>,
    /// A row is called positive when its score is above this [default: 0.5]
    #[arg(long, value_name = "SCORE")]
    pub decision_threshold: Option<f64>,
    /// Write an HTML report that works offline
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub input: InputArgs,
}

/// What a label is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TaskName {
    /// Two values: 0 and 1, or no and yes
    Binary,
    /// Several classes
    MultiClass,
    /// Several labels, each true or false
    MultiLabel,
    /// A number
    Regression,
    /// A relevance; rows of one query are ordered
    Ranking,
}

/// `model …`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Show signature, learner, size and training facts of a package or of another program's model file
    Show {
        /// Folder of a package, a model file, or NAME, NAME@ALIAS, NAME:VERSION
        model: String,
        #[command(flatten)]
        onnx: OnnxArgs,
    },
    /// Ask a model once: tensors in, tensors out
    Run(ModelRunArgs),
    /// Measure the engines that run an ONNX model, side by side
    Bench(ModelBenchArgs),
    /// Register a model of another program
    Import(ModelImportArgs),
    /// Write warm-up requests (TF Serving's `PredictionLog`) from the rows recorded in training, or those of a file
    Warmup(WarmupArgs),
    /// Write a package for other runtimes: raw features in, prediction out
    Export(ExportArgs),
}

/// `model run`
#[derive(Debug, Args)]
pub struct ModelRunArgs {
    /// A model file, its folder, the folder of a package, or NAME, NAME@ALIAS, NAME:VERSION
    pub model: String,
    /// An input as nested JSON lists, `X=[[1, 2]]`; may be given again
    #[arg(long, value_name = "NAME=JSON")]
    pub input: Vec<String>,
    /// All inputs as a JSON object, `{"X": [[1, 2]]}`, or `@FILE` with one
    #[arg(long, value_name = "JSON")]
    pub inputs: Option<String>,
    #[command(flatten)]
    pub onnx: OnnxArgs,
}

/// `model bench`
#[derive(Debug, Args)]
pub struct ModelBenchArgs {
    /// An ONNX file, its folder, or NAME, NAME@ALIAS, NAME:VERSION
    pub model: String,
    /// Rows of a batch
    #[arg(long, value_name = "ROWS", default_value_t = 1)]
    pub rows: usize,
    /// How long each engine is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub seconds: f64,
    #[command(flatten)]
    pub onnx: OnnxArgs,
}

/// `model import`
#[derive(Debug, Args)]
pub struct ModelImportArgs {
    /// A model file, or a folder with one: of MLflow, of Hugging Face, or with versions as for Triton and TF Serving
    pub path: PathBuf,
    /// Name of the registered model
    #[arg(long)]
    pub name: String,
    /// Alias to move to the version: `champion`
    #[arg(long)]
    pub alias: Option<String>,
    /// What the model is for, kept with the registered model
    #[arg(long)]
    pub description: Option<String>,
    #[command(flatten)]
    pub onnx: OnnxArgs,
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
    /// The file to write; never written over [default: model.onnx, model.txt or model.json]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write a model that takes values missing from a vocabulary as missing, where Tidemill hashes them into buckets
    #[arg(long)]
    pub unseen_as_missing: bool,
}

/// What a package can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// ONNX with operators of `ai.onnx` 20 and `ai.onnx.ml` 5: from raw features to the prediction
    Onnx,
    /// LightGBM's text file: trees over the features that `tidemill transform` writes
    #[value(name = "lightgbm")]
    LightGbm,
    /// XGBoost's JSON file: trees over the features that `tidemill transform` writes, in 32-bit numbers
    #[value(name = "xgboost")]
    XgBoost,
}
