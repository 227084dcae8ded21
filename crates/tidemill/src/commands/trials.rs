//! `tidemill trials`: searches, and what they tried.

use console::style;
use serde_json::{Value, json};
use tidemill_core::{ArtifactType, Code, ComponentError, Failure};
use tidemill_metadata::{ArtifactFilter, ArtifactRecord};
use tidemill_pipeline::Workspace;
use tidemill_project::write_optuna;
use tidemill_train::{Hyperparameters, learner_of, read_trials};
use tidemill_tune::{Trial, TrialState, pareto_front};

use crate::cli::{Global, StateName, TrialsArgs};
use crate::commands::{find_project, print};
use crate::ui::{Align, Table, age, count, micros, seconds};

/// Parameters that a line shows.
const PARAMS_SHOWN: usize = 4;

pub async fn trials(args: &TrialsArgs, global: &Global) -> Result<u8, Failure> {
    let workspace = find_project(None, global)?.open_to_read().await?;
    let filter = ArtifactFilter { artifact_type: Some(ArtifactType::Hyperparameters), ..ArtifactFilter::default() };
    match &args.search {
        None => {
            let searches = workspace.metadata.artifacts(&filter, args.limit).await?;
            list(&searches, global)
        }
        Some(spec) => {
            let all = workspace.metadata.artifacts(&filter, i32::MAX as usize).await?;
            let is_named = |record: &&ArtifactRecord| {
                spec == "last"
                    || record.artifact.digest.as_str().starts_with(spec)
                    || record.artifact.digest.short() == spec
            };
            let Some(record) = all.iter().find(is_named) else {
                let message = format!("no search `{spec}` in the store");
                return Err(Failure::new(Code::NotInStore, message).with_hint("`tidemill trials` lists them"));
            };
            show(&workspace, record, args, global).await
        }
    }
}

/// All searches, newest first.
fn list(searches: &[ArtifactRecord], global: &Global) -> Result<u8, Failure> {
    print(global, &searches, || {
        if searches.is_empty() {
            return "no searches yet: a pipeline with a `Tuner`, or `tidemill automl`, makes them\n".to_owned();
        }
        let mut table = Table::new(&[
            ("search", Align::Left),
            ("step", Align::Left),
            ("trials", Align::Right),
            ("learner", Align::Left),
            ("metric", Align::Left),
            ("best", Align::Right),
            ("made", Align::Left),
        ]);
        for ArtifactRecord { artifact, producer } in searches {
            let text = |name: &str| match artifact.properties.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) if number.is_f64() => format!("{:.4}", number.as_f64().unwrap_or(f64::NAN)),
                Some(value) => value.to_string(),
                None => "–".to_owned(),
            };
            table.row([
                artifact.digest.short().to_owned(),
                producer.step.clone(),
                text("trials"),
                text("learner"),
                text("metric"),
                text("value"),
                age(artifact.created_at),
            ]);
        }
        table.to_string()
    })?;
    Ok(0)
}

async fn show(
    workspace: &Workspace,
    record: &ArtifactRecord,
    args: &TrialsArgs,
    global: &Global,
) -> Result<u8, Failure> {
    let artifact = &record.artifact;
    let dir = workspace.artifacts.get(artifact.artifact_type, &artifact.digest)?;
    let broken = |error: ComponentError| Failure::new(error.code, error.message);
    let found = Hyperparameters::read(&dir).map_err(broken)?;
    let mut trials = read_trials(&dir).map_err(broken)?;
    if let Some(file) = &args.optuna {
        let name = format!("{}-{}", record.producer.step, artifact.digest.short());
        let run = workspace.metadata.run(record.producer.run_id.as_str()).await?;
        write_optuna(file, &name, &found, &trials, run.started_at).await?;
        print(global, &json!({ "file": file, "study": name, "trials": trials.len() }), || {
            let trials = count(trials.len() as u64);
            let url = format!("sqlite:///{}", file.display());
            format!("wrote {trials} trials as the study `{name}`; look at them with `optuna-dashboard {url}`\n")
        })?;
        return Ok(0);
    }
    if args.pareto {
        let objectives: Vec<Trial> = trials.iter().map(with_latency).collect();
        let front = pareto_front(found.direction, &objectives);
        let numbers: Vec<u64> = front.into_iter().map(|at| trials[at].number).collect();
        trials.retain(|trial| numbers.contains(&trial.number));
    }
    trials.retain(|trial| is_wanted(trial, &found, args));
    let loss = |trial: &Trial| trial.result().map_or(f64::INFINITY, |value| found.direction.loss(value));
    trials.sort_by(|a, b| loss(a).total_cmp(&loss(b)).then(a.number.cmp(&b.number)));
    let matching = trials.len();
    trials.truncate(args.limit);
    let value = json!({ "search": artifact, "found": found, "matching": matching, "trials": trials });
    print(global, &value, || text(record, &found, &trials, matching))?;
    Ok(0)
}

