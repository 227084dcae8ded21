//! A search as a study of Optuna, for its dashboard and for Python.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tidemill_core::{Code, Failure};
use tidemill_train::{Hyperparameters, search_space};
use tidemill_tune::{Direction, Domain, Trial, TrialState};

/// The tables of Optuna's `RDBStorage`: schema 12, revision v3.2.0.a, which Optuna 3.2 to 5 write and read.
const SCHEMA: &str = include_str!("optuna.sql");
/// The version that the file says it was written by.
const LIBRARY: &str = "5.0.0";

/// Writes a search as a study `name` of Optuna into a new SQLite file. `began`: when the search began; trials follow each other from
/// there.
pub async fn write_optuna(
    file: &Path,
    name: &str,
    found: &Hyperparameters,
    trials: &[Trial],
    began: Timestamp,
) -> Result<(), Failure> {
    if file.exists() {
        return Err(Failure::new(Code::CommandLine, format!("`{}` is there already", file.display()))
            .with_hint("name a new file"));
    }
    // A file that was not written to its end is never seen under its name.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = tempfile::Builder::new()
        .prefix(".tidemill-optuna-")
        .tempdir_in(folder)
        .map_err(|error| Failure::io(folder, &error))?;
    let path = draft.path().join("study.db");
    let broken = |error: sqlx::Error| Failure::new(Code::Io, format!("cannot write `{}`: {error}", file.display()));
    let options =
        SqliteConnectOptions::new().filename(&path).create_if_missing(true).journal_mode(SqliteJournalMode::Delete);
    let mut connection = options.connect().await.map_err(broken)?;
    write(&mut connection, name, found, trials, began).await.map_err(broken)?;
    connection.close().await.map_err(broken)?;
    std::fs::rename(&path, file).map_err(|error| Failure::io(file, &error))
}

async fn write(
    connection: &mut SqliteConnection,
    name: &str,
    found: &Hyperparameters,
    trials: &[Trial],
    began: Timestamp,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO version_info VALUES (1, 12, ?)").bind(LIBRARY).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO studies VALUES (1, ?)").bind(name).execute(&mut *transaction).await?;
    let direction = if found.direction == Direction::Minimize { "MINIMIZE" } else { "MAXIMIZE" };
    sqlx::query("INSERT INTO study_directions VALUES (1, ?, 1, 0)").bind(direction).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO study_system_attributes VALUES (1, 1, 'study:metric_names', ?)")
        .bind(json!([found.metric]).to_string())
        .execute(&mut *transaction)
        .await?;
    let space = search_space(found);
    let mut start = began;
    for trial in trials {
        let id = trial.number as i64 + 1;
        let end = SignedDuration::try_from_secs_f64(trial.seconds).ok().and_then(|took| start.checked_add(took).ok());
        let end = end.unwrap_or(start);
        sqlx::query("INSERT INTO trials VALUES (?, ?, 1, ?, ?, ?)")
            .bind(id)
            .bind(trial.number as i64)
            .bind(state(trial))
            .bind(time(start))
            .bind(time(end))
            .execute(&mut *transaction)
            .await?;
        start = end;
        for dimension in space.iter().flat_map(tidemill_tune::Space::dimensions) {
            let Some(number) = trial.params.get(&dimension.name).and_then(|value| dimension.domain.number(value))
            else {
                continue;
            };
            sqlx::query(
                "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)",
            )
            .bind(id)
            .bind(&dimension.name)
            .bind(number)
            .bind(distribution(&dimension.domain).to_string())
            .execute(&mut *transaction)
            .await?;
        }
        if let Some(value) = trial.value.filter(|_| trial.state != TrialState::Failed) {
            sqlx::query("INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, 0, ?, 'FINITE')")
                .bind(id)
                .bind(value)
                .execute(&mut *transaction)
                .await?;
        }
        for (step, value) in trial.steps.iter().filter(|(_, value)| value.is_finite()) {
            sqlx::query(
                "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) \
                 VALUES (?, ?, ?, 'FINITE')",
            )
            .bind(id)
            .bind(*step as i64)
            .bind(value)
            .execute(&mut *transaction)
            .await?;
        }
        let mut attributes = trial.facts.clone();
        attributes.extend(trial.noise.map(|noise| ("standard_error".to_owned(), json!(noise))));
        attributes.extend(trial.reason.as_ref().map(|reason| ("reason".to_owned(), json!(reason))));
        attributes.insert("seconds".to_owned(), json!(trial.seconds));
        for (key, value) in &attributes {
            sqlx::query("INSERT INTO trial_user_attributes (trial_id, \"key\", value_json) VALUES (?, ?, ?)")
                .bind(id)
                .bind(key)
                .bind(value.to_string())
                .execute(&mut *transaction)
                .await?;
        }
    }
    transaction.commit().await
}

fn state(trial: &Trial) -> &'static str {
    match trial.state {
        TrialState::Completed => "COMPLETE",
        TrialState::Pruned => "PRUNED",
        TrialState::Running => "RUNNING",
        TrialState::Failed => "FAIL",
    }
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// The values that a parameter may take, as Optuna writes them. Choices that it does not have are texts.
fn distribution(domain: &Domain) -> Value {
    let (name, attributes) = match domain {
        Domain::Float { low, high, step, log } => {
            ("FloatDistribution", json!({ "step": step, "low": low, "high": high, "log": log }))
        }
        Domain::Int { low, high, step, log } => {
            ("IntDistribution", json!({ "log": log, "step": step, "low": low, "high": high }))
        }
        Domain::Choice(values) => {
            let plain = |value: &Value| {
                if value.is_array() || value.is_object() { Value::String(value.to_string()) } else { value.clone() }
            };
            ("CategoricalDistribution", json!({ "choices": values.iter().map(plain).collect::<Vec<_>>() }))
        }
    };
    json!({ "name": name, "attributes": attributes })
}
