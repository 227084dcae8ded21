//! The `Tuner` component: the parameters of a learner that do best on the validation rows.

mod hyperparameters;
mod journal;
mod objective;
mod params;
mod search;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, CancelFlag, Code, Component, ComponentError, ComponentSpec, Expectation, ExternalInput, Gate,
    InputSpec, NoProgress, Outcome, OutputSpec, ParamIssue, Progress, Promise, StepContext, SummaryTable, Task, Tone,
};
use tidemill_tune::{
    Direction, Ended, Halving, Sampler, StopReason, Study, StudyEvents, Trial, TrialState, importance,
};

pub(crate) use hyperparameters::Hyperparameters;
use journal::Journal;
use objective::Training;
use params::TunerParams;

use crate::learner::{Estimator, Watch};
use crate::selector::larger_is_better;
use crate::trainer::{Prepared, Trainer};

/// Rounds before which no trial ends: a slow learner needs some to show what it can do.
const ROUNDS_MIN: u64 = 100;
/// The share of trials that go on at each rung is one of so many.
const REDUCTION: f64 = 3.0;
/// Trials that are spread evenly before the sampler learns from them, and at least so many for each learner.
const STARTUP_TRIALS: u64 = 10;
const STARTUP_OF_LEARNER: u64 = 4;
/// Trials that the end of a run shows, and how many of their parameters.
const TRIALS_SHOWN: usize = 5;
const PARAMS_SHOWN: usize = 5;

/// Searches the parameters of a learner that do best on the validation rows.
///
/// ```yaml
/// tune:  { component: Tuner, learner: gradient_boosting, budget: 10m }
/// train: { component: Trainer, inputs: { hyperparameters: tune } }
/// ```
///
/// The rows that are judged have no part in the search. Finished trials are kept as they come: a search that was killed or
/// cancelled goes on where it was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tuner;

impl Component for Tuner {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "Tuner".into(),
            version: 1,
            about: "Searches the parameters of a learner that do best on the validation rows.".into(),
            inputs: vec![
                InputSpec::required("examples", ArtifactType::Examples),
                InputSpec::required("transform", ArtifactType::TransformGraph),
            ],
            outputs: vec![OutputSpec::new("hyperparameters", ArtifactType::Hyperparameters)],
            gate: Gate::Open,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        params::schema()
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        TunerParams::parse(params).err().unwrap_or_default()
    }

    fn promises(&self, params: &Value) -> Vec<Promise> {
        let Ok(parsed) = TunerParams::parse(params) else { return Vec::new() };
        let values = parsed.search.learners().into_iter().map(str::to_owned).collect();
        let tuned = Promise { topic: Promise::TUNED_LEARNER, about: "the learner", values };
        Trainer.promises(&parsed.of_trainer).into_iter().chain([tuned]).collect()
    }

    fn expectations(&self, params: &Value) -> Vec<Expectation> {
        let Ok(parsed) = TunerParams::parse(params) else { return Vec::new() };
        let of_trainer = Trainer.expectations(&parsed.of_trainer);
        of_trainer.into_iter().filter(|expectation| expectation.topic != Promise::TUNED_LEARNER).collect()
    }

    fn external_inputs(&self, params: &Value, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let parsed = TunerParams::parse(params)?;
        let mut inputs = Vec::new();
        for chosen in parsed.search.chosen(&parsed.trainer)? {
            inputs.extend(chosen.estimator.external_inputs(project_dir)?);
        }
        Ok(inputs)
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params = TunerParams::parse(context.params)?;
        let chosen = params.search.chosen(&params.trainer)?;
        let learners: Vec<(&'static str, &dyn Estimator)> =
            chosen.iter().map(|chosen| (chosen.name, &*chosen.estimator)).collect();
        let prepared = Prepared::read(context, &params.trainer, &learners, true)?;
        if prepared.rows().1 == 0 {
            let message = "there are no validation rows to compare trials on";
            let hint = "name a split for them: `validation: NAME`";
            return Err(ComponentError::new(Code::Params, message).with_hint(hint));
        }
        search(context, &params, &prepared, &learners)
    }
}

