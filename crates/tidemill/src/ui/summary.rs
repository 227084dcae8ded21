//! What a person sees when a run is over.

use console::style;
use tidemill_core::{ArtifactType, Verdict, fresh_causes};
use tidemill_metadata::RunState;
use tidemill_pipeline::{RunReport, StepReport, StepState};

use crate::ui::{Table, seconds};

/// The line of a step that has ended, for standard error.
pub fn step_line(report: &StepReport, width: usize) -> String {
    let (mark, text) = match report.state {
        StepState::Complete | StepState::Cached if report.refused() => (style("✗").red(), verdict_text(report)),
        StepState::Complete => (style("✓").green(), headline(report)),
        StepState::Cached => (style("=").cyan(), headline(report)),
        StepState::Failed => (style("✗").red(), error_text(report)),
        StepState::Canceled => (style("·").yellow(), "stopped".to_owned()),
        StepState::Skipped => {
            (style("·").dim(), format!("skipped: {}", report.skipped_because.as_deref().unwrap_or("")))
        }
    };
    let time = match report.state {
        StepState::Cached => style("cached".to_owned()).dim(),
        StepState::Skipped => style(String::new()).dim(),
        _ => style(seconds(report.seconds)).dim(),
    };
    let name = format!("{:width$}", report.step);
    let line = format!("  {} {name}  {:>7}  {text}", mark.for_stderr(), time.for_stderr());
    let mut line = line.trim_end().to_owned();
    let fresh = report.outcome.iter().filter(|_| report.state != StepState::Cached);
    for warning in fresh.flat_map(|outcome| &outcome.warnings) {
        let indent = " ".repeat(width + 6);
        line.push_str(&format!("\n{indent}{} {warning}", style("warning:").yellow().for_stderr()));
    }
    line
}

fn headline(report: &StepReport) -> String {
    report.outcome.as_ref().map(|outcome| outcome.headline.clone()).unwrap_or_default()
}

fn verdict_text(report: &StepReport) -> String {
    let text = headline(report);
    if text.is_empty() { "no".to_owned() } else { text }
}

fn error_text(report: &StepReport) -> String {
    report.error.as_ref().map_or_else(|| "failed".to_owned(), |error| error.message.clone())
}

/// Tables, reasons and where to look next, for standard output.
pub fn run_text(report: &RunReport) -> String {
    let mut text = String::new();
    // What a cached step found was said when it ran.
    for step in report.steps.iter().filter(|step| step.state != StepState::Cached || step.refused()) {
        for table in step.outcome.iter().flat_map(|outcome| &outcome.tables).filter(|table| !table.rows.is_empty()) {
            let title = style(&table.title).bold();
            text.push_str(&format!("\n{title} {}\n{}", style(format!("· {}", step.step)).dim(), Table::from(table)));
        }
    }
    report.steps.iter().for_each(|step| push_reasons(&mut text, step));
    text.push_str(&format!("\n{}\n", closing(report)));
    for (command, what) in next(report) {
        text.push_str(&format!("  {command:<44} {}\n", style(what).dim()));
    }
    text
}

/// Why the answer is no, or what failed.
fn push_reasons(text: &mut String, step: &StepReport) {
    if let Some(error) = &step.error {
        let failed = style(format!("{} failed:", step.step)).red().bold();
        text.push_str(&format!("\n{failed} {} {}\n", error.message, style(format!("[{}]", error.code)).dim()));
        for cause in fresh_causes(&error.message, &error.causes) {
            text.push_str(&format!("  {} {cause}\n", style("because").dim()));
        }
        if let Some(hint) = &error.hint {
            text.push_str(&format!("  {} {hint}\n", style("help:").cyan().bold()));
        }
    }
    let verdict = step.outcome.as_ref().map(|outcome| &outcome.verdict);
    if let Some(Verdict::Fail(reasons)) = verdict {
        text.push_str(&format!("\n{}\n", style(format!("{} said no", step.step)).red().bold()));
        for reason in reasons {
            text.push_str(&format!("  • {reason}\n"));
        }
    }
}

fn closing(report: &RunReport) -> String {
    let time = seconds(report.seconds);
    let steps = report.steps.len();
    let cached = report.steps.iter().filter(|step| step.state == StepState::Cached).count();
    let id = style(format!("run {}", report.run_id.short())).dim();
    match report.state {
        RunState::Complete if cached == steps => {
            format!("{} nothing to do: all {steps} steps are cached ({time})  {id}", style("✓").green())
        }
        RunState::Complete => {
            let done = steps - cached;
            format!("{} done in {time}: {done} of {steps} steps ran, {cached} cached  {id}", style("✓").green())
        }
        RunState::Rejected => format!("{} the answer is no ({time})  {id}", style("✗").red()),
        RunState::Failed => format!("{} failed after {time}  {id}", style("✗").red()),
        RunState::Canceled => {
            format!("{} stopped after {time}; `tidemill run` goes on from here  {id}", style("·").yellow())
        }
        RunState::Running => format!("running for {time}  {id}"),
    }
}

/// Commands worth typing after this run.
fn next(report: &RunReport) -> Vec<(String, &'static str)> {
    let mut commands = Vec::new();
    let pushed = report
        .steps
        .iter()
        .find(|step| step.component == "Pusher" && matches!(step.state, StepState::Complete | StepState::Cached));
    let model = pushed
        .and_then(|step| step.outcome.as_ref()?.properties.get("pushed")?.get("model")?.as_str().map(str::to_owned));
    let wrote =
        |wanted| report.steps.iter().flat_map(|step| &step.outputs).any(|output| output.artifact_type == wanted);
    let page = if wrote(ArtifactType::Evaluation) {
        Some(("tidemill report".to_owned(), "the evaluation as a page: curves, slices, thresholds"))
    } else if wrote(ArtifactType::Statistics) {
        Some(("tidemill report".to_owned(), "the statistics as a page, with the anomalies"))
    } else {
        None
    };
    match (report.state, model) {
        (RunState::Complete, Some(model)) => {
            commands.push(("tidemill serve".to_owned(), "answer requests over REST"));
            commands.extend(page);
            commands.push((format!("tidemill models {model}"), "versions, aliases, metrics"));
            commands.push((format!("tidemill lineage {model}"), "what the model was made of"));
        }
        (RunState::Complete, None) => {
            commands.extend(page);
            commands.push(("tidemill artifacts --run last".to_owned(), "what was written"));
        }
        (RunState::Rejected | RunState::Failed, _) => {
            commands.extend(page);
            commands.push(("tidemill artifacts --run last".to_owned(), "what was written before it stopped"));
            let code = report.steps.iter().find_map(|step| step.error.as_ref()).map(|error| error.code);
            if let Some(code) = code {
                commands.push((format!("tidemill explain {code}"), "more about the error"));
            }
        }
        _ => {}
    }
    commands
}
