//! A monitor at work: it reads the log, closes windows, joins labels that are mature, and keeps its alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::MonitorError;
use crate::alert::{AlertBook, Change, Outcome};
use crate::config::MonitorFile;
use crate::labels::{Joined, JoinedWindow, LabelBook, LabelCounts, join};
use crate::log::{InferenceLog, Micros};
use crate::performance::realised;
use crate::watch::{
    Closed, Engine, Finding, Kind, Profiles, Seen, Severity, StateFolder, WindowReport, by_kind, of_concept,
    of_performance, read_sealed, write_sealed,
};

/// Kinds that labels say something about, when they are mature.
const OF_LABELS: [Kind; 3] = [Kind::Performance, Kind::ConceptDrift, Kind::SuspiciousLabels];
/// Labels of one person in a window from which they are compared with those of others.
const ACTOR_MIN: usize = 20;
/// Labels of a window from which performance is judged.
const LABELS_MIN: usize = 30;

/// What a monitor remembers between runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    seen: Seen,
    alerts: AlertBook,
    /// Windows whose labels are not mature.
    waiting: BTreeSet<(Micros, u64)>,
    /// When each action was done, the newest last.
    acted: BTreeMap<String, Vec<Micros>>,
    /// When firing alerts were told last.
    told: Micros,
    /// People whose labels looked like poison: what they say is no training data.
    #[serde(default)]
    suspicious: BTreeSet<String>,
}

/// A monitor.
#[derive(Debug, Clone)]
pub struct Monitor {
    file: MonitorFile,
    /// The folder of the monitor file, where relative paths begin.
    base: PathBuf,
    state: StateFolder,
    memory: Memory,
}

/// What a round found.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// Windows that were closed.
    pub closed: Vec<WindowReport>,
    /// Alerts that changed, in the order of time.
    pub changes: Vec<Change>,
    /// Windows whose labels became mature.
    pub matured: usize,
    /// What happened to labels, if there are any.
    pub labels: Option<LabelCounts>,
}

impl Monitor {
    /// Opens a monitor with its state, in `state`. `base` is the folder of its file.
    pub fn open(file: MonitorFile, base: &Path, state: StateFolder) -> Result<Self, MonitorError> {
        let memory = match state.dir() {
            Some(dir) => read_sealed(&dir.join("state.json"), "state")?.unwrap_or_default(),
            None => Memory::default(),
        };
        Ok(Self { file, base: base.to_owned(), state, memory })
    }

    /// Forgets everything, to compute it again.
    pub fn forget(&mut self) -> Result<(), MonitorError> {
        self.memory = Memory::default();
        self.state.clear()
    }

    /// What the file says.
    pub fn file(&self) -> &MonitorFile {
        &self.file
    }

    /// The closed windows.
    pub fn state(&self) -> &StateFolder {
        &self.state
    }

    /// The same, to keep more in it.
    pub fn state_mut(&mut self) -> &mut StateFolder {
        &mut self.state
    }

    /// The alerts.
    pub fn alerts(&self) -> &AlertBook {
        &self.memory.alerts
    }

    /// The alerts, to silence or acknowledge; [`save`](Self::save) keeps the change.
    pub fn alerts_mut(&mut self) -> &mut AlertBook {
        &mut self.memory.alerts
    }

    /// What was read so far.
    pub fn seen(&self) -> &Seen {
        &self.memory.seen
    }

    /// The folder of the log.
    pub fn log_dir(&self) -> PathBuf {
        self.base.join(&self.file.log)
    }

    /// The log of the model.
    pub fn log(&self) -> InferenceLog {
        InferenceLog::new(&self.log_dir(), &self.file.model)
    }

    /// The labels that are known, if the file says where they are.
    pub fn labels(&self) -> Result<Option<LabelBook>, MonitorError> {
        let Some(spec) = &self.file.labels else { return Ok(None) };
        LabelBook::read(spec, &self.base, &self.log_dir(), &self.file.model).map(Some)
    }

