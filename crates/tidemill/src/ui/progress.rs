//! A line for each running step, and a line for each one done.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use tidemill_cli::terminal::{printable, seconds, short};
use tidemill_core::{NoProgress, Progress};
use tidemill_metadata::{ExecutionError, Run};
use tidemill_pipeline::{Observer, Pipeline, StepReport};

use crate::cli::Global;
use crate::commands::talk;
use crate::ui::summary::step_line;

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(90);

/// Says nothing.
pub struct Quiet;

impl Observer for Quiet {
    fn run_started(&self, _run: &Run, _pipeline: &Pipeline) {}

    fn step_started(&self, _step: usize) -> Arc<dyn Progress> {
        Arc::new(NoProgress)
    }

    fn step_ended(&self, _step: usize, _report: &StepReport) {}
}

/// Shows a run on standard error: live where that is a terminal, else a line a step.
pub struct TerminalObserver {
    lines: MultiProgress,
    live: bool,
    names: Vec<String>,
    width: usize,
    bars: Mutex<BTreeMap<usize, ProgressBar>>,
}

impl TerminalObserver {
    /// An observer for a run of `pipeline`.
    pub fn new(pipeline: &Pipeline) -> Self {
        let names: Vec<String> = pipeline.steps.iter().map(|step| step.name.clone()).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        Self {
            lines: MultiProgress::new(),
            live: std::io::stderr().is_terminal(),
            names,
            width,
            bars: Mutex::default(),
        }
    }

    /// Writes a line above what is running.
    pub fn say(&self, line: &str) {
        if !self.live || self.lines.println(line).is_err() {
            talk(line);
        }
    }

    /// Takes the line of a running step away.
    pub fn forget(&self, step: usize) {
        if let Some(bar) = self.bars().remove(&step) {
            bar.finish_and_clear();
            self.lines.remove(&bar);
        }
    }

    fn bars(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for TerminalObserver {
    fn run_started(&self, run: &Run, pipeline: &Pipeline) {
        let id = style(format!("run {}", run.id.short())).dim().for_stderr();
        self.say(&format!("{}  {id}", style(&pipeline.name).bold().for_stderr()));
    }

    fn step_started(&self, step: usize) -> Arc<dyn Progress> {
        if !self.live {
            return Arc::new(NoProgress);
        }
        let bar = self.lines.add(ProgressBar::no_length());
        bar.set_style(spinner());
        bar.set_prefix(format!("{:width$}", self.names[step], width = self.width));
        bar.enable_steady_tick(TICK);
        self.bars().insert(step, bar.clone());
        Arc::new(Bar(bar))
    }

    fn step_retried(&self, step: usize, attempt: u32, error: &ExecutionError, delay: Duration) {
        self.forget(step);
        let (name, delay) = (&self.names[step], seconds(delay.as_secs_f64()));
        let message = printable(&error.message);
        self.say(&format!(
            "  {} {name}: attempt {attempt} failed: {message}; the next in {delay}",
            style("!").yellow().for_stderr()
        ));
    }

    fn step_ended(&self, step: usize, report: &StepReport) {
        self.forget(step);
        self.say(&step_line(report, self.width));
    }
}

fn spinner() -> ProgressStyle {
    let template = "  {spinner:.cyan} {prefix}  {msg} {elapsed:.dim}";
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

fn counted(unit: &'static str) -> ProgressStyle {
    let template = format!(
        "  {{spinner:.cyan}} {{prefix}}  {{bar:24.cyan/black.bright}} {{human_pos}}/{{human_len}} {unit} {{rate:.dim}} {{eta:.dim}} {{msg}}"
    );
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            // Nothing can be done about a terminal that takes no text.
            let _ = write!(text, "{}/s", short(state.per_sec()));
        })
        .progress_chars("━━╌")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

/// A bar on the terminal for work outside a run, and where that reports its progress.
pub fn running_bar(name: &str, global: &Global) -> (ProgressBar, Arc<dyn Progress>) {
    let live = std::io::stderr().is_terminal() && !global.quiet;
    let bar = if live { ProgressBar::no_length().with_style(spinner()) } else { ProgressBar::hidden() };
    bar.set_prefix(name.to_owned());
    if live {
        bar.enable_steady_tick(TICK);
    }
    let progress: Arc<dyn Progress> = Arc::new(Bar::new(bar.clone()));
    (bar, progress)
}

/// Progress of one step as an indicatif bar.
struct Bar(ProgressBar);

impl Bar {
    /// Shows progress on `bar`.
    fn new(bar: ProgressBar) -> Self {
        Self(bar)
    }
}

impl Progress for Bar {
    fn total_rows(&self, rows: u64) {
        self.total(rows, "rows");
    }

    fn total(&self, amount: u64, unit: &'static str) {
        self.0.set_position(0);
        if amount == 0 {
            self.0.unset_length();
            self.0.set_style(spinner());
        } else {
            self.0.set_length(amount);
            self.0.set_style(counted(unit));
        }
    }

    fn advance(&self, amount: u64) {
        self.0.inc(amount);
    }

    fn phase(&self, text: &str) {
        // All rows are through and something else begins: a full bar would only stand there.
        if self.0.length().is_some_and(|rows| rows > 0 && self.0.position() >= rows) {
            self.0.set_style(spinner());
        }
        self.0.set_message(text.to_owned());
    }
}
