//! Errors in a configuration file.

use std::path::{Path, PathBuf};

use tidemill_core::{Code, Coded};

/// A configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not the message it should be.
    #[error("`{}` is not a {message}: line {line} column {column}: {reason}", file.display())]
    Text {
        /// The file.
        file: PathBuf,
        /// The message it should be.
        message: &'static str,
        /// Line of the first character that is wrong, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// It says what cannot be done.
    #[error("`{}`: {reason}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What cannot be done.
        reason: String,
    },
}

impl ConfigError {
    pub(super) fn invalid(file: &Path, reason: impl Into<String>) -> Self {
        Self::Invalid { file: file.to_owned(), reason: reason.into() }
    }
}

impl Coded for ConfigError {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => Code::Io,
            Self::Text { .. } | Self::Invalid { .. } => Code::CommandLine,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = "the file is a protocol buffer as text, as TF Serving reads it: `name: \"value\"`, `message { … }`";
        matches!(self, Self::Text { .. }).then(|| hint.to_owned())
    }
}
