//! What is wrong with the bytes of an artifact.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::Digest;

/// The first difference between what was recorded of an artifact and what is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The file, relative to the artifact's folder; `.` for the folder itself.
    pub file: String,
    /// What is wrong with it.
    pub kind: DamageKind,
    /// The digest that was recorded, where the file is one of the artifact's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<Digest>,
    /// The digest of what is there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<Digest>,
}

/// The kinds of damage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DamageKind {
    /// The file or folder is not there.
    Missing,
    /// The file has other bytes.
    Altered,
    /// The file has another size than was recorded.
    Resized,
    /// Nothing of that name was recorded.
    Unexpected,
    /// The entry is not a regular file with a plain name; the text says what it is.
    NotAFile(String),
    /// The list of files has a format that this version does not know.
    UnknownFormat,
    /// The disk refused to read it.
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

    /// Whether the whole artifact is gone, as after an incomplete copy or a lost disk.
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
