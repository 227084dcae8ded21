//! A search as it goes: a line for each step forward, and what is known so far.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use console::style;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::Progress;
use tidemill_metadata::{ExecutionError, Run};
use tidemill_pipeline::{Observer, Pipeline, StepReport, StepState};
use tidemill_train::learner_of;
use tidemill_tune::{Direction, Trial, TrialState};

use crate::ui::progress::{Quiet, TerminalObserver};
use crate::ui::{count, printable, seconds};

/// Failed trials that get a line each.
const FAILURES_SHOWN: usize = 3;
/// Trials of which the gain is shown.
const RECENT: usize = 10;

/// What is known of a search.
#[derive(Default)]
pub struct Trials {
    study: Option<StudyInfo>,
    seen: Vec<Trial>,
    ends: Option<Instant>,
}

/// What a search is about.
#[derive(Debug, Clone, Deserialize)]
struct StudyInfo {
    metric: String,
    direction: Direction,
    seconds: Option<f64>,
}

impl Trials {
    /// The metric, its direction and all finished trials; none before the search has begun.
    pub fn so_far(&self) -> Option<(&str, Direction, &[Trial])> {
        self.study.as_ref().map(|study| (study.metric.as_str(), study.direction, self.seen.as_slice()))
    }

    /// Takes a result of a step; the line that shows it.
    fn take(&mut self, found: &Value) -> Option<String> {
        match found["kind"].as_str()? {
            "study" => {
                let study: StudyInfo = serde_json::from_value(found.clone()).ok()?;
                self.ends = study
                    .seconds
                    .and_then(|seconds| Instant::now().checked_add(Duration::try_from_secs_f64(seconds).ok()?));
                let head = format!("{:>5}  {:<18} {:>10}  {:>7}", "trial", "learner", study.metric, "time");
                self.study = Some(study);
                Some(format!("  {}", style(head).dim().for_stderr()))
            }
            "trial" => {
                let trial: Trial = serde_json::from_value(found["trial"].clone()).ok()?;
                let line = if found["earlier"] == true { None } else { self.line(&trial) };
                self.seen.push(trial);
                line
            }
            _ => None,
        }
    }

    /// The line of a trial that brings something new.
    fn line(&self, trial: &Trial) -> Option<String> {
        let study = self.study.as_ref()?;
        let learner = name(trial);
        let is_first = !self.seen.iter().any(|other| name(other) == learner);
        let result = trial.result();
        let is_best =
            result.is_some_and(|value| self.best().is_none_or(|(best, _)| study.direction.is_better(value, best)));
        let failures = self.seen.iter().filter(|other| other.state == TrialState::Failed).count();
        let is_failure = trial.state == TrialState::Failed && failures < FAILURES_SHOWN;
        if !(is_first || is_best || is_failure) {
            return None;
        }
        let value = match (trial.state, result) {
            (TrialState::Failed, _) => "failed".to_owned(),
            (TrialState::Pruned, _) => "ended".to_owned(),
            (_, Some(value)) => format!("{value:.4}"),
            (_, None) => "too slow".to_owned(),
        };
        let mark = if is_best { style("★").yellow() } else { style(" ") };
        let why = trial.reason.as_deref().map_or_else(String::new, |reason| format!("  {}", printable(reason)));
        let (number, time) = (trial.number + 1, seconds(trial.seconds));
        Some(format!("{} {number:>5}  {learner:<18} {value:>10}  {time:>7}{why}", mark.for_stderr()))
    }

    fn best(&self) -> Option<(f64, &Trial)> {
        best_of(self.study.as_ref()?.direction, &self.seen)
    }

    /// What the running line adds to what the step says: what the last trials gained, and the time that is left.
    fn left(&self) -> String {
        let mut text = String::new();
        if let (Some(study), Some((best, _))) = (&self.study, self.best())
            && self.seen.len() > RECENT
            && let Some((before, _)) = best_of(study.direction, &self.seen[..self.seen.len() - RECENT])
        {
            text.push_str(&format!(" · {:.1e} gained in {RECENT} trials", (before - best).abs()));
        }
        if let Some(ends) = self.ends {
            let left = ends.saturating_duration_since(Instant::now()).as_secs();
            text.push_str(&format!(" · {} left", seconds(left as f64)));
        }
        text
    }
}

