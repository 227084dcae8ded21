//! What is wrong with a file that the user wrote, and where.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use crate::{Code, Coded};

/// One thing wrong at one place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Byte range in the file.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without advice.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    /// The same diagnostic with advice, if there is any.
    pub fn with_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }
}

/// Everything wrong with a file that the user wrote.
#[derive(Debug, Clone)]
pub struct InvalidFile {
    /// The file as the user named it.
    pub path: PathBuf,
    /// Its text, for drawing the place.
    pub text: String,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl InvalidFile {
    /// Line and column of a byte offset, both from 1, columns in characters.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        line_and_column(&self.text, offset)
    }
}

/// Line and column of a byte offset in `text`, both from 1, columns in characters.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

impl fmt::Display for InvalidFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            let (line, column) = self.place(diagnostic.span.start);
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{line}:{column}: {}", self.path.display(), diagnostic.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidFile {}

impl Coded for InvalidFile {
    fn code(&self) -> Code {
        Code::PipelineFile
    }

    fn invalid_file(&self) -> Option<&InvalidFile> {
        Some(self)
    }
}
