//! Files of statistics: ours (JSON) and TFDV's (`DatasetFeatureStatisticsList` of TensorFlow Metadata).

mod customs;
mod from_proto;
mod read;
mod to_proto;
mod write;

pub use read::{read_statistics_file, statistics_in};
pub use write::write_statistics_file;

use std::path::{Path, PathBuf};

use tidemill_core::{Code, Coded};

use tidemill_proto::text::TextError;

/// Why a file of statistics could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsFileError {
    /// The file system said no.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The file does not hold statistics.
    #[error("`{}` {message}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        message: String,
    },
    /// The extension says of no format that statistics are written in.
    #[error("statistics are not written as `{}`", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
}

impl StatisticsFileError {
    fn content(path: &Path, message: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), message: message.into() }
    }

    fn text(path: &Path, error: &TextError) -> Self {
        Self::content(path, error.to_string())
    }
}

impl Coded for StatisticsFileError {
    fn code(&self) -> Code {
        match self {
            Self::Io { .. } => Code::Io,
            Self::Content { .. } => Code::StatisticsFile,
            Self::Format { .. } => Code::CommandLine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => None,
            Self::Content { .. } => Some("write it with `tidemill stats FILE -o json`, or with TFDV".to_owned()),
            Self::Format { .. } => {
                Some("name a file that ends in `.json`, or `.pb`, `.pbtxt` or `.tfrecord` for TFDV".to_owned())
            }
        }
    }
}

/// The message that TFDV writes statistics as.
const MESSAGE: &str = "tensorflow.metadata.v0.DatasetFeatureStatisticsList";
/// What TFDV calls the statistics of all examples.
const ALL_EXAMPLES: &str = "All Examples";
