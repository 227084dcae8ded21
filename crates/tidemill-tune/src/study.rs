//! A study: trials one after the other, or several at once, until it ends.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidemill_core::CancelFlag;

use crate::pruning::Rungs;
use crate::{
    Budget, Direction, Halving, Objective, Params, Point, Sampler, Space, Steps, Stop, StopReason, Trial, TrialError,
    TrialState,
};

/// Trials that may fail one after the other before the study ends.
const FAILURES_MAX: u64 = 10;
/// The share of the time left that a point to begin with may take, unless those like it are the best.
const START_SHARE: f64 = 0.15;
/// Why a trial has no result that was not done in its time.
const OUT_OF_TIME: &str = "it was not done in the time that a trial has";

/// How a search is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// What is searched.
    pub space: Space,
    /// Which values are better.
    pub direction: Direction,
    /// Who proposes trials.
    pub sampler: Sampler,
    /// The rule that ends bad trials early, if any.
    pub halving: Option<Halving>,
    /// What it may spend.
    pub budget: Budget,
    /// Whether a plateau ends it.
    pub stop: Stop,
    /// Trials that run at once.
    ///
    /// Trial `n` is proposed from the results of the trials up to `n - parallel`, so which trials there are does not depend
    /// on how long each takes.
    pub parallel: usize,
    /// Parameters to try first, in this order, as far as they are of the space.
    pub first: Vec<Params>,
    /// Whether trials that promise more in less time come first, where the budget is a time. Proposals then depend on how
    /// long trials take.
    pub thrifty: bool,
}

/// Hears what happens in a study. Calls come one at a time.
pub trait StudyEvents: Send {
    /// A trial was started.
    fn started(&mut self, trial: &Trial) {
        let _ = trial;
    }
    /// A trial has ended. What this returns as an error ends the study: a result that cannot be kept is not worth
    /// computing.
    fn finished(&mut self, trial: &Trial) -> Result<(), String>;
}

/// How a study ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// All finished trials, in the order of their numbers.
    pub trials: Vec<Trial>,
    /// Why it ended.
    pub reason: StopReason,
    /// The time of all trials in this attempt.
    pub wall: Duration,
}

impl Ended {
    /// The best completed trial; the first of equals.
    pub fn best(&self, direction: Direction) -> Option<&Trial> {
        best(direction, &self.trials)
    }
}

/// The best completed trial; the first of equals.
pub(crate) fn best(direction: Direction, trials: &[Trial]) -> Option<&Trial> {
    let completed = trials.iter().filter_map(|trial| Some((direction.loss(trial.result()?), trial)));
    completed
        .fold(None, |best: Option<(f64, &Trial)>, (loss, trial)| match best {
            Some((least, _)) if least <= loss => best,
            _ => Some((loss, trial)),
        })
        .map(|(_, trial)| trial)
}

/// What all workers look at.
struct Shared<'a> {
    trials: BTreeMap<u64, Trial>,
    rungs: Rungs,
    /// Proposals that were made; the number of the next trial.
    next: u64,
    ended: Option<StopReason>,
    /// Why the study cannot go on.
    broken: Option<String>,
    events: &'a mut dyn StudyEvents,
}

