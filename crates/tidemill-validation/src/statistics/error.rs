//! Why statistics could not be computed.

use tidemill_core::{Code, Coded};

use tidemill_data::DataError;

/// Why statistics could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// The rows could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Rows could not be picked out of a batch.
    #[error("rows cannot be drawn from a batch")]
    Sample(#[from] arrow::error::ArrowError),
    /// The run was cancelled.
    #[error("the run was cancelled")]
    Canceled,
    /// The operating system gave no threads.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What went wrong.
        source: rayon::ThreadPoolBuildError,
    },
    /// A column that is to be used is not there.
    #[error("there is no column `{column}`")]
    Column {
        /// The name.
        column: String,
        /// The column whose name is nearest to it.
        nearest: Option<String>,
    },
    /// The weights are no numbers.
    #[error("the weight column `{column}` holds {found}, not numbers")]
    WeightType {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A row has no weight that counts.
    #[error("row {row} has the weight {found} in `{column}`; a weight is a number, not below zero")]
    Weight {
        /// The column.
        column: String,
        /// The row, from 1.
        row: u64,
        /// What stands there.
        found: String,
    },
    /// A column cannot be used to slice by, or as a label.
    #[error("`{column}` holds {found}: {expected}")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What would do.
        expected: &'static str,
    },
}

impl Coded for StatisticsError {
    fn code(&self) -> Code {
        match self {
            Self::Data(error) => error.code(),
            Self::Sample(_) => Code::Internal,
            Self::Canceled => Code::Canceled,
            Self::Threads { .. } => Code::Io,
            Self::Column { .. } => Code::ColumnNotFound,
            Self::WeightType { .. } | Self::Weight { .. } | Self::ColumnType { .. } => Code::ColumnType,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Data(error) => error.hint(),
            Self::Column { nearest, .. } => nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`?")),
            Self::Weight { column, .. } => Some(format!("fill or drop the rows without a usable `{column}`")),
            _ => None,
        }
    }
}
