//! What can go wrong in this crate.

use std::path::{Path, PathBuf};

use tidemill_core::{Code, Coded};
use tidemill_data::DataError;
use tidemill_files::FileError;

/// An error of the inference log, of a monitor or of ground truth.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The folder or a file of the log is not what it should be.
    #[error("{message}")]
    Log {
        /// What is wrong, and where.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A file of the state does not have the content that was written.
    #[error("`{path}` is not the state that the monitor wrote: {reason}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A record of feedback that cannot be used.
    #[error("{message}")]
    Feedback {
        /// What is wrong, and where.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// There is nothing to compare with.
    #[error("{message}")]
    Reference {
        /// What is missing.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Reading a table failed.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Writing a file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system refused an operation on a path.
    #[error("cannot use `{path}`")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl MonitorError {
    /// What closes over a path, for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// Something wrong with the log.
    pub(crate) fn log(message: impl Into<String>) -> Self {
        Self::Log { message: message.into(), hint: None }
    }

    /// Damaged state.
    pub(crate) fn state(path: &Path, reason: impl ToString) -> Self {
        Self::State { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl Coded for MonitorError {
    fn code(&self) -> Code {
        match self {
            Self::Log { .. } => Code::InferenceLog,
            Self::State { .. } => Code::MonitorState,
            Self::Feedback { .. } => Code::Feedback,
            Self::Reference { .. } => Code::MonitorReference,
            Self::Data(error) => error.code(),
            Self::File(error) => error.code(),
            Self::Io { .. } => Code::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Log { hint, .. } | Self::Feedback { hint, .. } | Self::Reference { hint, .. } => hint.clone(),
            Self::State { .. } => Some("`tidemill monitor run --fresh` computes it again from the log".to_owned()),
            Self::Data(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::Io { .. } => None,
        }
    }
}
