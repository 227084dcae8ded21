//! A search from its first trial to the artifact.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tidemill_core::{CancelFlag, Code, ComponentError, NoProgress, Outcome, Progress, StepContext, Task, grouped};
use tidemill_tune::{
    Direction, Ended, Halving, Sampler, Stop, StopReason, Study, StudyEvents, Trial, TrialState, importance,
};

use super::blend::{Blend, Candidate, Goal, select};
use super::hyperparameters::{EnsembleFound, Hyperparameters};
use super::journal::{self, Journal};
use super::judged::JudgedRows;
use super::objective::Training;
use super::params::TunerParams;
use super::predictions::Predictions;
use super::tables::{best_trials, front_table, importance_table};
use crate::learner::{Estimator, Watch};
use crate::selector::larger_is_better;
use crate::trainer::Prepared;

/// Rounds before which no trial ends: a slow learner needs some to show what it can do.
const ROUNDS_MIN: u64 = 100;
/// The share of trials that go on at each rung is one of so many.
const REDUCTION: f64 = 3.0;
/// Trials that are spread evenly before the sampler learns from them, and at least so many for each learner.
const STARTUP_TRIALS: u64 = 10;
const STARTUP_OF_LEARNER: u64 = 4;
/// The share of a search's time that fitting all members of an ensemble may take.
const MEMBERS_SHARE: f64 = 0.2;
/// Trials that an ensemble is chosen from.
const CANDIDATES_MAX: usize = 40;

