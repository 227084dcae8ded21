//! Errors of the store.

use std::path::{Path, PathBuf};

use tidemill_core::{ArtifactType, Code, Coded, Digest};
use tidemill_files::FileError;

use crate::{ApprovalState, Damage};

/// An error of the store.
#[allow(missing_docs, reason = "plain data")]
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or database cannot be read or written.
    #[error("the store `{}` cannot be used", path.display())]
    Unavailable {
        path: PathBuf,
        /// The report of the operating system or the database, in words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of the store cannot be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// The store existed and is gone.
    #[error("the store `{}` is gone: {reason}", dir.display())]
    Lost {
        dir: PathBuf,
        /// The known facts about it.
        reason: String,
    },
    /// A store already exists.
    #[error("there is a store in `{}` already", dir.display())]
    Exists { dir: PathBuf },
    /// The folder is not a backup of a store, or not a complete one.
    #[error("`{}` is not a backup that can be restored: {reason}", dir.display())]
    Backup { dir: PathBuf, reason: String },
    /// The database was written by a newer version.
    #[error("the store `{}` has schema version {found}, this binary knows up to {known}", path.display())]
    Version {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest schema version known to this binary.
        known: i64,
    },
    /// There is no record with this name or id.
    #[error("no {kind} `{name}` in the store")]
    NotFound {
        /// `run`, `artifact`, `model`, …
        kind: &'static str,
        /// The name or id that was asked for.
        name: String,
        /// Similar names in the store.
        nearest: Vec<String>,
    },
    /// The start of an id matches several.
    #[error("`{name}` fits more than one {kind}")]
    Ambiguous {
        /// `run` or `artifact`.
        kind: &'static str,
        /// The start that was given.
        name: String,
        /// Some of the ids it matches.
        fits: Vec<String>,
    },
    /// The bytes of an artifact do not match its digest.
    #[error("{artifact_type} artifact `{}` is damaged: {damage}", digest.short())]
    Damaged { artifact_type: ArtifactType, digest: Digest, damage: Damage },
    /// Another process holds the pipeline's lease.
    #[error("pipeline `{pipeline}` is being run by {}", holder(*pid))]
    Busy {
        pipeline: String,
        /// The process, if it is known.
        pid: Option<u32>,
    },
    /// This process no longer holds the lease of the pipeline it runs.
    #[error("the lease of pipeline `{pipeline}` was lost: {reason}")]
    LeaseLost { pipeline: String, reason: String },
    /// A staged artifact contains an entry that cannot be stored.
    #[error("a staged {artifact_type} artifact cannot be stored: {reason}")]
    Staged { artifact_type: ArtifactType, reason: String },
    /// An invalid name for a model or an alias.
    #[error("{kind} name `{name}` {reason}")]
    InvalidName {
        /// `model` or `alias`.
        kind: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A setting of a run has a value already.
    #[error("the run has `{key}` set to `{set}`: settings never change")]
    ParamIsSet { key: String, set: String },
    /// A person may not decide an approval.
    #[error("approval `{id}` is not yours to decide: {reason}")]
    Denied { id: String, reason: String },
    /// An approval was decided before.
    #[error("approval `{id}` was decided before: {state} by {by}")]
    Decided { id: String, state: ApprovalState, by: String },
    /// The operation conflicts with the record, for example completing an execution twice.
    #[error("{0}")]
    Conflict(String),
    /// A record cannot be decoded.
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
            Self::Unavailable { .. } | Self::Write(_) | Self::Corrupt { .. } => Code::StoreUnavailable,
            Self::Lost { .. } => Code::StoreLost,
            Self::Exists { .. } => Code::ProjectExists,
            Self::Backup { .. } => Code::BackupInvalid,
            Self::Version { .. } => Code::StoreVersion,
            Self::NotFound { .. } | Self::Ambiguous { .. } => Code::NotInStore,
            Self::Damaged { .. } => Code::ArtifactDamaged,
            Self::Busy { .. } | Self::LeaseLost { .. } => Code::StoreBusy,
            Self::InvalidName { .. } | Self::ParamIsSet { .. } => Code::Params,
            Self::Denied { .. } | Self::Decided { .. } => Code::ApprovalDenied,
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
                    "approval" => "approvals",
                    "tick" => "schedules",
                    _ => "models",
                };
                Some(format!("`tidemill {command}` lists what is recorded"))
            }
            Self::Ambiguous { fits, .. } => Some(format!("give more of it: {}", list(fits))),
            Self::Busy { .. } => Some("wait for it to end, or stop it".to_owned()),
            Self::Version { .. } => Some("use the newer binary that wrote it".to_owned()),
            Self::Damaged { .. } => {
                Some("`tidemill run` makes it again; `tidemill store check` looks for other damage".to_owned())
            }
            Self::Lost { .. } => Some(
                "put it back (a lost mount, a renamed folder), restore a backup with `tidemill store restore DIR`, or \
                 start an empty one with `tidemill store new`"
                    .to_owned(),
            ),
            Self::Exists { .. } => Some("move it away first, or give `--replace`".to_owned()),
            Self::Write(error) => error.hint(),
            _ => None,
        }
    }
}

impl StoreError {
    /// Nothing is called `name`; the nearest of `known` become the hint.
    pub(crate) fn not_found<'a>(kind: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let nearest = tidemill_core::suggest(name, known).map(str::to_owned).into_iter().collect();
        Self::NotFound { kind, name: name.to_owned(), nearest }
    }

    /// `path` could not be used, for the reason in `source`.
    pub(crate) fn unavailable(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { path: path.to_owned(), source: in_words(source.into()) }
    }
}

/// Errors of the operating system and of SQLite in words, if their own text is a number or misleading.
fn in_words(error: Box<dyn std::error::Error + Send + Sync>) -> Box<dyn std::error::Error + Send + Sync> {
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return tidemill_files::reason(error).into();
    }
    let code = error
        .downcast_ref::<sqlx::Error>()
        .and_then(sqlx::Error::as_database_error)
        .and_then(|error| error.code()?.parse::<u32>().ok());
    // The low byte is the error, the rest where it happened: https://www.sqlite.org/rescode.html.
    match code.map(|code| (code & 0xff, code)) {
        Some((13, _)) => "no space left on device".into(),
        // SQLITE_IOERR_SHMSIZE: the index of the write-ahead log cannot grow.
        Some((10, 4874)) => "no space left on device, or it is not possible to write there".into(),
        Some((10, code)) => format!("reading or writing the database failed (SQLite error {code})").into(),
        Some((8, _)) => "the database is read-only".into(),
        Some((14, _)) => "the database file cannot be opened".into(),
        Some((11, _)) => "the database is damaged; `tidemill store check` shows where".into(),
        Some((26, _)) => "the file is not a SQLite database".into(),
        _ => error,
    }
}

/// A state that this version never writes.
pub(crate) fn unknown_state(kind: &'static str, name: &str) -> StoreError {
    StoreError::Corrupt { kind, reason: format!("state `{name}` is not known") }
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