/// A trial that is compared by its latency too, if the search had no other objectives.
fn with_latency(trial: &Trial) -> Trial {
    let latency = trial.facts.get("latency_p99_us").and_then(Value::as_f64).unwrap_or(f64::MAX);
    let also = if trial.also.is_empty() { vec![latency] } else { trial.also.clone() };
    Trial { also, ..trial.clone() }
}

fn is_wanted(trial: &Trial, found: &Hyperparameters, args: &TrialsArgs) -> bool {
    let state = match args.state {
        None => true,
        Some(StateName::Completed) => trial.state == TrialState::Completed,
        Some(StateName::Pruned) => trial.state == TrialState::Pruned,
        Some(StateName::Failed) => trial.state == TrialState::Failed,
    };
    let has = |(name, wanted): &(String, String)| {
        let own = trial
            .params
            .iter()
            .find(|(known, _)| *known == name || known.split_once('.').is_some_and(|(_, own)| own == name));
        own.is_some_and(|(_, value)| match (value.as_f64(), wanted.parse::<f64>()) {
            (Some(value), Ok(wanted)) => value == wanted,
            _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned) == *wanted,
        })
    };
    state && args.learner.as_ref().is_none_or(|wanted| learner(trial, found) == *wanted) && args.params.iter().all(has)
}

/// The learner of a trial; a search of one learner names it in its result.
fn learner(trial: &Trial, found: &Hyperparameters) -> String {
    let named = learner_of(&trial.params).keys().next().cloned();
    named.or_else(|| found.learner.keys().next().cloned()).unwrap_or_default()
}

fn text(record: &ArtifactRecord, found: &Hyperparameters, trials: &[Trial], matching: usize) -> String {
    let mut table = Table::new(&[
        ("trial", Align::Right),
        ("learner", Align::Left),
        (&found.metric, Align::Right),
        ("error", Align::Right),
        ("time", Align::Right),
        ("p99", Align::Right),
        ("parameters", Align::Left),
    ]);
    for trial in trials {
        let value = match trial.state {
            TrialState::Completed => trial.value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}")),
            TrialState::Pruned => "ended".to_owned(),
            TrialState::Failed => "failed".to_owned(),
            TrialState::Running => "running".to_owned(),
        };
        let what = trial.reason.clone().unwrap_or_else(|| params(trial, found));
        table.row([
            (trial.number + 1).to_string(),
            learner(trial, found),
            value,
            trial.noise.map_or_else(|| "–".to_owned(), |noise| format!("{noise:.4}")),
            seconds(trial.seconds),
            micros(trial.facts.get("latency_p99_us").and_then(Value::as_f64)),
            what,
        ]);
    }
    let head = format!(
        "{} {}",
        style(format!("{} trials", count(found.trials))).bold(),
        style(format!(
            "· {} · {} · judged on {}",
            record.producer.step,
            age(record.artifact.created_at),
            found.judged_on
        ))
        .dim()
    );
    let more = matching.saturating_sub(trials.len());
    let more = if more == 0 { String::new() } else { format!("and {} more: `-n {matching}`\n", count(more as u64)) };
    format!("{head}\n{table}{more}\n{}\n", found.ended)
}

/// The parameters that matter most, or else the first ones.
fn params(trial: &Trial, found: &Hyperparameters) -> String {
    let by_importance = found.importance.iter().filter_map(|(name, _)| trial.params.get_key_value(name));
    let mut shown: Vec<(&String, &Value)> = Vec::new();
    for (name, value) in by_importance.chain(&trial.params) {
        if *name != "learner" && !shown.iter().any(|(known, _)| *known == name) && shown.len() < PARAMS_SHOWN {
            shown.push((name, value));
        }
    }
    let of = |(name, value): (&String, &Value)| {
        let own = name.split_once('.').map_or(name.as_str(), |(_, own)| own);
        let short = value.as_f64().filter(|_| value.is_f64()).map(|number| format!("{number:.3}"));
        format!("{own} {}", short.unwrap_or_else(|| value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    };
    shown.into_iter().map(of).collect::<Vec<_>>().join(", ")
}