pub(super) fn search(
    context: &StepContext<'_>,
    params: &TunerParams,
    prepared: &Prepared<'_>,
    judged: &JudgedRows,
    learners: &[(&'static str, &dyn Estimator)],
) -> Result<Outcome, ComponentError> {
    let keys = &params.keys;
    let metric = match &keys.metric {
        Some(metric) => metric.clone(),
        None => first_metric(prepared, learners, context.cancel)?,
    };
    let by_name = if larger_is_better(&metric) { Direction::Maximize } else { Direction::Minimize };
    let direction = keys.direction.unwrap_or(by_name);
    let starts = || params.search.starts(prepared.task().kind(), keys.starts == Some(true));
    let first = if keys.starts == Some(false) { Vec::new() } else { starts() };
    let parallel = keys.parallel.unwrap_or(1).clamp(1, context.threads.max(1));
    let study = Study {
        space: params.search.space.clone(),
        direction,
        sampler: Sampler {
            kind: keys.sampler,
            seed: params.trainer.seed(),
            // Points that are known to be good tell more than points that are spread.
            startup_trials: keys.startup_trials.unwrap_or(match (first.len() as u64, learners.len() as u64) {
                (0, learners) => STARTUP_TRIALS.max(STARTUP_OF_LEARNER * learners),
                (_, 1) => STARTUP_TRIALS,
                (_, learners) => learners,
            }),
        },
        halving: keys.prune.unwrap_or(keys.objectives.is_empty()).then_some(Halving {
            min_steps: ROUNDS_MIN,
            reduction: REDUCTION,
            patience: 0,
        }),
        budget: params.budget(),
        stop: if keys.objectives.is_empty() { keys.stop.0 } else { Stop::Never },
        parallel,
        first,
        // What one learner costs hardly differs from trial to trial.
        thrifty: params.search.has_several(),
    };
    let kept = keys.ensemble.then(|| Predictions::new(context.work));
    let training = Training {
        prepared,
        trainer: &params.trainer,
        search: &params.search,
        judged,
        metric: &metric,
        direction,
        objectives: &keys.objectives,
        latency_ms_max: keys.latency_p99_ms,
        kept: kept.as_ref(),
        cancel: context.cancel,
        threads: (context.threads / parallel).max(1),
    };
    let (journal, done) = match context.work.map(Journal::open).transpose()? {
        Some((journal, done)) => (Some(journal), done),
        None => (None, Vec::new()),
    };
    let resumed = done.len();
    let spent: f64 = done.iter().map(|trial| trial.seconds).sum::<f64>() / parallel as f64;
    context.progress.total(study.budget.trials.unwrap_or(0), "trials");
    context.progress.advance(resumed as u64);
    let mut events = Kept {
        journal,
        progress: context.progress,
        metric: &metric,
        direction,
        floor: judged.floor(&metric, prepared.task()),
        best: None,
        trouble: None,
    };
    events.begin(&study);
    for trial in &done {
        events.see(trial);
        context.progress.found(&json!({ "kind": "trial", "trial": trial, "earlier": true }));
    }
    let spent = Duration::try_from_secs_f64(spent).unwrap_or_default();
    let ended = study.run(&training, done, spent, context.cancel, &mut events);
    if let Some(trouble) = events.trouble {
        return Err(trouble);
    }
    let ended = ended.map_err(|reason| ComponentError::new(Code::Io, reason))?;
    if ended.reason == StopReason::Cancelled {
        let error = ComponentError::new(Code::Canceled, "the run was cancelled");
        let kept = ended.trials.len();
        return Err(error.with_hint(match ended.best(direction) {
            Some(best) => format!(
                "{kept} trials are kept, the best {metric} is {:.4}; the next run goes on from there",
                best.value.unwrap_or(f64::NAN)
            ),
            None => "the next run starts again".to_owned(),
        }));
    }
    let found = Found { study: &study, metric: &metric, ended: &ended, resumed, floor: events.floor };
    let blend = match &kept {
        Some(kept) => {
            context.progress.phase("averaging the best trials");
            blended(params, prepared, judged, &found, kept)
        }
        None => None,
    };
    outcome(context, params, prepared, judged, &found, blend.as_ref())
}

/// What a study came to.
struct Found<'a> {
    study: &'a Study,
    metric: &'a str,
    ended: &'a Ended,
    /// Trials of an earlier attempt.
    resumed: usize,
    floor: Option<f64>,
}

/// The mean of trials that is best.
fn blended(
    params: &TunerParams,
    prepared: &Prepared<'_>,
    judged: &JudgedRows,
    found: &Found<'_>,
    kept: &Predictions,
) -> Option<Blend> {
    let direction = found.study.direction;
    let loss = |trial: &&Trial| trial.result().map_or(f64::INFINITY, |value| direction.loss(value));
    let mut trials: Vec<&Trial> = found.ended.trials.iter().filter(|trial| trial.result().is_some()).collect();
    trials.sort_by(|a, b| loss(a).total_cmp(&loss(b)).then(a.number.cmp(&b.number)));
    let number = |trial: &Trial, fact: &str| trial.facts.get(fact).and_then(Value::as_f64);
    let candidate = |trial: &&Trial| {
        let columns = kept.of(&trial.params)?;
        let fits = columns.len() == prepared.task().columns()
            && columns.iter().all(|column| column.len() == judged.labels().len());
        let learner_us = number(trial, "learner_p99_us").unwrap_or(0.0);
        let seconds = trial.seconds / judged.parts() as f64;
        fits.then_some(Candidate { trial: trial.number, columns, learner_us, seconds })
    };
    let candidates: Vec<Candidate> = trials.iter().filter_map(candidate).take(CANDIDATES_MAX).collect();
    let features_us = trials.first().map_or(0.0, |trial| {
        number(trial, "latency_p99_us").unwrap_or(0.0) - number(trial, "learner_p99_us").unwrap_or(0.0)
    });
    let goal = Goal {
        task: prepared.task(),
        metric: found.metric,
        direction,
        labels: judged.labels(),
        weights: judged.weights(),
        seconds_max: found.study.budget.wall.map(|wall| MEMBERS_SHARE * wall.as_secs_f64()),
        learners_us_max: params.keys.latency_p99_ms.map(|most| 1000.0 * most - features_us),
    };
    select(&goal, &candidates)
}

/// The learner that averages the members.
fn ensemble_of(params: &TunerParams, ended: &Ended, blend: &Blend) -> Map<String, Value> {
    let member = |(number, count): &(u64, u32)| {
        let trial = ended.trials.iter().find(|trial| trial.number == *number)?;
        Some(json!({ "learner": params.search.learner(&trial.params), "weight": count }))
    };
    let members: Vec<Value> = blend.members.iter().filter_map(member).collect();
    Map::from_iter([("ensemble".to_owned(), json!({ "members": members }))])
}

/// Why nothing was found, and what to do.
fn without_result(params: &TunerParams, ended: &Ended) -> ComponentError {
    let count = ended.trials.len();
    let is_slow = |trial: &Trial| trial.state == TrialState::Completed && trial.violation > 0.0;
    let fastest = ended.trials.iter().filter(|trial| is_slow(trial)).min_by(|a, b| a.violation.total_cmp(&b.violation));
    if let (Some(fastest), Some(most)) = (fastest, params.keys.latency_p99_ms) {
        let took = most * (1.0 + fastest.violation);
        let message =
            format!("none of {count} trials answers within {}; the fastest takes {}", millis(most), millis(took));
        return ComponentError::new(Code::Params, message)
            .with_hint("allow more time for a row, use fewer features, or name quick learners: `linear`, `additive`");
    }
    let reason = ended.trials.iter().rev().find_map(|trial| trial.reason.as_deref()).unwrap_or("no trial was started");
    let message = format!("none of {count} trials has a result: {reason}");
    ComponentError::new(Code::Params, message).with_hint("try one with a `Trainer`, which says more")
}

/// Milliseconds as a person writes them: three significant digits.
fn millis(time: f64) -> String {
    let rounded: f64 = format!("{time:.2e}").parse().unwrap_or(time);
    format!("{rounded} ms")
}

/// Writes what was found, and says it.
fn outcome(
    context: &StepContext<'_>,
    params: &TunerParams,
    prepared: &Prepared<'_>,
    judged: &JudgedRows,
    found: &Found<'_>,
    blend: Option<&Blend>,
) -> Result<Outcome, ComponentError> {
    let Found { study, metric, ended, resumed, floor } = *found;
    let direction = study.direction;
    let Some(best) = ended.best(direction) else {
        return Err(without_result(params, ended));
    };
    let chosen = blend.filter(|blend| blend.pays());
    let judged_on = match (judged.parts(), params.keys.repeats) {
        (1, _) => format!("{} rows kept aside", grouped(judged.labels().len() as u64)),
        (parts, Some(repeats)) if repeats > 1 => format!("{} folds, {repeats} times", parts / repeats),
        (parts, _) => format!("{parts} folds"),
    };
    let importance = importance(&study.space, direction, &ended.trials);
    let found = Hyperparameters::new(
        match chosen {
            Some(blend) => ensemble_of(params, ended, blend),
            None => params.search.learner(&best.params),
        },
        metric,
        direction,
        best,
        &ended.trials,
        ended.reason.to_string(),
        importance.clone(),
        params.search.written.clone(),
        floor,
        judged_on,
        blend.map(|blend| EnsembleFound {
            members: blend.members.clone(),
            value: blend.value,
            standard_error: blend.noise,
            gain: blend.gain,
            gain_error: blend.gain_error,
            chosen: chosen.is_some(),
        }),
    );
    let dir = context.output("hyperparameters");
    found.write(dir)?;
    journal::write(dir, &ended.trials)?;

    let value = best.value.unwrap_or(f64::NAN);
    let first = ended.trials.iter().find_map(Trial::result).unwrap_or(value);
    let mut headline =
        format!("{} trials, validation {metric} {value:.4} in trial {}", ended.trials.len(), best.number + 1);
    if first != value {
        headline.push_str(&format!(" (the first {first:.4})"));
    }
    if let Some(blend) = chosen {
        headline.push_str(&format!("; {} of them averaged {:.4}", blend.members.len(), blend.value));
    }
    headline.push_str(&format!("; {}", ended.reason));
    let mut warnings = prepared.warnings.clone();
    if resumed > 0 {
        warnings.push(format!("{resumed} trials of an earlier attempt were kept"));
    }
    if found.failed > 0 {
        let reason = ended.trials.iter().rev().find_map(|trial| trial.reason.as_deref()).unwrap_or_default();
        warnings.push(format!("{} of {} trials failed, the last with: {reason}", found.failed, found.trials));
    }
    if let (Some(floor), None) = (floor, chosen)
        && !direction.is_better(value, floor)
    {
        warnings.push(format!("no trial is better than a model that knows no feature ({metric} {floor:.4})"));
    }
    let properties = json!({
        "learner": found.learner.keys().next(),
        "metric": metric,
        "value": value,
        "trials": found.trials,
        "best_trial": best.number,
    });
    let Value::Object(properties) = properties else { unreachable!("an object is written above") };
    let mut tables = vec![best_trials(ended, direction, metric, &importance)];
    tables.extend(front_table(&params.search, ended, direction, metric));
    tables.extend(importance_table(&importance));
    Ok(Outcome {
        properties: BTreeMap::from([("hyperparameters".to_owned(), properties.into_iter().collect())]),
        headline,
        tables,
        warnings,
        ..Outcome::default()
    })
}

/// The metric that all learners have: the usual loss of the task, or of one learner what it decides its rounds by. That is
/// known after its first round, or else when it has been fitted.
fn first_metric(
    prepared: &Prepared<'_>,
    learners: &[(&'static str, &dyn Estimator)],
    cancel: &CancelFlag,
) -> Result<String, ComponentError> {
    match (learners, prepared.task()) {
        ([(_, estimator)], _) => {
            let listener = Listener(Mutex::new(None));
            let fitted = estimator.fit(&prepared.data(&NoProgress, cancel, &listener));
            if let Some(metric) = listener.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
                return Ok(metric);
            }
            Ok(fitted?.validation_metrics.keys().next().cloned().unwrap_or_default())
        }
        (_, Task::Binary | Task::MultiClass { .. } | Task::MultiLabel { .. }) => Ok("log_loss".to_owned()),
        (_, Task::Regression) => Ok("rmse".to_owned()),
        _ => {
            let error =
                ComponentError::new(Code::Params, "the learners of the search have no metric in common by default");
            Err(error.with_hint("name one: `metric: NAME`"))
        }
    }
}

/// Hears the name of the first metric, which is all that it wants to know.
struct Listener(Mutex<Option<String>>);

impl Watch for Listener {
    fn report(&self, metric: &str, _round: u64, _value: f64) -> Result<(), ComponentError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(metric.to_owned());
        Err(ComponentError::new(Code::Canceled, "the name of the metric is known"))
    }
}

/// Keeps trials as they come, and says how it goes.
struct Kept<'a> {
    journal: Option<Journal>,
    progress: &'a dyn Progress,
    metric: &'a str,
    direction: Direction,
    floor: Option<f64>,
    best: Option<(u64, f64)>,
    trouble: Option<ComponentError>,
}