    /// Reads another folder of logs than the file names.
    pub fn use_log(&mut self, log: &Path) {
        log.clone_into(&mut self.file.log);
    }

    /// Forgets receivers and actions: nobody is told, and nothing is done.
    pub fn keep_quiet(&mut self) {
        self.file.receivers.clear();
        self.file.actions.clear();
    }

    /// The closed windows that begin in a period, in order.
    pub fn windows(&self, from: Micros, to: Micros) -> Result<Vec<WindowReport>, MonitorError> {
        let mut windows = Vec::new();
        for (start, version) in self.state.list(from, to)? {
            windows.extend(self.state.get(start, version)?);
        }
        Ok(windows)
    }

    /// Writes down what is remembered.
    pub fn save(&self) -> Result<(), MonitorError> {
        match self.state.dir() {
            Some(dir) => write_sealed(&dir.join("state.json"), "state", &self.memory),
            None => Ok(()),
        }
    }

    /// People whose labels looked like poison in some window.
    pub const fn suspicious(&self) -> &BTreeSet<String> {
        &self.memory.suspicious
    }

    /// When firing alerts were told last.
    pub const fn told(&self) -> Micros {
        self.memory.told
    }

    /// Writes down that firing alerts were told.
    pub const fn mark_told(&mut self, now: Micros) {
        self.memory.told = now;
    }

    /// Whether an action may be done now, after what was done before.
    pub fn may_act(&self, name: &str, now: Micros) -> bool {
        const DAY: Micros = 86_400_000_000;
        let Some(spec) = self.file.actions.get(name) else { return false };
        let done = self.memory.acted.get(name).map_or(&[][..], Vec::as_slice);
        let brake = spec.brake();
        let cool = done.last().is_none_or(|last| now - last >= brake.cool_down.micros());
        cool && done.iter().filter(|at| now - **at < DAY).count() < brake.per_day as usize
    }

    /// Writes down that an action was done.
    pub fn mark_acted(&mut self, name: &str, now: Micros) {
        let done = self.memory.acted.entry(name.to_owned()).or_default();
        done.push(now);
        let beyond = done.len().saturating_sub(1000);
        done.drain(..beyond);
    }

    /// Reads what is new. `now` is the clock; without it, the log is taken as complete. Alerts change in the order of
    /// time; a window's labels count from its end plus their maturity.
    pub fn round(&mut self, profiles: &mut dyn Profiles, now: Option<Micros>) -> Result<Round, MonitorError> {
        let before = self.memory.clone();
        // After an error, the next round begins where this one did.
        self.try_round(profiles, now).inspect_err(|_| self.memory = before)
    }

    fn try_round(&mut self, profiles: &mut dyn Profiles, now: Option<Micros>) -> Result<Round, MonitorError> {
        let mut round = Round::default();
        let log = self.log();
        let book = self.labels()?;
        let seen = std::mem::take(&mut self.memory.seen);
        let mut alerts = std::mem::take(&mut self.memory.alerts);
        let mut waiting = std::mem::take(&mut self.memory.waiting);
        let (file, mut state) = (self.file.clone(), self.state.clone());
        let limits = (file.alert.after, file.alert.of);
        let mut mature =
            Mature { file: &file, log: &log, book: book.as_ref(), now, joined: None, suspicious: BTreeSet::new() };
        let result = Engine::new(&file, seen, &mut state, profiles).read(&log, now, |closed, state| {
            for (start, version) in mature.due(&waiting, closed.end) {
                waiting.remove(&(start, version));
                round.matured += 1;
                let outcomes = mature.judge(start, version, state)?;
                let at = (start, start + file.window.micros());
                round.changes.extend(alerts.observe(&file.model, at, outcomes, limits));
            }
            round.changes.extend(alerts.observe(&file.model, (closed.start, closed.end), outcomes(closed), limits));
            if file.labels.is_some() {
                waiting.extend(
                    closed.reports.iter().filter(|report| report.counts.rows > 0).map(|of| (of.start, of.version)),
                );
            }
            round.closed.extend(closed.reports.iter().cloned());
            Ok(())
        });
        let seen = result?;
        let end = match now {
            Some(now) => now,
            // Nothing comes after the end of the log: all labels are there.
            None => Micros::MAX,
        };
        for (start, version) in mature.due(&waiting, end) {
            waiting.remove(&(start, version));
            round.matured += 1;
            let outcomes = mature.judge(start, version, &mut state)?;
            let at = (start, start + file.window.micros());
            round.changes.extend(alerts.observe(&file.model, at, outcomes, limits));
        }
        round.labels = book.as_ref().map(|book| {
            let unknown = match (&mature.joined, now) {
                (Some((joined, _)), None) => joined.unknown(book),
                _ => 0,
            };
            LabelCounts { unknown, ..book.counts.clone() }
        });
        let suspicious = mature.suspicious;
        self.memory.suspicious.extend(suspicious);
        self.state = state;
        self.memory.seen = seen;
        self.memory.alerts = alerts;
        self.memory.waiting = waiting;
        Ok(round)
    }
}

