//! Damage to the bytes of an artifact.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::Digest;

/// The first difference between the recorded and the actual content of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The file, relative to the artifact's folder; `.` for the folder itself.
    pub file: String,
    /// The kind of damage.
    pub kind: DamageKind,
    /// The recorded digest, if the file is one of the artifact's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<Digest>,
    /// The actual digest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<Digest>,
}

/// The kinds of damage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DamageKind {
    /// The file or folder does not exist.
    Missing,
    /// The file has different bytes.
    Altered,
    /// The file does not have its recorded size.
    Resized,
    /// The file is not in the record.
    Unexpected,
    /// The entry is not a regular file with a plain name; the text says what it is.
    NotAFile(String),
    /// The list of files has a format unknown to this version.
    UnknownFormat,
    /// The file cannot be read.
    Unreadable(String),
}

impl Damage {
    pub(crate) fn new(file: impl Into<String>, kind: DamageKind) -> Self {
        Self { file: file.into(), kind, expected: None, found: None }
    }

    pub(crate) fn expected(mut self, digest: &Digest) -> Self {
        self.expected = Some(digest.clone());
        self
    }

    pub(crate) fn found(mut self, digest: &Digest) -> Self {
        self.found = Some(digest.clone());
        self
    }

    /// Whether the whole artifact is gone, as after an incomplete copy or the loss of a disk.
    pub fn is_missing(&self) -> bool {
        self.kind == DamageKind::Missing && self.file == "."
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_missing() {
            return f.write_str("its folder is missing");
        }
        write!(f, "`{}` ", self.file)?;
        match &self.kind {
            DamageKind::Missing => f.write_str("is missing"),
            DamageKind::Altered => f.write_str("has other bytes than were recorded"),
            DamageKind::Resized => f.write_str("has another size than was recorded"),
            DamageKind::Unexpected => f.write_str("does not belong there"),
            DamageKind::NotAFile(what) => f.write_str(what),
            DamageKind::UnknownFormat => f.write_str("has a format that this version does not know"),
            DamageKind::Unreadable(reason) => write!(f, "cannot be read: {reason}"),
        }?;
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => {
                write!(f, " (expected digest {}, found {})", expected.short(), found.short())
            }
            _ => Ok(()),
        }
    }
}