impl Study {
    /// Runs the study. `done`: trials of an earlier attempt; they are not repeated. `spent`: the time of that attempt.
    ///
    /// The error is that of [`StudyEvents::finished`].
    pub fn run(
        &self,
        objective: &dyn Objective,
        done: Vec<Trial>,
        spent: Duration,
        cancel: &CancelFlag,
        events: &mut dyn StudyEvents,
    ) -> Result<Ended, String> {
        let mut rungs = Rungs::default();
        let mut trials = BTreeMap::new();
        for mut trial in done {
            // A trial of another space says nothing here.
            let Some(point) = self.space.point(&trial.params) else { continue };
            trial.point = point;
            if let Some(halving) = &self.halving {
                for end in 1..=trial.steps.len() {
                    let known = if end > 1 { trial.steps[end - 2].0 } else { 0 };
                    rungs.report(halving, self.direction, &trial.point, &trial.steps[..end], known);
                }
            }
            trials.insert(trial.number, trial);
        }
        let shared = Mutex::new(Shared { trials, rungs, next: 0, ended: None, broken: None, events });
        let changed = Condvar::new();
        let start = Instant::now();
        let worker = || self.work(objective, &shared, &changed, start, spent, cancel);
        if self.parallel <= 1 {
            worker();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..self.parallel {
                    scope.spawn(worker);
                }
            });
        }
        let shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(broken) = shared.broken {
            return Err(broken);
        }
        let trials = shared.trials.into_values().filter(|trial| trial.state != TrialState::Running).collect();
        Ok(Ended { trials, reason: shared.ended.unwrap_or(StopReason::Cancelled), wall: start.elapsed() })
    }

    /// Starts trials until the study ends.
    fn work(
        &self,
        objective: &dyn Objective,
        shared: &Mutex<Shared<'_>>,
        changed: &Condvar,
        start: Instant,
        spent: Duration,
        cancel: &CancelFlag,
    ) {
        loop {
            let mut held = lock(shared);
            let number = loop {
                if held.ended.is_some() || held.broken.is_some() {
                    return;
                }
                if let Some(reason) = self.over(&held, spent + start.elapsed(), cancel) {
                    held.ended = Some(reason);
                    changed.notify_all();
                    return;
                }
                let next = held.next;
                if held.trials.get(&next).is_some_and(|trial| trial.state != TrialState::Running) {
                    held.next += 1;
                    continue;
                }
                // What a proposal depends on must be known.
                let known_to = (next + 1).saturating_sub(self.parallel.max(1) as u64);
                let waits = held.trials.range(..known_to).any(|(_, trial)| trial.state == TrialState::Running);
                if !waits {
                    break next;
                }
                held = changed
                    .wait_timeout(held, Duration::from_millis(200))
                    .map_or_else(|e| e.into_inner().0, |(held, _)| held);
            };
            let Some(point) = self.propose(objective, &held, number, spent + start.elapsed()) else {
                // The last trials may still run.
                held.ended = Some(StopReason::Exhausted);
                changed.notify_all();
                return;
            };
            held.next = number + 1;
            let trial = Trial::started(number, self.space.params(&point), point);
            held.events.started(&trial);
            let params = trial.params.clone();
            held.trials.insert(number, trial);
            drop(held);

            let began = Instant::now();
            let watch = Watch { study: self, shared, number, start, spent, began };
            let measured = objective.measure(&params, &watch);
            let mut held = lock(shared);
            let held = &mut *held;
            let Some(trial) = held.trials.get_mut(&number) else { continue };
            trial.seconds = began.elapsed().as_secs_f64();
            match measured {
                Ok(measured) if measured.value.is_finite() => {
                    trial.state = TrialState::Completed;
                    trial.value = Some(measured.value);
                    trial.also = measured.also;
                    trial.noise = measured.noise;
                    trial.violation = measured.violation;
                    trial.facts = measured.facts;
                }
                Ok(measured) => {
                    trial.state = TrialState::Failed;
                    trial.reason = Some(format!("its value is {}", measured.value));
                    trial.facts = measured.facts;
                }
                Err(TrialError::Pruned) => {
                    trial.state = TrialState::Pruned;
                    trial.value = trial.last_step().map(|(_, value)| value);
                }
                Err(TrialError::OutOfTime) => {
                    trial.state = TrialState::Failed;
                    trial.reason = Some(OUT_OF_TIME.to_owned());
                }
                Err(TrialError::Failed(reason)) => {
                    trial.state = TrialState::Failed;
                    trial.reason = Some(reason);
                }
                Err(TrialError::Cancelled) => {
                    held.trials.remove(&number);
                    held.ended.get_or_insert(StopReason::Cancelled);
                    changed.notify_all();
                    return;
                }
            }
            if let Err(broken) = held.events.finished(trial) {
                held.broken.get_or_insert(broken);
            }
            changed.notify_all();
        }
    }

    /// Why no further trial starts.
    fn over(&self, shared: &Shared<'_>, spent: Duration, cancel: &CancelFlag) -> Option<StopReason> {
        if cancel.is_set() {
            return Some(StopReason::Cancelled);
        }
        // Trials that run count: the budget is kept to the trial.
        let trials: Vec<&Trial> = shared.trials.values().collect();
        if let Some(most) = self.budget.trials.filter(|most| trials.len() as u64 >= *most) {
            return Some(StopReason::Trials(most));
        }
        if let Some(most) = self.budget.wall.filter(|most| spent >= *most && !trials.is_empty()) {
            return Some(StopReason::Time(most));
        }
        let failures = trials.iter().rev().take_while(|trial| trial.state == TrialState::Failed).count() as u64;
        if failures >= FAILURES_MAX {
            return Some(StopReason::Failures(failures));
        }
        match self.stop {
            Stop::Never => None,
            Stop::Plateau(rule) => {
                // Of many learners each has few parameters.
                let active = |trial: &&Trial| trial.point.0.iter().flatten().count();
                rule.reached(self.direction, &trials, trials.iter().map(active).max().unwrap_or(0))
            }
        }
    }

    fn propose(&self, objective: &dyn Objective, shared: &Shared<'_>, number: u64, spent: Duration) -> Option<Point> {
        let given = self.first.get(number as usize).and_then(|params| {
            let mut params = params.clone();
            params.extend(self.space.fixed().clone());
            self.space.point(&params)
        });
        if let Some(given) = given.filter(|point| !self.is_extravagant(point, shared, spent)) {
            return Some(given);
        }
        let known_to = (number + 1).saturating_sub(self.parallel.max(1) as u64);
        // Whether the later ones have ended by now must make no difference.
        let as_running =
            |trial: &Trial| Trial { state: TrialState::Running, value: None, steps: Vec::new(), ..trial.clone() };
        let later: Vec<Trial> = shared.trials.range(known_to..number).map(|(_, trial)| as_running(trial)).collect();
        let trials: Vec<&Trial> = shared.trials.range(..known_to).map(|(_, trial)| trial).chain(&later).collect();
        let allows = |point: &Point| objective.allows(&self.space.params(point));
        let left = |wall: Duration| 1.0 - spent.as_secs_f64() / wall.as_secs_f64().max(f64::MIN_POSITIVE);
        let thrift = self.budget.wall.filter(|_| self.thrifty).map_or(0.0, |wall| left(wall).clamp(0.0, 1.0));
        self.sampler.propose(&self.space, self.direction, &trials, number, thrift, &allows)
    }
}

