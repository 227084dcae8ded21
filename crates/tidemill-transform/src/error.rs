//! Why a transform graph could not be fitted.

use tidemill_core::{Code, Coded, DataType};
use tidemill_data::DataError;
use tidemill_model::ModelError;

/// Why a transform graph could not be fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// The examples could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The graph or the label does not fit the columns.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is no split to fit on.
    #[error("the examples have no split `{split}` to fit on; they have {known}")]
    NoSplit {
        /// The split.
        split: String,
        /// The splits there are.
        known: String,
    },
    /// A step does not apply to its column.
    #[error("feature `{feature}`, {origin} ({datatype}): {reason}")]
    Step {
        /// The feature.
        feature: String,
        /// Where its values come from, as in a message: column `fare`.
        origin: String,
        /// The type of the values.
        datatype: DataType,
        /// Why not.
        reason: String,
    },
    /// A name with `*`, or one of `auto`, that no column has.
    #[error("no column is called `{pattern}`")]
    NoMatch {
        /// Where it stands in the step.
        place: Vec<String>,
        /// The name.
        pattern: String,
        /// The column of the nearest name.
        near: Option<String>,
    },
    /// `features: auto` left out all columns.
    #[error("no feature was chosen: all {columns} columns were left out")]
    NothingChosen {
        /// How many.
        columns: usize,
    },
    /// A column is of a type that features cannot be made of.
    #[error("feature `{feature}` needs column `{column}`, which is of type {actual}")]
    ColumnType {
        /// The feature.
        feature: String,
        /// The column.
        column: String,
        /// Its Arrow type.
        actual: String,
    },
    /// A feature of what came before, in data that says nothing of it.
    #[error("feature `{feature}` needs the history `{column}`, which the data does not have")]
    NoHistory {
        /// The feature.
        feature: String,
        /// The column of lists.
        column: String,
    },
    /// A column that a history cannot be made of.
    #[error("{what} is made of {takes}, and column `{column}` is of type {actual}")]
    HistoryType {
        /// The column.
        column: String,
        /// What it should be.
        what: &'static str,
        /// The types that may be.
        takes: &'static str,
        /// Its Arrow type.
        actual: String,
    },
    /// The data has a column of a history's name.
    #[error("the data has a column `{column}` already, as the history would be called")]
    HistoryExists {
        /// The column.
        column: String,
    },
    /// Two columns of a table of features have one name.
    #[error("two columns are called `{column}`: a feature, the label or a column that is kept")]
    ColumnTwice {
        /// The name.
        column: String,
    },
    /// More rows than are numbered.
    #[error("a history is made of at most {limit} rows")]
    TooManyRows {
        /// How many are too many.
        limit: u64,
    },
    /// There are no rows to make a history of.
    #[error("there are no rows with a column `{column}`")]
    NoRows {
        /// The column.
        column: String,
    },
    /// A step that must have values has none.
    #[error("feature `{feature}`: {origin} has no value in the train split, so `{step}` cannot be fitted")]
    NoValues {
        /// The feature.
        feature: String,
        /// Where its values come from, as in a message: column `fare`.
        origin: String,
        /// The step.
        step: &'static str,
    },
    /// A column has too many different values for an exact count.
    #[error("feature `{feature}`: {origin} has more than {limit} different values")]
    TooManyValues {
        /// The feature.
        feature: String,
        /// Where its values come from, as in a message: column `fare`.
        origin: String,
        /// How many are too many.
        limit: u64,
    },
    /// The schema says that serving does not have the column.
    #[error("feature `{feature}` needs column `{column}`, which the schema does not expect in the environment SERVING")]
    NotAtServing {
        /// The feature.
        feature: String,
        /// The column.
        column: String,
    },
    /// Rows of a split have no label.
    #[error("label `{label}` is missing in {count} of {rows} rows of split `{split}`, first in row {first_row}")]
    LabelMissing {
        /// The label.
        label: String,
        /// The split.
        split: String,
        /// How many rows lack it.
        count: u64,
        /// How many rows the split has.
        rows: u64,
        /// The first such row of the split, from 0.
        first_row: u64,
    },
    /// A label is infinite.
    #[error("label `{label}` is {value} in row {row} of split `{split}`")]
    LabelValue {
        /// The label.
        label: String,
        /// The split.
        split: String,
        /// What it is.
        value: f64,
        /// The row of the split, from 0.
        row: u64,
    },
    /// The label never varies.
    #[error("label `{label}` is {value} in all {rows} rows of split `{split}`")]
    LabelConstant {
        /// The label.
        label: String,
        /// The split.
        split: String,
        /// What it always is.
        value: String,
        /// How many rows the split has.
        rows: u64,
        /// The values of its columns, in words.
        values: Vec<String>,
    },
    /// A column of the label's expression that is not its target decides the label alone.
    #[error(
        "feature `{feature}` uses column `{column}` of the label's expression, which alone decides the label `{label}`: AUC {auc:.4} in split `{split}`"
    )]
    LabelLeak {
        /// The feature.
        feature: String,
        /// The column.
        column: String,
        /// The label.
        label: String,
        /// Area under the ROC curve of the column as a prediction of the label.
        auc: f64,
        /// The split.
        split: String,
    },
    /// The run is being cancelled.
    #[error("the run was cancelled")]
    Canceled,
    /// Threads could not be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many.
        threads: usize,
        /// What the system said.
        reason: String,
    },
}