/// What a closed window says of every kind that does not need labels.
fn outcomes(closed: &Closed) -> BTreeMap<Kind, Outcome> {
    let mut out = BTreeMap::new();
    for kind in Kind::ALL.into_iter().filter(|kind| !OF_LABELS.contains(kind)) {
        // Versions that serve a few rows say little: any judged version that has a finding counts.
        let found = closed.reports.iter().find_map(|report| {
            by_kind(&report.findings).get(&kind).map(|finding| ((*finding).clone(), report.version))
        });
        let said = match found {
            Some((finding, version)) => Some(Outcome::Found(finding, version)),
            None => {
                let any = |of: &dyn Fn(&WindowReport) -> bool| closed.reports.iter().any(of);
                let judged = match kind {
                    Kind::Volume => any(&|report| !report.maintenance && !report.partial),
                    Kind::Schema | Kind::RepeatedAnswers => {
                        any(&|report| !report.maintenance && report.counts.rows > 0)
                    }
                    Kind::EstimatedPerformance => {
                        any(&|report| report.judged && !report.performance.estimated.is_empty())
                    }
                    _ => any(&|report| report.judged),
                };
                judged.then_some(Outcome::Usual)
            }
        };
        out.extend(said.map(|said| (kind, said)));
    }
    out
}

/// Windows whose labels were waited for.
struct Mature<'a> {
    file: &'a MonitorFile,
    log: &'a InferenceLog,
    book: Option<&'a LabelBook>,
    now: Option<Micros>,
    /// Joined rows of the windows from here on.
    joined: Option<(Joined, Micros)>,
    /// People whose labels were left out.
    suspicious: BTreeSet<String>,
}