fn best_of(direction: Direction, trials: &[Trial]) -> Option<(f64, &Trial)> {
    let results = trials.iter().filter_map(|trial| Some((trial.result()?, trial)));
    results.min_by(|a, b| direction.loss(a.0).total_cmp(&direction.loss(b.0)))
}

fn name(trial: &Trial) -> String {
    learner_of(&trial.params).keys().next().cloned().unwrap_or_default()
}

/// Shows a run on standard error as [`TerminalObserver`] does, with the trials of its search.
pub struct TrialObserver {
    terminal: Option<Arc<TerminalObserver>>,
    trials: Arc<Mutex<Trials>>,
    /// Steps of which nothing is shown.
    hidden: &'static [&'static str],
}

impl TrialObserver {
    /// An observer for a run of `pipeline` that keeps trials in `trials`. `quiet`: it shows nothing. `hidden`: steps of which it shows
    /// nothing, as of all steps that are cached: several runs follow each other, and each step is shown once.
    pub fn new(pipeline: &Pipeline, trials: Arc<Mutex<Trials>>, quiet: bool, hidden: &'static [&'static str]) -> Self {
        Self { terminal: (!quiet).then(|| Arc::new(TerminalObserver::new(pipeline))), trials, hidden }
    }

    fn shown(&self) -> &dyn Observer {
        match &self.terminal {
            Some(terminal) => &**terminal,
            None => &Quiet,
        }
    }
}

impl Observer for TrialObserver {
    fn run_started(&self, _run: &Run, _pipeline: &Pipeline) {}

    fn step_started(&self, step: usize) -> Arc<dyn Progress> {
        let inner = self.shown().step_started(step);
        Arc::new(TrialProgress { inner, terminal: self.terminal.clone(), trials: Arc::clone(&self.trials) })
    }

    fn step_retried(&self, step: usize, attempt: u32, error: &ExecutionError, delay: Duration) {
        self.shown().step_retried(step, attempt, error, delay);
    }

    fn step_ended(&self, step: usize, report: &StepReport) {
        let is_shown = report.state != StepState::Cached && !self.hidden.contains(&report.step.as_str());
        if is_shown || report.error.is_some() || report.is_rejected() {
            self.shown().step_ended(step, report);
        } else if let Some(terminal) = &self.terminal {
            terminal.forget(step);
        }
    }
}

/// Progress of one step, with the trials that it finds.
struct TrialProgress {
    inner: Arc<dyn Progress>,
    terminal: Option<Arc<TerminalObserver>>,
    trials: Arc<Mutex<Trials>>,
}

impl TrialProgress {
    fn trials(&self) -> MutexGuard<'_, Trials> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for TrialProgress {
    fn total_rows(&self, rows: u64) {
        self.inner.total_rows(rows);
    }

    fn total(&self, amount: u64, unit: &'static str) {
        self.inner.total(amount, unit);
    }

    fn advance(&self, amount: u64) {
        self.inner.advance(amount);
    }

    fn phase(&self, text: &str) {
        let left = self.trials().left();
        self.inner.phase(&format!("{text}{left}"));
    }

    fn found(&self, result: &Value) {
        let line = self.trials().take(result);
        if let (Some(line), Some(terminal)) = (line, &self.terminal) {
            terminal.say(&line);
        }
    }
}

/// What a row takes, from microseconds.
pub fn micros(us: Option<f64>) -> String {
    match us {
        None => "–".to_owned(),
        Some(us) if us < 10.0 => format!("{us:.1} µs"),
        Some(us) if us < 1000.0 => format!("{us:.0} µs"),
        Some(us) => format!("{:.1} ms", us / 1000.0),
    }
}

/// How many trials there were, in words.
pub fn trials_text(trials: usize) -> String {
    if trials == 1 { "1 trial".to_owned() } else { format!("{} trials", count(trials as u64)) }
}