fn search(
    context: &StepContext<'_>,
    params: &TunerParams,
    prepared: &Prepared<'_>,
    learners: &[(&'static str, &dyn Estimator)],
) -> Result<Outcome, ComponentError> {
    let keys = &params.keys;
    let metric = match &keys.metric {
        Some(metric) => metric.clone(),
        None => first_metric(prepared, learners, context.cancel)?,
    };
    let by_name = if larger_is_better(&metric) { Direction::Maximize } else { Direction::Minimize };
    let direction = keys.direction.unwrap_or(by_name);
    let parallel = keys.parallel.unwrap_or(1).clamp(1, context.threads.max(1));
    let study = Study {
        space: params.search.space.clone(),
        direction,
        sampler: Sampler {
            kind: keys.sampler,
            seed: params.trainer.seed(),
            startup_trials: keys
                .startup_trials
                .unwrap_or_else(|| STARTUP_TRIALS.max(STARTUP_OF_LEARNER * learners.len() as u64)),
        },
        halving: keys.prune.unwrap_or(true).then_some(Halving {
            min_steps: ROUNDS_MIN,
            reduction: REDUCTION,
            patience: 0,
        }),
        budget: params.budget(),
        stop: keys.stop.0,
        parallel,
        first: Vec::new(),
    };
    let training = Training {
        prepared,
        trainer: &params.trainer,
        search: &params.search,
        metric: &metric,
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
    let mut events =
        Kept { journal, progress: context.progress, metric: &metric, direction, best: None, trouble: None };
    done.iter().for_each(|trial| events.see(trial));
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
    outcome(context, params, prepared, &study, &metric, &ended, resumed)
}

/// Writes what was found, and says it.
fn outcome(
    context: &StepContext<'_>,
    params: &TunerParams,
    prepared: &Prepared<'_>,
    study: &Study,
    metric: &str,
    ended: &Ended,
    resumed: usize,
) -> Result<Outcome, ComponentError> {
    let direction = study.direction;
    let Some(best) = ended.best(direction) else {
        let mut reasons = ended.trials.iter().rev().filter_map(|trial| trial.reason.as_deref());
        let reason = reasons.next().unwrap_or("no trial was started");
        let message = format!("none of {} trials has a result: {reason}", ended.trials.len());
        return Err(ComponentError::new(Code::Params, message).with_hint("try one with a `Trainer`, which says more"));
    };
    let importance = importance(&study.space, direction, &ended.trials);
    let found = Hyperparameters::new(
        params.search.learner(&best.params),
        metric,
        direction,
        best,
        &ended.trials,
        ended.reason.to_string(),
        importance.clone(),
        params.search.written.clone(),
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
    headline.push_str(&format!("; {}", ended.reason));
    let mut warnings = prepared.warnings.clone();
    if resumed > 0 {
        warnings.push(format!("{resumed} trials of an earlier attempt were kept"));
    }
    if found.failed > 0 {
        let reason = ended.trials.iter().rev().find_map(|trial| trial.reason.as_deref()).unwrap_or_default();
        warnings.push(format!("{} of {} trials failed, the last with: {reason}", found.failed, found.trials));
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
    tables.extend(importance_table(&importance));
    Ok(Outcome {
        properties: BTreeMap::from([("hyperparameters".to_owned(), properties.into_iter().collect())]),
        headline,
        tables,
        warnings,
        ..Outcome::default()
    })
}

/// The best trials with the parameters that mattered most, or else the first ones.
fn best_trials(ended: &Ended, direction: Direction, metric: &str, importance: &[(String, f64)]) -> SummaryTable {
    let mut completed: Vec<&Trial> = ended.trials.iter().filter(|trial| trial.result().is_some()).collect();
    let loss = |trial: &Trial| trial.result().map_or(f64::INFINITY, |value| direction.loss(value));
    completed.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
    completed.truncate(TRIALS_SHOWN);
    let varies = |name: &&String| {
        let mut values = ended.trials.iter().filter_map(|trial| trial.params.get(*name));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let by_importance = importance.iter().map(|(name, _)| name);
    let by_name = completed.first().into_iter().flat_map(|trial| trial.params.keys());
    let mut shown: Vec<&String> = Vec::new();
    let which =
        completed.first().into_iter().flat_map(|trial| trial.params.keys()).filter(|name| *name == search::LEARNER);
    for name in which.chain(by_importance).chain(by_name).filter(varies) {
        if shown.len() < PARAMS_SHOWN && !shown.contains(&name) && completed.iter().any(|t| t.params.contains_key(name))
        {
            shown.push(name);
        }
    }
    let row = |(place, trial): (usize, &&Trial)| {
        let value = trial.value.map_or_else(String::new, |value| format!("{value:.4}"));
        let error = trial.noise.map_or_else(|| "–".to_owned(), |noise| format!("{noise:.4}"));
        let params = shown.iter().map(|name| trial.params.get(*name).map_or_else(|| "–".to_owned(), short));
        let row = [(trial.number + 1).to_string(), value, error, format!("{:.1} s", trial.seconds)];
        (if place == 0 { Tone::Good } else { Tone::Plain }, row.into_iter().chain(params).collect())
    };
    let of_learner = |name: &&String| name.rsplit('.').next().unwrap_or(name).to_owned();
    SummaryTable {
        title: "Trials".to_owned(),
        columns: ["trial", metric, "error", "time"]
            .map(str::to_owned)
            .into_iter()
            .chain(shown.iter().map(of_learner))
            .collect(),
        rows: completed.iter().enumerate().map(row).collect(),
    }
}

/// A parameter's value, numbers with three digits.
fn short(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let rounded: f64 = format!("{number:.2e}").parse().unwrap_or(number);
            rounded.to_string()
        }
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn importance_table(importance: &[(String, f64)]) -> Option<SummaryTable> {
    let shown = importance.iter().filter(|(_, share)| *share >= 0.01).take(TRIALS_SHOWN);
    let rows: Vec<_> =
        shown.map(|(name, share)| (Tone::Plain, vec![name.clone(), format!("{:.0} %", 100.0 * share)])).collect();
    (!rows.is_empty()).then(|| SummaryTable {
        title: "What mattered".to_owned(),
        columns: ["parameter", "share"].map(str::to_owned).to_vec(),
        rows,
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
    best: Option<(u64, f64)>,
    trouble: Option<ComponentError>,
}

impl Kept<'_> {
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