impl Coded for TransformError {
    fn code(&self) -> Code {
        match self {
            Self::Data(error) => error.code(),
            Self::Model(error) => error.code(),
            Self::NothingChosen { .. } | Self::NoSplit { .. } | Self::TooManyRows { .. } | Self::NoRows { .. } => {
                Code::Params
            }
            Self::Step { .. } | Self::NoValues { .. } | Self::TooManyValues { .. } | Self::NotAtServing { .. } => {
                Code::TransformGraph
            }
            Self::ColumnType { .. } | Self::HistoryType { .. } => Code::ColumnType,
            Self::NoHistory { .. } | Self::NoMatch { .. } => Code::ColumnNotFound,
            Self::HistoryExists { .. } | Self::ColumnTwice { .. } => Code::DuplicateColumn,
            Self::LabelMissing { .. } => Code::LabelMissing,
            Self::LabelValue { .. } => Code::LabelValues,
            Self::LabelConstant { .. } => Code::LabelConstant,
            Self::LabelLeak { .. } => Code::LabelLeak,
            Self::Canceled => Code::Canceled,
            Self::Threads { .. } => Code::Io,
        }
    }

    fn place(&self) -> Vec<String> {
        let feature = match self {
            Self::Model(error) => return error.place(),
            Self::Step { feature, .. }
            | Self::ColumnType { feature, .. }
            | Self::NoHistory { feature, .. }
            | Self::NoValues { feature, .. }
            | Self::TooManyValues { feature, .. }
            | Self::NotAtServing { feature, .. }
            | Self::LabelLeak { feature, .. } => feature,
            Self::NoMatch { place, .. } => return place.clone(),
            Self::NothingChosen { .. } => return vec!["features".to_owned()],
            Self::LabelMissing { .. } | Self::LabelValue { .. } | Self::LabelConstant { .. } => {
                return vec!["label".to_owned()];
            }
            _ => return Vec::new(),
        };
        vec!["features".to_owned(), feature.clone()]
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Data(error) => return error.hint(),
            Self::Model(error) => return error.hint(),
            Self::NoSplit { .. } => "name one of the splits of ExampleGen `train`",
            Self::Step { datatype: DataType::Bytes, .. } => {
                "text needs `vocabulary`, `categorical`, `one_hot`, `hash_buckets` or `target_encode`, or is cut by `tokenize` first"
            }
            Self::Step { datatype: DataType::Fp64, .. } => "real numbers can be put in buckets: `bucketize: 10`",
            Self::NoValues { .. } => "give a constant, as in `impute: 0`, or remove the feature",
            Self::TooManyValues { .. } => "such a column names rows rather than describing them; remove the feature",
            Self::NoHistory { .. } => {
                "a step `HistoryGen` above makes it, for files `tidemill history`; the column must be among its `columns`"
            }
            Self::NoMatch { near, .. } => return near.as_ref().map(|near| format!("did you mean `{near}`?")),
            Self::NothingChosen { .. } => "name features yourself, as in `features: { fare: numeric }`",
            Self::HistoryExists { .. } => "name another `prefix`",
            Self::ColumnTwice { .. } => "leave out the label or the column",
            Self::NotAtServing { .. } => "remove the feature, or correct its environments in `schema.yaml`",
            Self::LabelConstant { values, .. } if !values.is_empty() => return Some(values.join("; ")),
            Self::LabelMissing { .. } => {
                "drop such rows before ingestion, or make the expression total with `coalesce`"
            }
            Self::LabelLeak { column, .. } => {
                return Some(format!(
                    "remove the feature and add `target: {column}` to the label; if `{column}` is known when serving, say so by naming the column that is not as `target`"
                ));
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
