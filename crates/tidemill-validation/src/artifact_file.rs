//! The one JSON file of a small artifact.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_core::{Code, Coded};

/// Why the file of an artifact could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactFileError {
    #[error("cannot {action} `{}`", .path.display())]
    Io { path: PathBuf, action: &'static str, source: std::io::Error },
    #[error("`{}` line {} column {} is not what belongs there: {source}", .path.display(), .source.line(), .source.column())]
    Content { path: PathBuf, source: serde_json::Error },
    #[error("`{}` has version {found}, this program reads version {known}", .path.display())]
    Version { path: PathBuf, found: u32, known: u32 },
}

impl Coded for ArtifactFileError {
    fn code(&self) -> Code {
        match self {
            Self::Io { .. } => Code::Io,
            Self::Content { .. } | Self::Version { .. } => Code::StatisticsFile,
        }
    }
}

/// Writes `content` as indented JSON with a newline at the end: the same bytes for the same content.
pub(crate) fn write_json<T: Serialize>(path: &Path, content: &T) -> Result<(), ArtifactFileError> {
    let mut text = serde_json::to_string_pretty(content)
        .map_err(|source| ArtifactFileError::Content { path: path.to_owned(), source })?;
    text.push('\n');
    std::fs::write(path, text).map_err(|source| ArtifactFileError::Io {
        path: path.to_owned(),
        action: "write",
        source,
    })
}

/// Reads what [`write_json`] wrote; `version` tells the version of what was read.
pub(crate) fn read_json<T: DeserializeOwned>(
    path: &Path,
    known: u32,
    version: impl Fn(&T) -> u32,
) -> Result<T, ArtifactFileError> {
    let bytes = std::fs::read(path).map_err(|source| ArtifactFileError::Io {
        path: path.to_owned(),
        action: "read",
        source,
    })?;
    let content: T = serde_json::from_slice(&bytes)
        .map_err(|source| ArtifactFileError::Content { path: path.to_owned(), source })?;
    let found = version(&content);
    if found == known { Ok(content) } else { Err(ArtifactFileError::Version { path: path.to_owned(), found, known }) }
}
