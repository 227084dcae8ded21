//! Errors on their way to the user.

use std::fmt;

#[cfg(feature = "full")]
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report, Severity};
use serde_json::{Value, json};
use tidemill_core::{Code, Coded};
#[cfg(feature = "full")]
use tidemill_metadata::ExecutionError;
#[cfg(feature = "full")]
use tidemill_pipeline::{InvalidPipeline, LoadError};

use crate::ui::printable;

/// Any error, ready to be shown: a code of the catalogue, a message, causes and advice.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub message: String,
    pub hint: Option<String>,
    pub causes: Vec<String>,
    /// For a pipeline file: every place that is wrong.
    #[cfg(feature = "full")]
    pub invalid: Option<Box<InvalidPipeline>>,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            causes: Vec::new(),
            #[cfg(feature = "full")]
            invalid: None,
        }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn of(error: &(impl Coded + ?Sized)) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self { hint: error.hint(), causes, ..Self::new(error.code(), error.to_string()) }
    }

    /// A file operation that failed on `path`.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        let mut failure = Self::new(Code::Io, format!("cannot use `{}`", path.display()));
        failure.causes.push(error.to_string());
        failure
    }

    pub fn exit_code(&self) -> u8 {
        self.code.kind().exit_code()
    }

    /// The error as JSON, for `-o json`.
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code.id(), "title": self.code.title(), "message": self.message });
        if let Some(hint) = &self.hint {
            error["hint"] = json!(hint);
        }
        if !self.causes.is_empty() {
            error["causes"] = json!(self.causes);
        }
        #[cfg(feature = "full")]
        if let Some(invalid) = &self.invalid {
            let places = invalid.diagnostics.iter().map(|diagnostic| {
                let (line, column) = invalid.place(diagnostic.span.start);
                json!({ "line": line, "column": column, "message": diagnostic.message, "hint": diagnostic.hint })
            });
            error["places"] = places.collect();
        }
        json!({ "error": error })
    }

    /// The error for a terminal.
    pub fn to_text(&self) -> String {
        let red = |text: &str| console::style(text).red().bold().for_stderr().to_string();
        let dim = |text: &str| console::style(text).dim().for_stderr().to_string();
        let mut text = String::new();
        #[cfg(feature = "full")]
        if let Some(invalid) = &self.invalid {
            text.push_str(&places(invalid));
            let count = invalid.diagnostics.len();
            let errors = if count == 1 { "1 error".to_owned() } else { format!("{count} errors") };
            text.push_str(&format!(
                "{} {errors} in `{}` {}",
                red("error:"),
                invalid.path.display(),
                dim(&format!("[{}]", self.code))
            ));
            return text;
        }
        text.push_str(&format!("{} {} {}", red("error:"), printable(&self.message), dim(&format!("[{}]", self.code))));
        for cause in fresh_causes(&self.message, &self.causes) {
            text.push_str(&format!("\n  {} {}", dim("because"), printable(cause)));
        }
        if let Some(hint) = &self.hint {
            let help = console::style("help:").cyan().bold().for_stderr();
            text.push_str(&format!("\n  {help} {hint}"));
        }
        text
    }
}

/// Causes that say something the line before them did not.
pub fn fresh_causes<'a>(message: &'a str, causes: &'a [String]) -> Vec<&'a str> {
    let mut fresh: Vec<&str> = Vec::new();
    for cause in causes {
        if !fresh.last().copied().unwrap_or(message).contains(cause.as_str()) {
            fresh.push(cause);
        }
    }
    fresh
}

/// Every wrong place with its line and a caret.
#[cfg(feature = "full")]
fn places(invalid: &InvalidPipeline) -> String {
    let colours = console::colors_enabled_stderr();
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    let mut text = String::new();
    for diagnostic in &invalid.diagnostics {
        let mut shown = MietteDiagnostic::new(&diagnostic.message)
            .with_severity(Severity::Error)
            .with_label(LabeledSpan::underline(diagnostic.span.clone()));
        shown.help.clone_from(&diagnostic.hint);
        let source = NamedSource::new(invalid.path.display().to_string(), invalid.text.clone());
        let report = Report::new(shown).with_source_code(source);
        if handler.render_report(&mut text, report.as_ref()).is_err() {
            text.push_str(&diagnostic.message);
        }
        text.push('\n');
    }
    text
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

/// A pipeline file that could not be loaded keeps its places.
#[cfg(feature = "full")]
pub fn loading(error: LoadError) -> Failure {
    let mut failure = Failure::of(&error);
    if let LoadError::Invalid(invalid) = error {
        failure.invalid = Some(Box::new(invalid));
    }
    failure
}

#[cfg(feature = "full")]
pub fn executing(error: ExecutionError) -> Failure {
    Failure { code: error.code, message: error.message, hint: error.hint, causes: error.causes, invalid: None }
}
