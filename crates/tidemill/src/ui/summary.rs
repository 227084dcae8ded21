//! What a run prints: a line for each step, and the end.

use console::style;
use tidemill_core::{Code, Outcome, SummaryTable, Verdict, fresh_causes};
use tidemill_metadata::{ExecutionError, RunState};
use tidemill_pipeline::{RunReport, StepReport, StepState};

use crate::ui::advice::{Advice, RunInputs, advice, quoted, report as report_page};
use crate::ui::{Table, fill, printable, seconds, stdout_width};

/// The port of `tidemill serve` for REST where no flag names another.
const REST_PORT: u16 = 8501;
/// Bytes of a request that is printed, at most.
const REQUEST_MAX: usize = 2_000;

/// The line of a step that has ended, for standard error.
pub fn step_line(report: &StepReport, width: usize) -> String {
    let (mark, text) = match report.state {
        StepState::Complete | StepState::Cached if report.is_rejected() => (style("✗").red(), verdict_text(report)),
        StepState::Complete => (style("✓").green(), headline(report)),
        StepState::Cached => (style("=").cyan(), headline(report)),
        StepState::Failed => (style("✗").red(), failed_text(report)),
        StepState::Canceled => (style("·").yellow(), "stopped".to_owned()),
        StepState::Waiting => (style("…").yellow(), waiting_text(report)),
        StepState::Skipped => {
            (style("·").dim(), format!("skipped: {}", report.skipped_because.as_deref().unwrap_or("")))
        }
    };
    let time = match report.state {
        StepState::Cached => style("cached".to_owned()).dim(),
        StepState::Skipped | StepState::Waiting => style(String::new()).dim(),
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

fn waiting_text(report: &StepReport) -> String {
    report.error.as_ref().map_or_else(|| "waiting".to_owned(), |error| error.message.clone())
}

/// The code alone: the message follows at the end of the run.
fn failed_text(report: &StepReport) -> String {
    report.error.as_ref().map_or_else(|| "failed".to_owned(), |error| format!("failed [{}]", error.code))
}

/// What a run came to, for standard output: the verdict in one line, reasons, and where to look next. With `tables`,
/// what the steps found comes first.
pub fn run_text(report: &RunReport, inputs: &RunInputs, tables: bool) -> String {
    let mut text = String::new();
    if tables {
        // What a cached step found was printed when it ran.
        for step in report.steps.iter().filter(|step| step.state != StepState::Cached || step.is_rejected()) {
            text.push_str(&tables_text(&step.step, step.outcome.as_ref()));
        }
    }
    for step in &report.steps {
        let reasons = match step.outcome.as_ref().map(|outcome| &outcome.verdict) {
            Some(Verdict::Fail(reasons)) => reasons.as_slice(),
            _ => &[],
        };
        text.push_str(&trouble_text(&step.step, step.rejected_with, reasons, step.error.as_ref(), inputs));
    }
    for damaged in &report.damaged_versions {
        text.push_str(&format!("\n{} {damaged}\n", style("damaged:").red().bold()));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("{}\n", closing(report)));
    text.push_str(&commands_text(&next(report, inputs)));
    text
}

/// The tables that a step made.
pub fn tables_text(step: &str, outcome: Option<&Outcome>) -> String {
    let tables = outcome.into_iter().flat_map(|outcome| &outcome.tables).filter(|table| !table.rows.is_empty());
    let of = |table: &SummaryTable| {
        let title = style(&table.title).bold();
        format!("\n{title} {}\n{}", style(format!("· {step}")).dim(), Table::from(table))
    };
    tables.map(of).collect()
}

/// Why a step rejected something or failed: the code, each reason once, and the commands that help. Empty if it did
/// neither.
pub fn trouble_text(
    step: &str,
    rejected: Option<Code>,
    reasons: &[String],
    error: Option<&ExecutionError>,
    inputs: &RunInputs,
) -> String {
    let width = stdout_width();
    let dim = |text: String| style(text).dim().to_string();
    if let Some(error) = error {
        let failed = match error.code {
            Code::Waiting => style(step.to_owned()).yellow().bold(),
            _ => style(format!("{step} failed:")).red().bold(),
        };
        let head = format!("{failed} {} {}", printable(&error.message), dim(format!("[{}]", error.code)));
        let mut text = format!("\n{}\n", fill(&head, width, 2));
        for cause in fresh_causes(&error.message, &error.causes) {
            let line = format!("  {} {}", dim("because".to_owned()), printable(cause));
            text.push_str(&format!("{}\n", fill(&line, width, 4)));
        }
        if let Some(hint) = &error.hint {
            let line = format!("  {} {hint}", style("help:").cyan().bold());
            text.push_str(&format!("{}\n", fill(&line, width, 4)));
        }
        text.push_str(&commands_text(&[(format!("tidemill explain {}", error.code), "what the code means")]));
        return text;
    }
    let Some(code) = rejected else { return String::new() };
    let rejected = style(format!("{step} did not pass:")).red().bold();
    let mut text = format!("\n{rejected} {} {}\n", code.title(), dim(format!("[{code}]")));
    for reason in reasons {
        text.push_str(&format!("{}\n", fill(&format!("  • {}", printable(reason)), width, 4)));
    }
    text.push_str(&commands_text(&advice(code, reasons, inputs)));
    text
}

/// Commands and what they do, the second column aligned while the lines fit.
fn commands_text(commands: &[Advice]) -> String {
    const COLUMN_MAX: usize = 44;
    let column = commands.iter().map(|(command, _)| command.chars().count()).filter(|length| *length <= COLUMN_MAX);
    let column = column.max().unwrap_or(0);
    let width = stdout_width();
    let line = |(command, what): &Advice| {
        let whole = format!("  {command:<column$}  {}\n", style(what).dim());
        // A command is copied whole: rather no word about it than a broken one.
        let fits = width.is_none_or(|width| console::measure_text_width(whole.trim_end()) <= width);
        if fits && !what.is_empty() { whole } else { format!("  {command}\n") }
    };
    commands.iter().map(line).collect()
}

fn closing(report: &RunReport) -> String {
    let time = seconds(report.seconds);
    let steps = report.steps.len();
    let cached = report.steps.iter().filter(|step| step.state == StepState::Cached).count();
    let id = style(format!("run {}", report.run_id.short())).dim();
    let of_state = |state: StepState| report.steps.iter().find(|step| step.state == state);
    match report.state {
        RunState::Complete if !report.damaged_versions.is_empty() => {
            format!("{} all steps are done, but a package that is served is damaged ({time})  {id}", style("✗").red())
        }
        RunState::Complete if cached == steps => {
            format!("{} nothing to do: all {steps} steps are cached ({time})  {id}", style("✓").green())
        }
        RunState::Complete => {
            let done = match verdict(report) {
                Some(verdict) => format!("{verdict} · {} of {steps} steps ran in {time}", steps - cached),
                None => format!("done in {time}: {} of {steps} steps ran, {cached} cached", steps - cached),
            };
            format!("{} {done}  {id}", style("✓").green())
        }
        RunState::Rejected => {
            let by = report.steps.iter().find(|step| step.is_rejected()).map_or("a step", |step| step.step.as_str());
            format!("{} rejected by {by} after {time}  {id}", style("✗").red())
        }
        RunState::Failed => {
            let by = of_state(StepState::Failed).map_or("a step", |step| step.step.as_str());
            format!("{} {by} failed after {time}  {id}", style("✗").red())
        }
        RunState::Canceled => {
            format!("{} stopped after {time}; `tidemill run` goes on from here  {id}", style("·").yellow())
        }
        RunState::Waiting => {
            let by = of_state(StepState::Waiting).map_or("a step", |step| step.step.as_str());
            format!("{} parked after {time}: {by} waits for an approval  {id}", style("…").yellow())
        }
        RunState::Running => format!("running for {time}  {id}"),
    }
}

/// What came out of a run in a few words: the model that was pushed, and how it was judged.
fn verdict(report: &RunReport) -> Option<String> {
    let headline = |component: &str| {
        let step = report.steps.iter().rev().find(|step| step.component == component)?;
        step.outcome.as_ref().map(|outcome| outcome.headline.clone()).filter(|headline| !headline.is_empty())
    };
    let pushed = headline("Pusher")?;
    Some(match headline("Evaluator") {
        Some(evaluation) => format!("{pushed} · {evaluation}"),
        None => pushed,
    })
}

/// Commands worth typing after this run.
fn next(report: &RunReport, inputs: &RunInputs) -> Vec<Advice> {
    let pushed = report
        .steps
        .iter()
        .find(|step| step.component == "Pusher" && matches!(step.state, StepState::Complete | StepState::Cached));
    let model = pushed
        .and_then(|step| step.outcome.as_ref()?.properties.get("pushed")?.get("model")?.as_str().map(str::to_owned));
    let mut commands = Vec::new();
    match (report.state, model) {
        (RunState::Complete, Some(model)) => {
            commands.push(("tidemill serve".to_owned(), "answer requests over REST and gRPC"));
            if let Some(body) = inputs.request.as_ref().filter(|body| body.len() <= REQUEST_MAX) {
                let url = format!("localhost:{REST_PORT}/v1/models/{model}:predict");
                commands.push((format!("curl -s {url} -d {}", quoted(body)), ""));
            }
            commands.extend(report_page(inputs));
            commands.push((format!("tidemill models {model}"), "versions, aliases, metrics"));
            commands.push(("tidemill status".to_owned(), "what every step found"));
        }
        (RunState::Complete, None) => {
            commands.extend(report_page(inputs));
            commands.push(("tidemill status".to_owned(), "what every step found"));
        }
        _ => {}
    }
    commands
}
