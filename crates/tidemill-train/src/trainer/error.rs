//! What can go wrong in training, beside reading the inputs.

use tidemill_core::{Code, Coded};

/// What can go wrong in training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Rows without a label.
    #[error(
        "label `{label}` is missing in {count} of {rows} rows of split `{split}`, first in row {row}",
        row = first_row + 1
    )]
    LabelMissing {
        /// The label's name.
        label: String,
        /// The split.
        split: String,
        /// How many rows lack it.
        count: u64,
        /// How many rows the split has.
        rows: u64,
        /// The first such row, from 0.
        first_row: u64,
    },
    /// A label that cannot be learned.
    #[error("label `{label}` is {value} in row {row} of split `{split}`, and {rule}", row = row + 1)]
    LabelValue {
        /// The label's name.
        label: String,
        /// The split.
        split: String,
        /// The first such row, from 0.
        row: u64,
        /// What it is there.
        value: f64,
        /// What it should be.
        rule: &'static str,
    },
    /// A label that never varies.
    #[error("label `{label}` is {value} in every row of split `{split}`")]
    LabelConstant {
        /// The label's name.
        label: String,
        /// The split.
        split: String,
        /// What it is.
        value: f64,
    },
    /// A split without rows.
    #[error("split `{split}` has no rows")]
    SplitEmpty {
        /// The split.
        split: String,
    },
    /// More rows than are numbered.
    #[error("split `{split}` has {rows} rows, and at most {} can be learned from", u32::MAX)]
    TooManyRows {
        /// The split.
        split: String,
        /// Its rows.
        rows: u64,
    },
    /// The operating system gives no threads.
    #[error("threads cannot be started")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

impl Coded for TrainError {
    fn code(&self) -> Code {
        match self {
            Self::LabelMissing { .. } => Code::LabelMissing,
            Self::LabelValue { .. } => Code::LabelValues,
            Self::LabelConstant { .. } => Code::LabelConstant,
            Self::SplitEmpty { .. } => Code::EmptySplit,
            Self::TooManyRows { .. } => Code::Params,
            Self::Threads(_) => Code::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::LabelMissing { .. } => {
                Some("drop such rows before ingestion, or make the expression total with `coalesce`".to_owned())
            }
            Self::LabelValue { .. } => Some("for a label that is an amount, set `task: regression`".to_owned()),
            Self::LabelConstant { .. } => Some("check the label's expression and the shares of the splits".to_owned()),
            Self::SplitEmpty { .. } => Some("give the split a larger share".to_owned()),
            Self::TooManyRows { .. } => Some("give the split a smaller share".to_owned()),
            Self::Threads(_) => None,
        }
    }
}
