//! Why a file operation failed, in words.

use std::io;
use std::path::{Path, PathBuf};

use tidemill_core::{Code, Coded, io_reason};

/// A file operation that failed: "no space left on device while writing `report.html`".
#[derive(Debug, thiserror::Error)]
#[error("{} while {action} `{}`", io_reason(.error), .path.display())]
pub struct FileError {
    /// The file or folder that the caller named.
    pub path: PathBuf,
    /// `writing`, `creating the folder`, …
    pub action: &'static str,
    /// What the operating system reported. It is part of the message, so it is not the `source()` of this error.
    pub(crate) error: IoError,
}

/// Keeps the error of the operating system out of the chain of causes, where it would be printed a second time.
#[derive(Debug)]
pub(crate) struct IoError(pub(crate) io::Error);

impl std::ops::Deref for IoError {
    type Target = io::Error;

    fn deref(&self) -> &io::Error {
        &self.0
    }
}

impl FileError {
    /// An operation on `path` that failed with `error`.
    pub fn new(path: &Path, action: &'static str, error: io::Error) -> Self {
        Self { path: path.to_owned(), action, error: IoError(error) }
    }

    /// The error of the operating system.
    pub fn io(&self) -> &io::Error {
        &self.error.0
    }

    /// The error of the operating system, with this error's message.
    pub fn into_io(self) -> io::Error {
        io::Error::new(self.error.0.kind(), self.to_string())
    }
}

impl Coded for FileError {
    fn code(&self) -> Code {
        Code::Io
    }

    fn hint(&self) -> Option<String> {
        hint(&self.error.0).map(str::to_owned)
    }
}

fn hint(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => Some("free some space and run the command again; nothing was lost"),
        Kind::FileTooLarge => Some("raise the limit (`ulimit -f`) and run the command again"),
        Kind::ReadOnlyFilesystem | Kind::PermissionDenied => Some("write to another folder, or make this one writable"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_words_without_numbers() {
        let error = FileError::new(Path::new("out/report.html"), "writing", io::Error::from_raw_os_error(28));
        assert_eq!(error.to_string(), "no space left on device while writing `out/report.html`");
        assert!(std::error::Error::source(&error).is_none());
        assert!(error.hint().is_some());
        assert_eq!(io_reason(&io::Error::from_raw_os_error(5)), "input/output error");
        assert_eq!(io_reason(&io::Error::other("EOF in the middle")), "EOF in the middle");
    }
}