impl Kept<'_> {
    /// Tells whoever shows the search what it is about.
    fn begin(&self, study: &Study) {
        self.progress.found(&json!({
            "kind": "study",
            "metric": self.metric,
            "direction": self.direction,
            "floor": self.floor,
            "trials": study.budget.trials,
            "seconds": study.budget.wall.map(|wall| wall.as_secs_f64()),
        }));
    }

    fn see(&mut self, trial: &Trial) {
        if let Some(value) = trial.result()
            && self.best.is_none_or(|(_, best)| self.direction.is_better(value, best))
        {
            self.best = Some((trial.number, value));
        }
    }
}

impl StudyEvents for Kept<'_> {
    fn started(&mut self, trial: &Trial) {
        let best = self.best.map_or_else(String::new, |(number, value)| {
            format!(" · best {} {value:.4} in trial {}", self.metric, number + 1)
        });
        self.progress.phase(&format!("trial {}{best}", trial.number + 1));
    }

    fn finished(&mut self, trial: &Trial) -> Result<(), String> {
        self.see(trial);
        self.progress.advance(1);
        self.progress.found(&json!({ "kind": "trial", "trial": trial }));
        debug_assert!(trial.state != TrialState::Running, "it has ended");
        match self.journal.as_mut().map(|journal| journal.add(trial)) {
            Some(Err(error)) => {
                let text = error.to_string();
                self.trouble = Some(error);
                Err(text)
            }
            _ => Ok(()),
        }
    }
}
