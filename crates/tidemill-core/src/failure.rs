//! Errors in the form they are reported in.

use std::fmt;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Code, Coded, InvalidFile};

/// An error in the form it is reported in: a code of the catalogue, a message, its causes and advice.
///
/// Every [`Coded`] error becomes one with `?`. It is what commands print and what `-o json` writes.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which error of the catalogue it is.
    pub code: Code,
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What caused it, outermost first.
    pub causes: Vec<String>,
    /// The user's file that is wrong, with all places.
    pub invalid: Option<Box<InvalidFile>>,
}

impl Failure {
    /// A failure without advice or causes.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, causes: Vec::new(), invalid: None }
    }

    /// The same failure with advice.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with one more cause.
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// The failure that `error` is, with the chain of its sources as causes.
    pub fn of(error: &(impl Coded + ?Sized)) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        let invalid = error.invalid_file().cloned().map(Box::new);
        Self { hint: error.hint(), causes, invalid, ..Self::new(error.code(), error.to_string()) }
    }

    /// The failure that a wrong file of the user is, with all places.
    pub fn in_file(code: Code, invalid: InvalidFile) -> Self {
        let hint = invalid.diagnostics.iter().find_map(|diagnostic| diagnostic.hint.clone());
        Self { hint, invalid: Some(Box::new(invalid.clone())), ..Self::new(code, invalid.to_string()) }
    }

    /// A file operation that failed on `path`.
    pub fn io(path: &Path, error: &io::Error) -> Self {
        Self::new(Code::Io, format!("cannot use `{}`", path.display())).with_cause(io_reason(error))
    }

    /// Exit code of the process.
    pub fn exit_code(&self) -> u8 {
        self.code.exit_code()
    }

    /// The error as JSON, for `-o json`: `{ "error": { "code", "title", "message", "help", "causes", "where", "retry" } }`.
    ///
    /// `help`, `causes` and `where` are there only if there is something to say. `where` is a list of places in files,
    /// each with `file`, `line`, `column`, `message` and perhaps `help`.
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code.id(), "title": self.code.title(), "message": self.message });
        if let Some(hint) = &self.hint {
            error["help"] = json!(hint);
        }
        if !self.causes.is_empty() {
            error["causes"] = json!(self.causes);
        }
        if let Some(invalid) = &self.invalid {
            let places = invalid.diagnostics.iter().map(|diagnostic| {
                let (line, column) = invalid.place(diagnostic.span.start);
                let mut place =
                    json!({ "file": invalid.path, "line": line, "column": column, "message": diagnostic.message });
                if let Some(hint) = &diagnostic.hint {
                    place["help"] = json!(hint);
                }
                place
            });
            error["where"] = places.collect();
        }
        error["retry"] = json!(self.code.retryable());
        json!({ "error": error })
    }

    /// The causes that add something to the line before them.
    pub fn fresh_causes(&self) -> Vec<&str> {
        fresh_causes(&self.message, &self.causes)
    }
}

/// What the operating system reported, in words and without its number: "no space left on device".
pub fn io_reason(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull => "no space left on device".to_owned(),
        Kind::QuotaExceeded => "disk quota exceeded".to_owned(),
        Kind::FileTooLarge => "file size limit exceeded".to_owned(),
        Kind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        Kind::PermissionDenied => "permission denied".to_owned(),
        Kind::NotFound => "no such file or folder".to_owned(),
        Kind::AlreadyExists => "a file of that name exists already".to_owned(),
        Kind::IsADirectory => "it is a folder".to_owned(),
        Kind::NotADirectory => "a part of the path is not a folder".to_owned(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or(&text);
            let mut letters = text.chars();
            match letters.next() {
                Some(first) if letters.clone().next().is_some_and(char::is_lowercase) => {
                    first.to_lowercase().chain(letters).collect()
                }
                _ => text.to_owned(),
            }
        }
    }
}

/// The causes that add something to the line before them; the first line is `message`.
pub fn fresh_causes<'a>(message: &'a str, causes: &'a [String]) -> Vec<&'a str> {
    let mut fresh: Vec<&str> = Vec::new();
    for cause in causes {
        if !fresh.last().copied().unwrap_or(message).contains(cause.as_str()) {
            fresh.push(cause);
        }
    }
    fresh
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: Coded> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}
