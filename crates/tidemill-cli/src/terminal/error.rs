//! Errors on a terminal.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report, Severity};
use tidemill_core::{Failure, InvalidFile};

use crate::terminal::{fill, printable, stderr_width};

/// The error as text for standard error: each wrong place of a file with a caret, or message, causes and help.
pub fn error_text(failure: &Failure) -> String {
    let red = |text: &str| console::style(text).red().bold().for_stderr().to_string();
    let dim = |text: &str| console::style(text).dim().for_stderr().to_string();
    let mut text = String::new();
    if let Some(invalid) = &failure.invalid {
        text.push_str(&places(invalid));
        let count = invalid.diagnostics.len();
        let errors = if count == 1 { "1 error".to_owned() } else { format!("{count} errors") };
        text.push_str(&format!(
            "{} {errors} in `{}` {}",
            red("error:"),
            invalid.path.display(),
            dim(&format!("[{}]", failure.code))
        ));
        return text;
    }
    text.push_str(&format!(
        "{} {} {}",
        red("error:"),
        printable(&failure.message),
        dim(&format!("[{}]", failure.code))
    ));
    for cause in failure.fresh_causes() {
        text.push_str(&format!("\n  {} {}", dim("because"), printable(cause)));
    }
    if let Some(hint) = &failure.hint {
        let help = console::style("help:").cyan().bold().for_stderr();
        text.push_str(&format!("\n  {help} {hint}"));
    }
    fill(&text, stderr_width(), 4)
}

/// Every wrong place with its line and a caret.
fn places(invalid: &InvalidFile) -> String {
    let colours = console::colors_enabled_stderr();
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_width(stderr_width().unwrap_or(100).min(120)).with_links(false);
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
