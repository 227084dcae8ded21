//! What can go wrong with the store.

use std::path::{Path, PathBuf};

use tidemill_core::{ArtifactType, Code, Coded, Digest};

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or database cannot be read or written.
    #[error("the store `{}` cannot be used", path.display())]
    Unavailable {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system or the database says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database was written by a newer version.
    #[error("the store `{}` has schema version {found}, this binary knows up to {known}", path.display())]
    Version {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest schema version known here.
        known: i64,
    },
    /// Nothing of that name or id is recorded.
    #[error("no {kind} `{name}` in the store")]
    NotFound {
        /// `run`, `artifact`, `model`, …
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What there is of nearly that name.
        nearest: Vec<String>,
    },
    /// The start of an id fits several.
    #[error("`{name}` fits more than one {kind}")]
    Ambiguous {
        /// `run` or `artifact`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// Some of those it fits.
        fits: Vec<String>,
    },
    /// The bytes of an artifact are not what its digest says.
    #[error("{artifact_type} artifact `{}` is damaged: `{file}` {reason}", digest.short())]
    Damaged {
        /// What it is.
        artifact_type: ArtifactType,
        /// Its digest.
        digest: Digest,
        /// The file, relative to the artifact's folder.
        file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another process holds the pipeline's lock.
    #[error("pipeline `{pipeline}` is being run by {}", holder(*pid))]
    Busy {
        /// The pipeline.
        pipeline: String,
        /// The process, where it could be told.
        pid: Option<u32>,
    },
    /// A staged artifact holds something that cannot be stored.
    #[error("a staged {artifact_type} artifact cannot be stored: `{file}` {reason}")]
    Staged {
        /// What it was to become.
        artifact_type: ArtifactType,
        /// The file or folder, relative to the artifact's folder.
        file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name that cannot be given to a model or an alias.
    #[error("{kind} name `{name}` {reason}")]
    InvalidName {
        /// `model` or `alias`.
        kind: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The record does not allow it: completing an execution twice, for one.
    #[error("{0}")]
    Conflict(String),
    /// What is recorded cannot be understood.
    #[error("the store holds a {kind} that cannot be read: {reason}")]
    Corrupt {
        /// What kind of record.
        kind: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl Coded for StoreError {
    fn code(&self) -> Code {
        match self {
            Self::Unavailable { .. } | Self::Corrupt { .. } => Code::StoreUnavailable,
            Self::Version { .. } => Code::StoreVersion,
            Self::NotFound { .. } | Self::Ambiguous { .. } => Code::NotInStore,
            Self::Damaged { .. } => Code::ArtifactDamaged,
            Self::Busy { .. } => Code::StoreBusy,
            Self::InvalidName { .. } => Code::Params,
            Self::Staged { .. } | Self::Conflict(_) => Code::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { nearest, .. } if !nearest.is_empty() => Some(format!("did you mean {}?", list(nearest))),
            Self::NotFound { kind, .. } => {
                let command = match *kind {
                    "run" | "execution" => "runs",
                    "artifact" => "artifacts",
                    _ => "models",
                };
                Some(format!("`tidemill {command}` lists what is recorded"))
            }
            Self::Ambiguous { fits, .. } => Some(format!("give more of it: {}", list(fits))),
            Self::Busy { .. } => Some("wait for it to end, or stop it".to_owned()),
            Self::Version { .. } => Some("use the newer binary that wrote it".to_owned()),
            Self::Damaged { .. } => Some("run again with `--no-cache` to make it anew".to_owned()),
            _ => None,
        }
    }
}

impl StoreError {
    /// Nothing called `name`; the nearest of `known` become the hint.
    pub(crate) fn not_found<'a>(kind: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let nearest = tidemill_core::suggest(name, known).map(str::to_owned).into_iter().collect();
        Self::NotFound { kind, name: name.to_owned(), nearest }
    }

    /// `path` could not be used, for the reason in `source`.
    pub(crate) fn unavailable(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { path: path.to_owned(), source: source.into() }
    }
}

/// A state that this version does not write.
pub(crate) fn unknown_state(kind: &'static str, name: &str) -> StoreError {
    StoreError::Corrupt { kind, reason: format!("state `{name}` is not known") }
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
