//! Errors of graphs, packages and requests.

use std::path::PathBuf;

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use tidemill_core::{Code, Coded, DataType, suggest};

use crate::expr::ExpressionError;

/// An error of a transform graph, a model package or the rows given to a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The label's expression is wrong or does not fit the columns.
    #[error("label `{label}`: {source}")]
    LabelExpression {
        /// The label's name.
        label: String,
        /// What is wrong, and where in the expression.
        source: ExpressionError,
    },
    /// The graph has no label: it was made for serving only.
    #[error("the transform graph has no label")]
    NoLabel,
    /// Rows without a label.
    #[error("label `{label}` is missing in {count} of {rows} rows, first in row {first_row}")]
    LabelMissing {
        /// The label's name.
        label: String,
        /// How many rows lack it.
        count: u64,
        /// How many rows were looked at.
        rows: u64,
        /// The first such row, from 0.
        first_row: u64,
    },
    /// A label that is not a finite number.
    #[error("label `{label}` is {value} in row {row}")]
    LabelValue {
        /// The label's name.
        label: String,
        /// The value.
        value: f64,
        /// In which row, from 0.
        row: u64,
    },
    /// A feature uses what the label is computed from.
    #[error("feature `{feature}` uses column `{column}`, which the label `{label}` is about")]
    LabelLeak {
        /// The feature.
        feature: String,
        /// The column.
        column: String,
        /// The label.
        label: String,
    },
    /// The steps of a feature do not fit together, or a fitted constant is invalid.
    #[error("feature `{feature}`: {reason}")]
    Feature {
        /// The feature.
        feature: String,
        /// Why.
        reason: String,
    },
    /// The expression of a feature is wrong or does not fit the columns.
    #[error("feature `{feature}`: {source}")]
    FeatureExpression {
        /// The feature.
        feature: String,
        /// What is wrong, and where in the expression.
        source: ExpressionError,
    },
    /// The data lacks several columns.
    #[error("the data does not have {} columns: {}", .0.len(), listed(.0))]
    ColumnsNotFound(Vec<MissingColumn>),
    /// The data lacks a column that a feature needs.
    #[error("feature `{feature}` needs column `{column}`, which the data does not have")]
    ColumnNotFound {
        /// The feature.
        feature: String,
        /// The column.
        column: String,
        /// The nearest column the data has.
        near: Option<String>,
    },
    /// A column has another type than the one the feature was fitted on.
    #[error("feature `{feature}` needs column `{column}` as {expected}, but the data has {actual}")]
    ColumnType {
        /// The feature.
        feature: String,
        /// The column.
        column: String,
        /// The type it was fitted on.
        expected: String,
        /// The type found.
        actual: String,
    },
    /// A file of a package, or a transform graph, is missing, altered or malformed.
    #[error("`{}`: {reason}", file.display())]
    Package {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file is of a newer format than this version reads.
    #[error("`{}` has format {found}, and this version of Tidemill reads up to {supported}", file.display())]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// The format it has.
        found: u64,
        /// The newest format known.
        supported: u32,
    },
    /// The bytes are not a learner.
    #[error("the learner is not valid: {reason}")]
    Learner {
        /// Why.
        reason: String,
    },
    /// A row of a request is not a JSON object.
    #[error("row {row} is {found}, and an object of features is expected")]
    RowNotObject {
        /// Which row, from 0.
        row: usize,
        /// What it is instead.
        found: &'static str,
    },
    /// A request lacks a feature.
    #[error("row {row} lacks the feature `{feature}` ({datatype})")]
    InputMissing {
        /// Which row, from 0.
        row: usize,
        /// The feature.
        feature: String,
        /// The type it needs.
        datatype: DataType,
    },
    /// A request has a feature that is unknown to the model.
    #[error("row {row} has the feature `{feature}`, which the model does not know")]
    InputUnknown {
        /// Which row, from 0.
        row: usize,
        /// The feature.
        feature: String,
        /// The nearest known feature.
        near: Option<String>,
    },
    /// A feature of a request has the wrong type.
    #[error("row {row}, feature `{feature}`: {expected} is expected, and {found} was given")]
    InputType {
        /// Which row, from 0.
        row: usize,
        /// The feature.
        feature: String,
        /// The type it needs.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The columns of a request differ in length.
    #[error("feature `{feature}` has {found} values, and {expected} are expected")]
    InputRows {
        /// The feature.
        feature: String,
        /// Rows of the request.
        expected: usize,
        /// Values of the feature.
        found: usize,
    },
    /// The bytes of a request are not a picture.
    #[error("row {row}, feature `{feature}`: a picture is expected, and {reason}")]
    Picture {
        /// Which row, from 0.
        row: usize,
        /// The feature.
        feature: String,
        /// Why not.
        reason: String,
    },
    /// The two lists of a history differ in length.
    #[error(
        "row {row} has {} values in `{}` and {} in `{}`, and every value of a history needs its time",
        .times.1, .times.0, .values.1, .values.0
    )]
    Uneven {
        /// Which row, from 0.
        row: usize,
        /// The feature with the times, and how many there are.
        times: (String, usize),
        /// The feature with the values, and how many there are.
        values: (String, usize),
    },
    /// A recorded prediction is not reproduced.
    #[error("row {row} of `sample.json` gives {got:?}, and {expected:?} was recorded at training time")]
    SampleMismatch {
        /// Which row, from 0.
        row: usize,
        /// The recorded prediction.
        expected: f64,
        /// The prediction now.
        got: f64,
    },
    /// A model uses something that another format cannot express.
    #[error("the model cannot be written as {format}: {reason}")]
    NotExpressible {
        /// The other format.
        format: &'static str,
        /// What it cannot express, by feature.
        reason: String,
    },
    /// The engine for an imported model is not available.
    #[error("`{}`: {reason}", file.display())]
    Engine {
        /// The model.
        file: PathBuf,
        /// Why not.
        reason: Box<dyn Coded + Send + Sync>,
    },
    /// A model of another program cannot predict these rows.
    #[error("the model cannot run: {reason}")]
    Run {
        /// Where in the model, and why.
        reason: String,
    },
    /// The operating system reported an error.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// The operation: `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Arrow rejected something that was checked before.
    #[error("the record batch cannot be used")]
    Arrow(#[from] ArrowError),
}

