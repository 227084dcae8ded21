//! Executions and their events in SQLite.

use std::collections::HashMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};
use tidemill_core::{Digest, Outcome};

use super::SqliteStore;
use super::rows::{self, artifact_columns, execution_columns};
use crate::{
    Artifact, ArtifactId, Completed, Direction, Event, Execution, ExecutionError, ExecutionId, ExecutionRecord,
    ExecutionState, NewExecution, RunId, StoreError, millis, rules,
};

type Tx = Transaction<'static, Sqlite>;

impl SqliteStore {
    pub(super) async fn insert_running(&self, new: NewExecution) -> Result<ExecutionId, StoreError> {
        self.insert_execution(new, None).await
    }

    pub(super) async fn insert_cached(&self, new: NewExecution, from: &ExecutionId) -> Result<ExecutionId, StoreError> {
        self.insert_execution(new, Some(from)).await
    }

    async fn insert_execution(
        &self,
        new: NewExecution,
        cached_from: Option<&ExecutionId>,
    ) -> Result<ExecutionId, StoreError> {
        rules::check_keys(new.inputs.iter().map(|(key, _)| key.as_str()))?;
        let id = ExecutionId::generate();
        let now = rows::time(millis::now());
        let mut write = self.write().await?;
        self.running_run(&mut write.tx, &new.run_id).await?;
        let mut outcome = None;
        if let Some(from) = cached_from {
            let source = self.execution_by_id(&mut write.tx, from).await?;
            if source.state != ExecutionState::Complete {
                return Err(rules::not_complete(from.as_str(), source.state));
            }
            outcome = source.outcome;
        }
        let state = if cached_from.is_some() { ExecutionState::Cached } else { ExecutionState::Running };
        sqlx::query(
            "INSERT INTO executions (id, run_id, step, component, component_version, state, fingerprint, \
             fingerprint_parts, params, started_at, finished_at, outcome, verdict, cached_from) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id.as_str())
        .bind(new.run_id.as_str())
        .bind(&new.step)
        .bind(&new.component)
        .bind(i64::from(new.component_version))
        .bind(state.name())
        .bind(new.fingerprint.as_str())
        .bind(rows::json("execution", &new.fingerprint_parts)?)
        .bind(rows::json("execution", &new.params)?)
        .bind(&now)
        .bind(cached_from.map(|_| &now))
        .bind(outcome.as_ref().map(|outcome| rows::json("execution", outcome)).transpose()?)
        .bind(outcome.as_ref().map(verdict))
        .bind(cached_from.map(ExecutionId::as_str))
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        for (key, artifact) in &new.inputs {
            self.artifact_by_id(&mut write.tx, artifact).await?;
            self.insert_event(&mut write.tx, &id, artifact, Direction::Input, key).await?;
        }
        if let Some(from) = cached_from {
            sqlx::query(
                "INSERT INTO events (execution_id, artifact_id, direction, key) \
                 SELECT ?, artifact_id, direction, key FROM events \
                 WHERE execution_id = ? AND direction = 'OUTPUT' ORDER BY seq",
            )
            .bind(id.as_str())
            .bind(from.as_str())
            .execute(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        }
        self.commit(write).await?;
        Ok(id)
    }

    pub(super) async fn complete(&self, id: &ExecutionId, done: Completed) -> Result<Vec<Artifact>, StoreError> {
        rules::check_keys(done.outputs.iter().map(|(key, _)| key.as_str()))?;
        let mut write = self.write().await?;
        self.running_execution(&mut write.tx, id).await?;
        sqlx::query(
            "UPDATE executions SET state = 'COMPLETE', fingerprint = ?, fingerprint_parts = ?, finished_at = ?, \
             outcome = ?, verdict = ? WHERE id = ?",
        )
        .bind(done.fingerprint.as_str())
        .bind(rows::json("execution", &done.fingerprint_parts)?)
        .bind(rows::time(millis::now()))
        .bind(rows::json("execution", &done.outcome)?)
        .bind(verdict(&done.outcome))
        .bind(id.as_str())
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        let mut artifacts = Vec::with_capacity(done.outputs.len());
        for (key, output) in done.outputs {
            let artifact = self.insert_artifact(&mut write.tx, output).await?;
            self.insert_event(&mut write.tx, id, &artifact.id, Direction::Output, &key).await?;
            artifacts.push(artifact);
        }
        self.commit(write).await?;
        Ok(artifacts)
    }

    pub(super) async fn fail(
        &self,
        id: &ExecutionId,
        state: ExecutionState,
        error: &ExecutionError,
    ) -> Result<(), StoreError> {
        rules::check_failure(state)?;
        let mut write = self.write().await?;
        self.running_execution(&mut write.tx, id).await?;
        sqlx::query("UPDATE executions SET state = ?, finished_at = ?, error = ? WHERE id = ?")
            .bind(state.name())
            .bind(rows::time(millis::now()))
            .bind(rows::json("execution", error)?)
            .bind(id.as_str())
            .execute(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        self.commit(write).await
    }

    pub(super) async fn newest_complete(&self, fingerprint: &Digest) -> Result<Option<ExecutionRecord>, StoreError> {
        let mut tx = self.read().await?;
        let found = sqlx::query(concat!(
            "SELECT ",
            execution_columns!(),
            " FROM executions x WHERE x.fingerprint = ? AND x.state = 'COMPLETE' ORDER BY x.seq DESC LIMIT 1"
        ))
        .bind(fingerprint.as_str())
        .fetch_optional(&mut *tx)
        .await
        .map_err(|error| self.failed(error))?;
        self.record(&mut tx, found).await
    }

    pub(super) async fn newest_of_step(
        &self,
        pipeline: &str,
        step: &str,
    ) -> Result<Option<ExecutionRecord>, StoreError> {
        let mut tx = self.read().await?;
        // `CROSS JOIN` keeps SQLite from starting at the runs: going back through the step's executions, the
        // first or second one is nearly always it.
        let found = sqlx::query(concat!(
            "SELECT ",
            execution_columns!(),
            " FROM executions x CROSS JOIN runs r ON r.id = x.run_id \
             WHERE x.step = ? AND x.state IN ('COMPLETE', 'CACHED') AND r.pipeline = ? ORDER BY x.seq DESC LIMIT 1"
        ))
        .bind(step)
        .bind(pipeline)
        .fetch_optional(&mut *tx)
        .await
        .map_err(|error| self.failed(error))?;
        self.record(&mut tx, found).await
    }

    async fn record(&self, tx: &mut Tx, row: Option<SqliteRow>) -> Result<Option<ExecutionRecord>, StoreError> {
        let Some(row) = row else { return Ok(None) };
        let mut record = ExecutionRecord { execution: rows::execution(&row)?, inputs: Vec::new(), outputs: Vec::new() };
        let events = sqlx::query(concat!(
            "SELECT e.direction, e.key, ",
            artifact_columns!(),
            " FROM events e JOIN artifacts a ON a.id = e.artifact_id WHERE e.execution_id = ? ORDER BY e.seq"
        ))
        .bind(record.execution.id.as_str())
        .fetch_all(&mut **tx)
        .await
        .map_err(|error| self.failed(error))?;
        for event in &events {
            self.attach(&mut record, event)?;
        }
        Ok(Some(record))
    }

    pub(super) async fn executions_of_run(&self, run: &RunId) -> Result<Vec<ExecutionRecord>, StoreError> {
        let mut tx = self.read().await?;
        let found = sqlx::query(concat!(
            "SELECT ",
            execution_columns!(),
            " FROM executions x WHERE x.run_id = ? ORDER BY x.seq"
        ))
        .bind(run.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(|error| self.failed(error))?;
        let mut records = found
            .iter()
            .map(|row| {
                Ok(ExecutionRecord { execution: rows::execution(row)?, inputs: Vec::new(), outputs: Vec::new() })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let places: HashMap<String, usize> =
            records.iter().enumerate().map(|(place, record)| (record.execution.id.to_string(), place)).collect();
        let events = sqlx::query(concat!(
            "SELECT e.execution_id, e.direction, e.key, ",
            artifact_columns!(),
            " FROM executions x JOIN events e ON e.execution_id = x.id JOIN artifacts a ON a.id = e.artifact_id \
             WHERE x.run_id = ? ORDER BY e.seq"
        ))
        .bind(run.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(|error| self.failed(error))?;
        for event in &events {
            let id: &str = event.try_get("execution_id").map_err(|error| self.failed(error))?;
            if let Some(place) = places.get(id) {
                self.attach(&mut records[*place], event)?;
            }
        }
        Ok(records)
    }

    fn attach(&self, record: &mut ExecutionRecord, event: &SqliteRow) -> Result<(), StoreError> {
        let direction: &str = event.try_get("direction").map_err(|error| self.failed(error))?;
        let key: String = event.try_get("key").map_err(|error| self.failed(error))?;
        let side = match Direction::from_name(direction)? {
            Direction::Input => &mut record.inputs,
            Direction::Output => &mut record.outputs,
        };
        side.push((key, rows::artifact(event)?));
        Ok(())
    }

    pub(super) async fn events_of(&self, id: &ExecutionId) -> Result<Vec<Event>, StoreError> {
        let mut tx = self.read().await?;
        self.execution_by_id(&mut tx, id).await?;
        let found = sqlx::query(
            "SELECT execution_id, artifact_id, direction, key FROM events WHERE execution_id = ? \
             ORDER BY direction, seq",
        )
        .bind(id.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(|error| self.failed(error))?;
        found.iter().map(rows::event).collect()
    }

    async fn running_execution(&self, tx: &mut Tx, id: &ExecutionId) -> Result<(), StoreError> {
        match self.execution_by_id(tx, id).await?.state {
            ExecutionState::Running => Ok(()),
            state => Err(rules::not_running("execution", id.as_str(), state.name())),
        }
    }

    async fn execution_by_id(&self, tx: &mut Tx, id: &ExecutionId) -> Result<Execution, StoreError> {
        let found = sqlx::query(concat!("SELECT ", execution_columns!(), " FROM executions x WHERE x.id = ?"))
            .bind(id.as_str())
            .fetch_optional(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        found
            .as_ref()
            .map(rows::execution)
            .transpose()?
            .ok_or_else(|| StoreError::not_found("execution", id.as_str(), []))
    }

    async fn insert_event(
        &self,
        tx: &mut Tx,
        execution: &ExecutionId,
        artifact: &ArtifactId,
        direction: Direction,
        key: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO events (execution_id, artifact_id, direction, key) VALUES (?, ?, ?, ?)")
            .bind(execution.as_str())
            .bind(artifact.as_str())
            .bind(direction.name())
            .bind(key)
            .execute(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(())
    }
}

fn verdict(outcome: &Outcome) -> &'static str {
    if outcome.verdict.passed() { "pass" } else { "fail" }
}
