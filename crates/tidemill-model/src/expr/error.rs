//! Errors in an expression, with their position.

use std::ops::Range;

use tidemill_core::{Code, Coded};

/// An error in an expression, with its position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at {}", self.place())]
pub struct ExpressionError {
    message: String,
    text: Box<str>,
    span: Range<usize>,
    hint: Option<String>,
    code: Code,
}

impl ExpressionError {
    pub(crate) fn new(message: impl Into<String>, text: &str, span: Range<usize>) -> Self {
        Self { message: message.into(), text: text.into(), span, hint: None, code: Code::Expression }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// The message, without the position.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The range of the wrong bytes in the expression.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Line and column of the error within the expression, both from 1; the column counts characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.text.get(..self.span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// The line with carets under the error:
    ///
    /// ```text
    /// tips > fair * 0.2
    ///        ^^^^
    /// ```
    pub fn snippet(&self) -> String {
        let (line, column) = self.line_column();
        let source = self.text.lines().nth(line - 1).unwrap_or_default();
        let wrong = self.text.get(self.span.clone()).unwrap_or_default();
        let room = source.chars().count().saturating_sub(column - 1).max(1);
        let carets = wrong.chars().count().clamp(1, room);
        format!("{source}\n{}{}", " ".repeat(column - 1), "^".repeat(carets))
    }

    fn place(&self) -> String {
        match self.line_column() {
            (1, column) if !self.text.contains('\n') => format!("column {column} of `{}`", self.text),
            (line, column) => format!("line {line}, column {column} of the expression"),
        }
    }
}

impl Coded for ExpressionError {
    fn code(&self) -> Code {
        self.code
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