impl Coded for ModelError {
    fn code(&self) -> Code {
        match self {
            Self::LabelMissing { .. } => Code::LabelMissing,
            Self::LabelValue { .. } => Code::LabelValues,
            Self::LabelLeak { .. } => Code::LabelLeak,
            Self::Feature { .. } | Self::NoLabel | Self::NotExpressible { .. } => Code::TransformGraph,
            Self::LabelExpression { source, .. } | Self::FeatureExpression { source, .. } => source.code(),
            Self::ColumnNotFound { .. } | Self::ColumnsNotFound(_) => Code::ColumnNotFound,
            Self::ColumnType { .. } => Code::ColumnType,
            Self::Package { .. } | Self::NewerFormat { .. } | Self::Learner { .. } => Code::PackageInvalid,
            Self::InputMissing { .. } => Code::InputMissing,
            Self::InputUnknown { .. } => Code::InputUnknown,
            Self::InputType { .. } => Code::InputType,
            Self::RowNotObject { .. }
            | Self::InputRows { .. }
            | Self::Uneven { .. }
            | Self::Picture { .. }
            | Self::Run { .. } => Code::RequestMalformed,
            Self::Engine { reason, .. } => reason.code(),
            Self::SampleMismatch { .. } => Code::SampleMismatch,
            Self::Io { .. } => Code::Io,
            Self::Arrow(_) => Code::Internal,
        }
    }

    fn place(&self) -> Vec<String> {
        let place = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        match self {
            Self::LabelExpression { .. } => place(&["label", "expression"]),
            Self::FeatureExpression { feature, .. } => place(&["features", feature, "expression"]),
            Self::Feature { feature, .. }
            | Self::ColumnNotFound { feature, .. }
            | Self::ColumnType { feature, .. }
            | Self::LabelLeak { feature, .. } => place(&["features", feature]),
            _ => Vec::new(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::LabelExpression { source, .. } | Self::FeatureExpression { source, .. } => source.hint(),
            Self::Engine { reason, .. } => reason.hint(),
            Self::ColumnsNotFound(missing) => {
                let near: Vec<&str> = missing.iter().filter_map(|missing| missing.near.as_deref()).collect();
                (!near.is_empty()).then(|| format!("the data has `{}`", near.join("`, `")))
            }
            Self::ColumnNotFound { near, .. } | Self::InputUnknown { near, .. } => {
                near.as_ref().map(|near| format!("did you mean `{near}`?"))
            }
            Self::LabelLeak { feature, .. } => Some(format!("remove the feature `{feature}`")),
            Self::LabelMissing { .. } => {
                Some("drop such rows before ingestion, or make the expression total with `coalesce`".to_owned())
            }
            Self::NewerFormat { .. } => Some("use the version of Tidemill that wrote it, or a newer one".to_owned()),
            Self::InputMissing { .. } => Some("every row needs the features that are not optional".to_owned()),
            _ => None,
        }
    }
}

/// A column that the data lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingColumn {
    /// What needs it, as in a message: feature `fare_bucket`.
    user: String,
    feature: String,
    column: String,
    /// The nearest column the data has.
    near: Option<String>,
}

impl MissingColumn {
    /// A column that a feature needs and `schema` lacks.
    pub fn of_feature(feature: String, column: &str, schema: &Schema) -> Self {
        Self { user: format!("feature `{feature}`"), feature, column: column.to_owned(), near: nearest(column, schema) }
    }

    /// A column that a label needs and `schema` lacks.
    pub fn of_label(label: &str, column: &str, schema: &Schema) -> Self {
        let user = format!("label `{label}`");
        Self { user, feature: label.to_owned(), column: column.to_owned(), near: nearest(column, schema) }
    }

    /// Returns an error about all of `missing`, if there are any. A column needed twice is named once.
    pub fn error_if_any(mut missing: Vec<Self>) -> Result<(), ModelError> {
        let mut seen = std::collections::HashSet::new();
        missing.retain(|missing| seen.insert(missing.column.clone()));
        if missing.len() > 1 {
            return Err(ModelError::ColumnsNotFound(missing));
        }
        match missing.pop() {
            Some(Self { feature, column, near, .. }) => Err(ModelError::ColumnNotFound { feature, column, near }),
            None => Ok(()),
        }
    }
}

fn nearest(column: &str, schema: &Schema) -> Option<String> {
    suggest(column, schema.fields().iter().map(|field| field.name().as_str())).map(str::to_owned)
}

/// `fares` (feature `fare_bucket`), `tip` (label `big_tip`)
fn listed(missing: &[MissingColumn]) -> String {
    let one = |missing: &MissingColumn| format!("`{}` ({})", missing.column, missing.user);
    missing.iter().map(one).collect::<Vec<_>>().join(", ")
}
