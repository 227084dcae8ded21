//! Runs in SQLite.

use serde_json::Value;
use sqlx::{Sqlite, Transaction};

use super::SqliteStore;
use super::rows::{self, run_columns};
use crate::{ExecutionError, ExecutionState, NewRun, Run, RunFilter, RunId, RunState, StoreError, millis, rules};

impl SqliteStore {
    pub(super) async fn insert_run(&self, new: NewRun) -> Result<Run, StoreError> {
        let run = Run {
            id: RunId::generate(),
            lease: rules::lease_or(new.lease, &new.pipeline),
            pipeline: new.pipeline,
            state: RunState::Running,
            started_at: millis::now(),
            finished_at: None,
            params: new.params,
            plan: new.plan,
            summary: None,
            pid: std::process::id(),
            tick: new.tick,
            environment: new.environment,
        };
        let environment = run.environment.as_ref().map(|found| rows::json("run", found)).transpose()?;
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO runs (id, pipeline, state, started_at, params, plan, pid, lease, tick, environment) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(run.id.as_str())
        .bind(&run.pipeline)
        .bind(run.state.name())
        .bind(rows::time(run.started_at))
        .bind(rows::json("run", &run.params)?)
        .bind(rows::json("run", &run.plan)?)
        .bind(i64::from(run.pid))
        .bind(&run.lease)
        .bind(run.tick.map(|tick| tick.0))
        .bind(environment)
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        if let Some(tick) = run.tick {
            self.start_tick(&mut write.tx, tick, &run.id).await?;
        }
        self.commit(write).await?;
        Ok(run)
    }

    pub(super) async fn run_again(&self, id: &RunId, lease: &str) -> Result<Run, StoreError> {
        let mut write = self.write().await?;
        rules::check_resumption(&self.run_by_id(&mut write.tx, id).await?)?;
        sqlx::query(
            "UPDATE runs SET state = 'RUNNING', finished_at = NULL, summary = NULL, pid = ?, lease = ? WHERE id = ?",
        )
        .bind(i64::from(std::process::id()))
        .bind(lease)
        .bind(id.as_str())
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        let run = self.run_by_id(&mut write.tx, id).await?;
        self.commit(write).await?;
        Ok(run)
    }

    pub(super) async fn end_run(&self, id: &RunId, state: RunState, summary: Value) -> Result<Run, StoreError> {
        rules::check_run_end(state)?;
        let mut write = self.write().await?;
        self.running_run(&mut write.tx, id).await?;
        self.end_executions(&mut write.tx, id, ExecutionState::Canceled, &rules::canceled_at_run_end()).await?;
        sqlx::query("UPDATE runs SET state = ?, finished_at = ?, summary = ? WHERE id = ?")
            .bind(state.name())
            .bind(rows::time(millis::now()))
            .bind(rows::json("run", &summary)?)
            .bind(id.as_str())
            .execute(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        self.finish_tick(&mut write.tx, id).await?;
        let run = self.run_by_id(&mut write.tx, id).await?;
        self.commit(write).await?;
        Ok(run)
    }

    pub(super) async fn find_run(&self, spec: &str) -> Result<Run, StoreError> {
        if spec == "last" {
            let newest = self.list_runs(&RunFilter::default(), 1).await?.pop();
            return newest.ok_or_else(|| StoreError::not_found("run", spec, []));
        }
        let start = spec.to_lowercase();
        let found = sqlx::query(concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs WHERE ?1 <> '' AND id >= ?1 AND id < ?1 || '~' ORDER BY seq DESC LIMIT 6"
        ))
        .bind(start)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        let found = found.iter().map(rows::run).collect::<Result<Vec<_>, _>>()?;
        let mut others = Vec::new();
        if found.is_empty() {
            others = self.list_runs(&RunFilter::default(), 100).await?;
        }
        let others = others.into_iter().map(|run| run.id.to_string());
        rules::only("run", spec, found, |run| run.id.to_string(), others)
    }

    pub(super) async fn list_runs(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Run>, StoreError> {
        let found = sqlx::query(concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs WHERE (?1 IS NULL OR pipeline = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY seq DESC LIMIT ?3"
        ))
        .bind(filter.pipeline.as_deref())
        .bind(filter.state.map(RunState::name))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        found.iter().map(rows::run).collect()
    }

    pub(super) async fn fail_abandoned(&self, pipeline: &str, lease: &str) -> Result<Vec<RunId>, StoreError> {
        // Reading first avoids the write lock in the usual case, in which there is nothing to do.
        let found = sqlx::query(concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs WHERE pipeline = ? AND lease = ? AND state = 'RUNNING' ORDER BY seq"
        ))
        .bind(pipeline)
        .bind(lease)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        let abandoned = found.iter().map(rows::run).collect::<Result<Vec<_>, _>>()?;
        if abandoned.is_empty() {
            return Ok(Vec::new());
        }
        let mut write = self.write().await?;
        for run in &abandoned {
            self.end_executions(&mut write.tx, &run.id, ExecutionState::Failed, &rules::abandoned(run.pid)).await?;
            sqlx::query("UPDATE runs SET state = 'FAILED', finished_at = ? WHERE id = ? AND state = 'RUNNING'")
                .bind(rows::time(millis::now()))
                .bind(run.id.as_str())
                .execute(&mut *write.tx)
                .await
                .map_err(|error| self.failed(error))?;
        }
        self.commit(write).await?;
        Ok(abandoned.into_iter().map(|run| run.id).collect())
    }

    /// The run, or an error if it is not RUNNING.
    pub(super) async fn running_run(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        id: &RunId,
    ) -> Result<Run, StoreError> {
        let run = self.run_by_id(tx, id).await?;
        if run.state == RunState::Running {
            Ok(run)
        } else {
            Err(rules::not_running("run", id.as_str(), run.state.name()))
        }
    }

    /// An error if there is no such run.
    pub(super) async fn require_run(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        id: &RunId,
    ) -> Result<(), StoreError> {
        self.run_by_id(tx, id).await.map(|_| ())
    }

    pub(super) async fn run_by_id(&self, tx: &mut Transaction<'static, Sqlite>, id: &RunId) -> Result<Run, StoreError> {
        let found = sqlx::query(concat!("SELECT ", run_columns!(), " FROM runs WHERE id = ?"))
            .bind(id.as_str())
            .fetch_optional(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        found.as_ref().map(rows::run).transpose()?.ok_or_else(|| StoreError::not_found("run", id.as_str(), []))
    }

    /// Ends every execution of the run that is still RUNNING.
    async fn end_executions(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        run: &RunId,
        state: ExecutionState,
        error: &ExecutionError,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE executions SET state = ?, finished_at = ?, error = ? WHERE run_id = ? AND state = 'RUNNING'",
        )
        .bind(state.name())
        .bind(rows::time(millis::now()))
        .bind(rows::json("execution", error)?)
        .bind(run.as_str())
        .execute(&mut **tx)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(())
    }
}