impl Study {
    /// Whether a point to begin with would take much of the time that is left, and those like it are not the best: where time is
    /// short, not everything can be tried.
    fn is_extravagant(&self, point: &Point, shared: &Shared<'_>, spent: Duration) -> bool {
        let Some(wall) = self.budget.wall.filter(|_| self.thrifty) else { return false };
        let is_like = |trial: &&Trial| trial.point.active() == point.active() && trial.state != TrialState::Running;
        let longest = shared.trials.values().filter(is_like).map(|trial| trial.seconds).reduce(f64::max);
        let trials: Vec<Trial> = shared.trials.values().cloned().collect();
        let is_best = best(self.direction, &trials).is_some_and(|best| best.point.active() == point.active());
        !is_best && longest.is_some_and(|longest| longest > START_SHARE * wall.saturating_sub(spent).as_secs_f64())
    }
}

/// A mutex whose holder panicked is as good as any other: every change is complete when it is made.
fn lock<'a, 'b>(shared: &'a Mutex<Shared<'b>>) -> MutexGuard<'a, Shared<'b>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the steps of one trial.
struct Watch<'a, 'b> {
    study: &'a Study,
    shared: &'a Mutex<Shared<'b>>,
    number: u64,
    /// When the study and the trial began, and the time of earlier attempts.
    start: Instant,
    spent: Duration,
    began: Instant,
}

impl Steps for Watch<'_, '_> {
    fn report(&self, step: u64, value: f64) -> bool {
        let mut held = lock(self.shared);
        let held = &mut *held;
        let Some(trial) = held.trials.get_mut(&self.number) else { return false };
        let known = trial.last_step().map_or(0, |(step, _)| step);
        if step <= known && !trial.steps.is_empty() {
            return false;
        }
        trial.steps.push((step, value));
        let Some(halving) = &self.study.halving else { return false };
        held.rungs.report(halving, self.study.direction, &trial.point, &trial.steps, known)
    }

    fn time_left(&self) -> Option<Duration> {
        // A study has a result, however little time it has.
        if !lock(self.shared).trials.values().any(|trial| trial.result().is_some()) {
            return None;
        }
        let budget = &self.study.budget;
        let of_study = budget.wall.map(|wall| wall.saturating_sub(self.spent + self.start.elapsed()));
        let of_trial = budget.trial_wall.map(|wall| wall.saturating_sub(self.began.elapsed()));
        of_study.into_iter().chain(of_trial).min()
    }
}