impl Mature<'_> {
    /// The windows that are mature at `time`, in order.
    fn due(&self, waiting: &BTreeSet<(Micros, u64)>, time: Micros) -> Vec<(Micros, u64)> {
        let Some(spec) = &self.file.labels else { return Vec::new() };
        let needed = self.file.window.micros() + spec.maturity.micros();
        waiting.iter().copied().filter(|(start, _)| start.saturating_add(needed) <= time).collect()
    }

    fn judge(
        &mut self,
        start: Micros,
        version: u64,
        state: &mut StateFolder,
    ) -> Result<BTreeMap<Kind, Outcome>, MonitorError> {
        let mut out = BTreeMap::new();
        let (Some(spec), Some(book)) = (&self.file.labels, self.book) else { return Ok(out) };
        let Some(mut report) = state.get(start, version)? else { return Ok(out) };
        let Some(profile) = state.profile(version)? else { return Ok(out) };
        let (Some(answer), Some(estimator)) = (&profile.answer, &profile.estimator) else { return Ok(out) };
        if self.joined.as_ref().is_none_or(|(_, from)| *from > start) {
            let length = self.file.window.micros();
            let until = self.now.unwrap_or(Micros::MAX - length);
            let as_of = |start: Micros| start.saturating_add(length).saturating_add(spec.maturity.micros());
            let joined = join(self.log, book, spec, answer, (start, until), length, as_of)?;
            self.joined = Some((joined, start));
        }
        let window = self.joined.as_ref().and_then(|(joined, _)| joined.windows.get(&(start, version)));
        let window = window.cloned().unwrap_or_default();
        let (pairs, bad, suspicious) = without_poison(&window);
        self.suspicious.extend(bad);
        report.performance.realised = realised(estimator.task(), &pairs);
        report.performance.labelled = pairs.len() as u64;
        report.performance.mature = true;
        let mut findings: Vec<Finding> = suspicious.into_iter().collect();
        let enough = pairs.len() >= LABELS_MIN && !report.maintenance;
        if enough {
            let (metric, tolerance) = self.file.expected(estimator);
            let performance = &report.performance;
            let found =
                of_performance(Kind::Performance, &metric, &performance.realised, estimator.reference(), tolerance);
            findings.extend(found);
            findings.extend(of_concept(&metric, &performance.realised, &performance.estimated, tolerance));
        }
        for kind in OF_LABELS {
            match findings.iter().find(|finding| finding.kind == kind) {
                Some(finding) => drop(out.insert(kind, Outcome::Found(finding.clone(), version))),
                None if enough => drop(out.insert(kind, Outcome::Usual)),
                None => {}
            }
        }
        report.findings.retain(|finding| !OF_LABELS.contains(&finding.kind));
        report.findings.extend(findings);
        state.put(report)?;
        Ok(out)
    }
}

/// The pairs without those of people whose labels disagree with the model far more often than those of all others: more
/// than six standard errors, and half of their labels.
fn without_poison(window: &JoinedWindow) -> (Vec<(f64, f64)>, Vec<String>, Option<Finding>) {
    let disagrees = |(answer, label): &(f64, f64)| (answer >= &0.5) != (label >= &0.5);
    let is_class =
        window.pairs.iter().all(|(answer, label)| (0.0..=1.0).contains(answer) && (0.0..=1.0).contains(label));
    let mut by_actor: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (pair, actor) in window.pairs.iter().zip(&window.actors) {
        if let Some(actor) = actor {
            let of = by_actor.entry(actor.as_str()).or_default();
            *of = (of.0 + 1.0, of.1 + f64::from(u8::from(disagrees(pair))));
        }
    }
    let all = (window.pairs.len() as f64, window.pairs.iter().filter(|pair| disagrees(pair)).count() as f64);
    let is_bad = |(labels, against): &(f64, f64)| {
        let (rest, rest_against) = (all.0 - labels, all.1 - against);
        if (*labels as usize) < ACTOR_MIN || (rest as usize) < ACTOR_MIN {
            return false;
        }
        let (share, usual) = (against / labels, rest_against / rest);
        let pooled = all.1 / all.0;
        let error = (pooled * (1.0 - pooled) * (1.0 / labels + 1.0 / rest)).sqrt();
        share > 0.5 && share - usual > 6.0 * error
    };
    let bad: Vec<&str> = by_actor.iter().filter(|(_, of)| is_class && is_bad(of)).map(|(actor, _)| *actor).collect();
    if bad.is_empty() {
        return (window.pairs.clone(), Vec::new(), None);
    }
    let is_theirs = |actor: &Option<String>| actor.as_deref().is_some_and(|actor| bad.contains(&actor));
    let kept = window.pairs.iter().zip(&window.actors).filter(|(_, actor)| !is_theirs(actor));
    let kept: Vec<(f64, f64)> = kept.map(|(pair, _)| *pair).collect();
    let gone = window.pairs.len() - kept.len();
    let summary = format!(
        "{gone} labels of {} disagree with the model far more often than others; they do not count",
        bad.join(", ")
    );
    let bad: Vec<String> = bad.into_iter().map(str::to_owned).collect();
    (kept, bad, Some(Finding::new(Kind::SuspiciousLabels, Severity::Critical, summary)))
}
