//! Errors of an evaluation.

use std::path::PathBuf;

use tidemill_core::{Code, Coded};

/// Why an evaluation failed. A negative verdict is not an error: see [`crate::Blessing`].
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// There are no rows.
    #[error("{rows_of} has no rows")]
    EmptySplit {
        /// The split or file, in words: split `eval`.
        rows_of: String,
    },
    /// The examples have no such split.
    #[error("the examples have no split `{split}`")]
    UnknownSplit {
        /// The requested split.
        split: String,
        /// The existing splits.
        known: Vec<String>,
    },
    /// Every row has the same label.
    #[error("label `{label}` is {value} in every row of {rows_of}")]
    LabelConstant {
        /// The label's name.
        label: String,
        /// The value that all rows share.
        value: f64,
        /// The split or file, in words.
        rows_of: String,
    },
    /// A column of queries that rows cannot be grouped by.
    #[error("group `{column}` {problem}")]
    Group {
        /// The column.
        column: String,
        /// What is wrong.
        problem: String,
    },
    /// Labels and predictions contradict each other.
    #[error("label `{label}` {reason}; its values in {rows_of} are {values}")]
    LabelTask {
        /// The label's name.
        label: String,
        /// The contradiction.
        reason: String,
        /// The split or file.
        rows_of: String,
        /// The values with the number of their rows.
        values: String,
        /// What to write instead.
        hint: String,
    },
    /// Several columns of labels that do not fit the predictions.
    #[error("labels {labels} of {rows_of}: {problem}")]
    LabelColumns {
        /// The labels.
        labels: String,
        /// What is wrong.
        problem: String,
        /// The split or file.
        rows_of: String,
    },
    /// A class that is unknown to the model.
    #[error("label `{label}` is `{class}` in row {row} of {rows_of}, a class that the model does not know")]
    UnknownClass {
        /// The label's name.
        label: String,
        /// The class.
        class: String,
        /// Which row, from 1.
        row: u64,
        /// The split or file.
        rows_of: String,
        /// The known classes.
        known: Vec<String>,
    },
    /// A label that is invalid for this task.
    #[error("label `{label}` is {value} in row {row} of {rows_of}, which a {task} model cannot predict")]
    LabelValue {
        /// The label's name.
        label: String,
        /// The offending value.
        value: f64,
        /// Its row, from 1.
        row: u64,
        /// The split or file, in words.
        rows_of: String,
        /// `binary` or `regression`.
        task: &'static str,
    },
    /// A model gave something other than a finite number (for a binary model: between 0 and 1).
    #[error("the {model} predicts {value} in row {row} of {rows_of}")]
    PredictionValue {
        /// `model`, `baseline` or the name of a column of predictions.
        model: String,
        /// The offending value.
        value: f64,
        /// Its row, from 1.
        row: u64,
        /// The split or file, in words.
        rows_of: String,
    },
    /// Rows of a file of stored predictions without a label or a prediction.
    #[error("column `{column}` ({role}) has no value in {missing} of {rows} rows of {rows_of}, first in row {first}")]
    CellsMissing {
        /// The column.
        column: String,
        /// `label`, `prediction` or `baseline`.
        role: &'static str,
        /// Rows without a value.
        missing: u64,
        /// All rows.
        rows: u64,
        /// The first row without one, from 1.
        first: u64,
        /// The file, in words.
        rows_of: String,
    },
    /// A weight that is missing, negative or not finite, or weights that are all zero.
    #[error("weight `{column}` {problem}")]
    Weight {
        /// The column of weights.
        column: String,
        /// The problem.
        problem: String,
    },
    /// A slice, a weight or a search names a column that does not exist.
    #[error("`{place}` names the column `{column}`, which does not exist")]
    ColumnNotFound {
        /// The requested column.
        column: String,
        /// The parameter that names it.
        place: &'static str,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// A column whose type does not suit its use.
    #[error("`{place}` names the column `{column}` of type {found}: {reason}")]
    ColumnType {
        /// The column.
        column: String,
        /// The parameter that names it.
        place: &'static str,
        /// Its type.
        found: String,
        /// Why the type is unsuitable.
        reason: &'static str,
    },
    /// A column or a crossing with too many values for meaningful slices.
    #[error("slices of `{columns}` number more than {limit}")]
    TooManySlices {
        /// The columns of the slices.
        columns: String,
        /// The maximum.
        limit: usize,
    },
    /// A threshold names a metric that this task does not have.
    #[error("`{metric}` is not a metric of a {task} model")]
    MetricOfOtherTask {
        /// The metric.
        metric: String,
        /// `binary` or `regression`.
        task: &'static str,
        /// The available metrics.
        known: String,
    },
    /// A metric that the pipeline file defines cannot be computed on these rows.
    #[error("metric `{metric}` {problem}")]
    OwnMetric {
        /// The metric.
        metric: String,
        /// What is wrong.
        problem: String,
    },
    /// A metric of a class or label that the model does not have.
    #[error("`{metric}`: the model has no class or label `{class}`")]
    MetricOfUnknownClass {
        /// The metric.
        metric: String,
        /// The class.
        class: String,
        /// What the model has.
        known: Vec<String>,
    },
    /// A behaviour test that cannot be run on these rows.
    #[error("behaviour `{test}` {problem}")]
    Behaviour {
        /// The test.
        test: String,
        /// What is wrong.
        problem: String,
    },
    /// The columns of a batch could not be kept.
    #[error("columns for `metrics` could not be kept: {0}")]
    Kept(String),
    /// More rows than one evaluation can process.
    #[error("{rows_of} has {rows} rows; an evaluation holds at most {limit}")]
    TooManyRows {
        /// The split or file, in words.
        rows_of: String,
        /// Its rows.
        rows: u64,
        /// The maximum.
        limit: u64,
    },
    /// The model's transform graph has no label to compare predictions with.
    #[error("the model has no label")]
    NoLabel,
    /// A file of the evaluation could not be read or written.
    #[error("`{}` could not be {action}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// The operating system's message.
        #[source]
        source: std::io::Error,
    },
    /// A file has invalid content.
    #[error("`{}` is not an evaluation that this version reads", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The parser's message.
        #[source]
        source: serde_json::Error,
    },
    /// The threads of the evaluation could not be started.
    #[error("threads for the evaluation could not be started")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// The examples could not be read.
    #[error(transparent)]
    Data(#[from] tidemill_data::DataError),
    /// A model could not be loaded, or could not predict these rows.
    #[error(transparent)]
    Model(#[from] tidemill_model::ModelError),
    /// The run was cancelled.
    #[error("the run was cancelled")]
    Canceled,
}

impl Coded for EvaluateError {
    fn code(&self) -> Code {
        match self {
            Self::EmptySplit { .. } => Code::EmptySplit,
            Self::UnknownSplit { .. } | Self::TooManySlices { .. } | Self::TooManyRows { .. } | Self::Weight { .. } => {
                Code::Params
            }
            Self::LabelConstant { .. } => Code::LabelConstant,
            Self::LabelValue { .. } | Self::UnknownClass { .. } | Self::LabelTask { .. } => Code::LabelValues,
            Self::Group { .. } | Self::LabelColumns { .. } => Code::LabelValues,
            Self::CellsMissing { role: "label", .. } => Code::LabelMissing,
            Self::CellsMissing { .. } | Self::PredictionValue { .. } => Code::PredictionValues,
            Self::ColumnNotFound { .. } => Code::ColumnNotFound,
            Self::ColumnType { .. } => Code::ColumnType,
            Self::MetricOfOtherTask { .. } => Code::ThresholdInvalid,
            Self::OwnMetric { .. } | Self::MetricOfUnknownClass { .. } | Self::Behaviour { .. } => Code::Params,
            Self::NoLabel | Self::Malformed { .. } => Code::PackageInvalid,
            Self::Io { .. } => Code::Io,
            Self::Threads(_) | Self::Kept(_) => Code::Internal,
            Self::Data(error) => error.code(),
            Self::Model(error) => error.code(),
            Self::Canceled => Code::Canceled,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::EmptySplit { rows_of } if rows_of.starts_with("split") => {
                Some("give the split a larger share in `splits` of ExampleGen".into())
            }
            Self::UnknownSplit { split, known } => {
                let near = tidemill_core::suggest(split, known.iter().map(String::as_str));
                Some(near.map_or_else(
                    || format!("the splits are {}", listed(known)),
                    |name| format!("did you mean `{name}`?"),
                ))
            }
            Self::LabelConstant { rows_of, .. } if rows_of.starts_with("split") => {
                Some("check the label expression and how the split was drawn".into())
            }
            Self::LabelConstant { .. } => Some("most metrics need rows of both kinds".into()),
            Self::PredictionValue { rows_of, .. } if !rows_of.starts_with("split") => {
                Some("a probability lies between 0 and 1; `--task regression` compares predictions as values".into())
            }
            Self::CellsMissing { .. } => Some("leave these rows out, or fill them in".into()),
            Self::UnknownClass { known, .. } => Some(format!("it knows {}", listed(known))),
            Self::LabelColumns { .. } => Some(
                "each label has a column of 0 and 1, and one of probabilities: `--label a,b --prediction p` reads `p[a]` and `p[b]`"
                    .into(),
            ),
            Self::LabelTask { hint, .. } => Some(hint.clone()),
            Self::LabelValue { task: "binary", .. } => Some("a binary label is 0 or 1, or false and true".into()),
            Self::LabelValue { .. } => Some("a regression label is a finite number in every row".into()),
            Self::ColumnNotFound { nearest, .. } => nearest.as_ref().map(|name| format!("did you mean `{name}`?")),
            Self::ColumnType { place: "slices", .. } => {
                Some("slice by a column of categories, or let `find_slices` divide numbers into ranges".into())
            }
            Self::TooManySlices { .. } => {
                Some("choose a column with fewer values, or name the wanted ones with `values:`".into())
            }
            Self::MetricOfUnknownClass { known, .. } => Some(format!("it has {}", listed(known))),
            Self::MetricOfOtherTask { known, .. } => Some(format!("its metrics are {known}")),
            Self::Data(error) => error.hint(),
            Self::Model(error) => error.hint(),
            _ => None,
        }
    }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
