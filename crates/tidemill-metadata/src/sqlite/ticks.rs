//! Schedules and their ticks in SQLite.

use async_trait::async_trait;
use sqlx::{Sqlite, Transaction};

use super::SqliteStore;
use super::rows;
use crate::{
    NewTick, RunId, ScheduleLog, ScheduleProgress, ScheduleState, StoreError, Tick, TickFilter, TickId, TickState,
    millis, rules,
};

type Tx = Transaction<'static, Sqlite>;

#[async_trait]
impl ScheduleLog for SqliteStore {
    async fn schedules(&self, pipeline: &str) -> Result<Vec<ScheduleState>, StoreError> {
        let found = sqlx::query("SELECT * FROM schedules WHERE pipeline = ? ORDER BY schedule")
            .bind(pipeline)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        found.iter().map(rows::schedule).collect()
    }

    async fn record_ticks(&self, progress: ScheduleProgress, ticks: Vec<NewTick>) -> Result<Vec<Tick>, StoreError> {
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO schedules (pipeline, schedule, definition, last, cursor) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (pipeline, schedule) DO UPDATE \
             SET definition = excluded.definition, last = excluded.last, cursor = excluded.cursor",
        )
        .bind(&progress.pipeline)
        .bind(&progress.schedule)
        .bind(&progress.definition)
        .bind(rows::time(progress.last))
        .bind(&progress.cursor)
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        let mut recorded = Vec::new();
        for tick in ticks {
            let now = millis::now();
            let inserted = sqlx::query(
                "INSERT INTO ticks (pipeline, schedule, key, at, \"from\", params, in_turn, state, reason, recorded_at, ended_at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (pipeline, schedule, key) DO NOTHING RETURNING *",
            )
            .bind(&progress.pipeline)
            .bind(&progress.schedule)
            .bind(&tick.key)
            .bind(rows::time(tick.at))
            .bind(rows::time(tick.from))
            .bind(rows::json("tick", &tick.params)?)
            .bind(i64::from(tick.in_turn))
            .bind(tick.state.name())
            .bind(&tick.reason)
            .bind(rows::time(now))
            .bind((!tick.state.is_open()).then(|| rows::time(now)))
            .fetch_optional(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
            if let Some(row) = inserted {
                recorded.push(rows::tick(&row)?);
            }
        }
        self.commit(write).await?;
        Ok(recorded)
    }

    async fn pause_schedule(&self, pipeline: &str, schedule: &str, by: Option<&str>) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = rows::time(millis::now());
        // A schedule that never had a tick is recorded without a definition, which the first look replaces.
        sqlx::query(
            "INSERT INTO schedules (pipeline, schedule, definition, last, paused_by, paused_at) VALUES (?, ?, '', ?, ?, ?) \
             ON CONFLICT (pipeline, schedule) DO UPDATE SET paused_by = excluded.paused_by, paused_at = excluded.paused_at",
        )
        .bind(pipeline)
        .bind(schedule)
        .bind(&now)
        .bind(by)
        .bind(by.map(|_| &now))
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        self.commit(write).await
    }

    async fn ticks(&self, filter: &TickFilter, limit: usize) -> Result<Vec<Tick>, StoreError> {
        let sql = if filter.open {
            "SELECT * FROM ticks WHERE state IN ('PENDING', 'STARTED') AND (?1 IS NULL OR pipeline = ?1) \
             AND (?2 IS NULL OR schedule = ?2) ORDER BY seq LIMIT ?3"
        } else {
            "SELECT * FROM ticks WHERE (?1 IS NULL OR pipeline = ?1) AND (?2 IS NULL OR schedule = ?2) \
             ORDER BY seq DESC LIMIT ?3"
        };
        let found = sqlx::query(sql)
            .bind(filter.pipeline.as_deref())
            .bind(filter.schedule.as_deref())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        found.iter().map(rows::tick).collect()
    }

    async fn end_tick(&self, id: TickId, state: TickState, reason: Option<String>) -> Result<Tick, StoreError> {
        let mut write = self.write().await?;
        let tick = self.tick(&mut write.tx, id).await?;
        rules::check_tick_end(&tick, state)?;
        let row = sqlx::query("UPDATE ticks SET state = ?, reason = ?, ended_at = ? WHERE seq = ? RETURNING *")
            .bind(state.name())
            .bind(reason)
            .bind(rows::time(millis::now()))
            .bind(id.0)
            .fetch_one(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        self.commit(write).await?;
        rows::tick(&row)
    }

    async fn reopen_tick(&self, id: TickId, reason: &str) -> Result<Tick, StoreError> {
        let mut write = self.write().await?;
        let tick = self.tick(&mut write.tx, id).await?;
        rules::check_reopening(&tick)?;
        let row =
            sqlx::query("UPDATE ticks SET state = 'PENDING', reason = ?, ended_at = NULL WHERE seq = ? RETURNING *")
                .bind(reason)
                .bind(id.0)
                .fetch_one(&mut *write.tx)
                .await
                .map_err(|error| self.failed(error))?;
        self.commit(write).await?;
        rows::tick(&row)
    }
}

impl SqliteStore {
    async fn tick(&self, tx: &mut Tx, id: TickId) -> Result<Tick, StoreError> {
        let found = sqlx::query("SELECT * FROM ticks WHERE seq = ?")
            .bind(id.0)
            .fetch_optional(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        found.as_ref().map(rows::tick).transpose()?.ok_or_else(|| StoreError::not_found("tick", &id.to_string(), []))
    }

    /// Makes a tick STARTED by a run that is being created.
    pub(super) async fn start_tick(&self, tx: &mut Tx, id: TickId, run: &RunId) -> Result<(), StoreError> {
        let tick = self.tick(tx, id).await?;
        let earlier = match &tick.run_id {
            Some(earlier) => Some(self.run_by_id(tx, earlier).await?),
            None => None,
        };
        rules::check_tick_start(&tick, earlier.as_ref())?;
        sqlx::query("UPDATE ticks SET state = 'STARTED', run_id = ? WHERE seq = ?")
            .bind(run.as_str())
            .bind(id.0)
            .execute(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Makes the tick of a run that has ended DONE.
    pub(super) async fn finish_tick(&self, tx: &mut Tx, run: &RunId) -> Result<(), StoreError> {
        sqlx::query("UPDATE ticks SET state = 'DONE', ended_at = ? WHERE run_id = ? AND state = 'STARTED'")
            .bind(rows::time(millis::now()))
            .bind(run.as_str())
            .execute(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(())
    }
}
