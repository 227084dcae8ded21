//! Flags of the commands that read any file, with or without a project.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use tidemill_core::FeatureType;
use tidemill_data::{Decimal, Format, parse_column_type, parse_decimal, parse_delimiter, parse_quote};
use tidemill_validation::is_sample_rate;

/// How input files are written, where their names do not say it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Input options")]
pub struct InputArgs {
    /// Format of the files [default: by extension]
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    pub format: Option<Format>,
    /// CSV: what stands between cells, one character or `tab` [default: a comma, or a tab in `.tsv`]
    #[arg(long, value_name = "CHARACTER", value_parser = parse_delimiter)]
    pub delimiter: Option<u8>,
    /// CSV: what stands around cells, one character or `none` [default: `"`]
    #[arg(long, value_name = "CHARACTER", value_parser = quote_mark)]
    pub quote: Option<QuoteMark>,
    /// CSV: cells that are missing values, beside empty ones
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    pub null_tokens: Vec<String>,
    /// CSV: the sign before decimals, `.` or `,` [default: `.`]
    #[arg(long, value_name = "SIGN", value_parser = parse_decimal)]
    pub decimal: Option<Decimal>,
    /// Read a column as `int`, `float`, `string` or `bool`; can be repeated
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = parse_column_type)]
    pub types: Vec<(String, FeatureType)>,
    /// CSV: the first line is a row; columns are called `column_1` and so on
    #[arg(long)]
    pub no_header: bool,
    /// CSV: names of the columns of files without header
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
}

/// Reads the key of a format; help lists all of them.
fn format_parser() -> impl TypedValueParser<Value = Format> {
    let formats = Format::ALL.iter().map(|format| PossibleValue::new(format.key()).help(format.about()));
    PossibleValuesParser::new(formats).try_map(|key| Format::from_key(&key).ok_or("not a format"))
}

/// What stands around cells, if anything does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteMark(pub Option<u8>);

fn quote_mark(text: &str) -> Result<QuoteMark, String> {
    parse_quote(text).map(QuoteMark)
}

fn sample_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| is_sample_rate(*rate));
    rate.ok_or_else(|| "a number above 0 and at most 1 is expected, as 0.1".to_owned())
}

/// `stats`
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// CSV, JSON lines or Parquet files, or folders of them; several are shown side by side
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Read columns as the types of this schema
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
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
    /// Look at a random part of the rows only: the chance of each, above 0 and at most 1
    #[arg(long, value_name = "SHARE", value_parser = sample_rate)]
    pub sample_rate: Option<f64>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub input: InputArgs,
}

/// `explore`
#[derive(Debug, Args)]
pub struct ExploreArgs {
    /// CSV, JSON lines, Parquet or Avro file, a folder of them, a glob or a URL
    pub file: PathBuf,
    /// The column that a model should predict: shows which columns would give it away, and which cannot help
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Write an HTML report that works offline
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the suggested schema
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
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
    /// Column with the weight of each row: shares are of the weight
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
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
    /// Column with the weight of each row: presence and shares are of the weight
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
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
    /// Column with the weight of each row, in both: distances are of the weight
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
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
    /// Read columns as the types of this schema
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Write the rows to this file or URL, in the format of its extension
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print CSV
    #[arg(long, conflicts_with = "out")]
    pub csv: bool,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub input: InputArgs,
}

/// `history`
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Files to read: a path, a folder of them, or a glob
    pub file: PathBuf,
    /// Write to this file, JSON lines or Parquet by extension (CSV holds no lists)
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The columns that say which rows belong together [default: all rows do]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub entity: Vec<String>,
    /// The column with the time of a row: seconds since 1970, or ISO text
    #[arg(long, value_name = "COLUMN")]
    pub time: String,
    /// The columns of numbers whose earlier values are wanted
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', required = true)]
    pub columns: Vec<String>,
    /// How far back a list reaches: `36h`, `60w` [default: as far as there are rows]
    #[arg(long, value_name = "SPAN")]
    pub length: Option<String>,
    /// Values of a list at most, the newest [default: 100]
    #[arg(long, value_name = "N")]
    pub rows_max: Option<u32>,
    /// Leave out what is younger: `14d`
    #[arg(long, value_name = "SPAN")]
    pub horizon: Option<String>,
    /// What stands before the name of a column in the name of its history [default: past_]
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
}

/// `transform`
#[derive(Debug, Args)]
pub struct TransformArgs {
    /// The features: the folder of a transform graph or of a model package, a model (NAME, NAME@ALIAS, NAME:VERSION), or
    /// a YAML file with `label` and `features` as in a Transform step, which are fitted on FILE first
    #[arg(value_name = "FEATURES")]
    pub features: String,
    /// Files to read: a path, a folder of them, a glob, or a URL
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
    /// Show which features say most about the label, by mutual information
    #[arg(long)]
    pub rank: bool,
    /// Keep the fitted graph in this folder
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Threads for fitting [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub input: InputArgs,
}
