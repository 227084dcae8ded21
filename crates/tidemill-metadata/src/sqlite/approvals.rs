//! Approvals in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};

use super::SqliteStore;
use super::rows;
use crate::{
    Approval, ApprovalFilter, ApprovalId, ApprovalLog, ApprovalState, Decision, NewApproval, StoreError, millis, rules,
};

#[async_trait]
impl ApprovalLog for SqliteStore {
    async fn request_approval(&self, new: NewApproval) -> Result<Approval, StoreError> {
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO approvals (id, pipeline, step, subject, run_id, state, requested_at, expires_at, on_timeout, \
             author, approvers, not_author, context) VALUES (?, ?, ?, ?, ?, 'WAITING', ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (pipeline, step, subject) DO NOTHING",
        )
        .bind(ApprovalId::generate().as_str())
        .bind(&new.pipeline)
        .bind(&new.step)
        .bind(&new.subject)
        .bind(new.run_id.as_ref().map(AsRef::<str>::as_ref))
        .bind(rows::time(millis::now()))
        .bind(new.expires_at.map(rows::time))
        .bind(new.on_timeout.name())
        .bind(&new.author)
        .bind(rows::json("approval", &new.approvers)?)
        .bind(i64::from(new.not_author))
        .bind(rows::json("approval", &new.context)?)
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        let row = sqlx::query("SELECT * FROM approvals WHERE pipeline = ? AND step = ? AND subject = ?")
            .bind(&new.pipeline)
            .bind(&new.step)
            .bind(&new.subject)
            .fetch_one(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        self.commit(write).await?;
        rows::approval(&row)
    }

    async fn approval(&self, spec: &str) -> Result<Approval, StoreError> {
        let found = sqlx::query(
            "SELECT * FROM approvals WHERE ?1 <> '' AND id >= ?1 AND id < ?1 || '~' ORDER BY seq DESC LIMIT 6",
        )
        .bind(spec.to_lowercase())
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        let found = found.iter().map(rows::approval).collect::<Result<Vec<_>, _>>()?;
        let others = if found.is_empty() { self.approvals(&ApprovalFilter::default(), 100).await? } else { Vec::new() };
        let others = others.into_iter().map(|approval| approval.id.to_string());
        rules::only("approval", spec, found, |approval| approval.id.to_string(), others)
    }

    async fn approvals(&self, filter: &ApprovalFilter, limit: usize) -> Result<Vec<Approval>, StoreError> {
        let found = sqlx::query(
            "SELECT * FROM approvals WHERE (?1 IS NULL OR pipeline = ?1) AND (?2 IS NULL OR state = ?2) \
             ORDER BY seq DESC LIMIT ?3",
        )
        .bind(filter.pipeline.as_deref())
        .bind(filter.state.map(ApprovalState::name))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        found.iter().map(rows::approval).collect()
    }

    async fn decide(&self, id: &ApprovalId, decision: Decision) -> Result<Approval, StoreError> {
        let mut write = self.write().await?;
        let found = sqlx::query("SELECT * FROM approvals WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        let approval = found.as_ref().map(rows::approval).transpose()?;
        let approval = approval.ok_or_else(|| StoreError::not_found("approval", id.as_str(), []))?;
        rules::check_decision(&approval, &decision)?;
        let decided = self.write_decision(&mut write.tx, id, &decision).await?;
        self.commit(write).await?;
        Ok(decided)
    }

    async fn expire_approvals(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        let due = "SELECT * FROM approvals WHERE state = 'WAITING' AND expires_at <= ? ORDER BY seq";
        // Reading first avoids the write lock in the usual case, in which there is nothing to do.
        let found = sqlx::query(due).bind(rows::time(now)).fetch_all(&self.pool).await;
        if found.map_err(|error| self.failed(error))?.is_empty() {
            return Ok(Vec::new());
        }
        let mut write = self.write().await?;
        let found = sqlx::query(due).bind(rows::time(now)).fetch_all(&mut *write.tx).await;
        let mut expired = Vec::new();
        for row in found.map_err(|error| self.failed(error))? {
            let approval = rows::approval(&row)?;
            let decision = rules::decision_by_time_out(&approval);
            expired.push(self.write_decision(&mut write.tx, &approval.id, &decision).await?);
        }
        self.commit(write).await?;
        Ok(expired)
    }
}

impl SqliteStore {
    async fn write_decision(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        id: &ApprovalId,
        decision: &Decision,
    ) -> Result<Approval, StoreError> {
        let row = sqlx::query(
            "UPDATE approvals SET state = ?, decided_at = ?, decided_by = ?, reason = ? WHERE id = ? RETURNING *",
        )
        .bind(decision.state.name())
        .bind(rows::time(millis::now()))
        .bind(&decision.by)
        .bind(&decision.reason)
        .bind(id.as_str())
        .fetch_one(&mut **tx)
        .await
        .map_err(|error| self.failed(error))?;
        rows::approval(&row)
    }
}
