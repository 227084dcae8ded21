//! Records of artifacts in SQLite.

use sqlx::{Row as _, Sqlite, Transaction};
use tidemill_core::{ArtifactType, Digest};

use super::SqliteStore;
use super::rows::{self, artifact_columns};
use crate::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactRecord, ArtifactState, NewArtifact, Producer, RunId, StoreError,
    millis, rules,
};

type Tx = Transaction<'static, Sqlite>;

impl SqliteStore {
    /// Records the artifact, or returns its existing record.
    pub(super) async fn insert_artifact(&self, tx: &mut Tx, new: NewArtifact) -> Result<Artifact, StoreError> {
        sqlx::query(
            "INSERT INTO artifacts (id, artifact_type, digest, bytes, files, properties, state, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest, artifact_type) DO UPDATE SET state = excluded.state",
        )
        .bind(ArtifactId::generate().as_str())
        .bind(new.artifact_type.name())
        .bind(new.digest.as_str())
        .bind(new.bytes as i64)
        .bind(new.files as i64)
        .bind(rows::json("artifact", &new.properties)?)
        .bind(ArtifactState::Live.name())
        .bind(rows::time(millis::now()))
        .execute(&mut **tx)
        .await
        .map_err(|error| self.failed(error))?;
        let found = sqlx::query(concat!(
            "SELECT ",
            artifact_columns!(),
            " FROM artifacts a WHERE a.digest = ? AND a.artifact_type = ?"
        ))
        .bind(new.digest.as_str())
        .bind(new.artifact_type.name())
        .fetch_one(&mut **tx)
        .await
        .map_err(|error| self.failed(error))?;
        rows::artifact(&found)
    }

    pub(super) async fn mark_deleted(&self, ids: &[ArtifactId]) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        for id in ids {
            let artifact = self.artifact_by_id(&mut write.tx, id).await?;
            let alias: Option<String> = sqlx::query_scalar(
                "SELECT l.model || '@' || l.alias FROM aliases l JOIN model_versions v \
                 ON v.model = l.model AND v.version = l.version WHERE v.artifact_id = ? LIMIT 1",
            )
            .bind(id.as_str())
            .fetch_optional(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
            rules::check_deletion(&artifact, alias.as_deref())?;
            sqlx::query("UPDATE artifacts SET state = 'DELETED' WHERE id = ?")
                .bind(id.as_str())
                .execute(&mut *write.tx)
                .await
                .map_err(|error| self.failed(error))?;
        }
        self.commit(write).await
    }

    pub(super) async fn artifact_by_id(&self, tx: &mut Tx, id: &ArtifactId) -> Result<Artifact, StoreError> {
        let found = sqlx::query(concat!("SELECT ", artifact_columns!(), " FROM artifacts a WHERE a.id = ?"))
            .bind(id.as_str())
            .fetch_optional(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        found
            .as_ref()
            .map(rows::artifact)
            .transpose()?
            .ok_or_else(|| StoreError::not_found("artifact", id.as_str(), []))
    }

    pub(super) async fn find_artifact(&self, spec: &str) -> Result<Artifact, StoreError> {
        let (artifact_type, start) = rules::artifact_spec(spec);
        let found = sqlx::query(concat!(
            "SELECT ",
            artifact_columns!(),
            " FROM artifacts a WHERE (?2 IS NULL OR a.artifact_type = ?2) \
             AND (a.id = ?1 OR (?1 <> '' AND a.digest >= ?1 AND a.digest < ?1 || '~')) ORDER BY a.seq DESC LIMIT 6"
        ))
        .bind(start)
        .bind(artifact_type.map(ArtifactType::name))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        let found = found.iter().map(rows::artifact).collect::<Result<Vec<_>, _>>()?;
        rules::only("artifact", spec, found, rules::artifact_name, [])
    }

    pub(super) async fn list_artifacts(
        &self,
        filter: &ArtifactFilter,
        limit: usize,
    ) -> Result<Vec<ArtifactRecord>, StoreError> {
        let found = sqlx::query(concat!(
            "SELECT ",
            artifact_columns!(),
            ", e.execution_id, x.run_id, r.pipeline, x.step, e.key FROM artifacts a \
             JOIN events e ON e.seq = (\
                 SELECT MAX(e2.seq) FROM events e2 JOIN executions x2 ON x2.id = e2.execution_id \
                 JOIN runs r2 ON r2.id = x2.run_id WHERE e2.artifact_id = a.id AND e2.direction = 'OUTPUT' \
                 AND (?2 IS NULL OR r2.pipeline = ?2) AND (?3 IS NULL OR x2.run_id = ?3)) \
             JOIN executions x ON x.id = e.execution_id JOIN runs r ON r.id = x.run_id \
             WHERE (?1 IS NULL OR a.artifact_type = ?1) ORDER BY a.seq DESC LIMIT ?4"
        ))
        .bind(filter.artifact_type.map(ArtifactType::name))
        .bind(filter.pipeline.as_deref())
        .bind(filter.run_id.as_ref().map(RunId::as_str))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        found
            .iter()
            .map(|row| {
                let text = |column: &str| row.try_get::<String, _>(column).map_err(|error| self.failed(error));
                let producer = Producer {
                    execution_id: text("execution_id")?.into(),
                    run_id: text("run_id")?.into(),
                    pipeline: text("pipeline")?,
                    step: text("step")?,
                    key: text("key")?,
                };
                Ok(ArtifactRecord { artifact: rows::artifact(row)?, producer })
            })
            .collect()
    }

    pub(super) async fn newest_blessed(
        &self,
        pipeline: &str,
        excluding: &[Digest],
    ) -> Result<Option<Artifact>, StoreError> {
        let found = sqlx::query(concat!(
            "SELECT ",
            artifact_columns!(),
            " FROM executions x JOIN runs r ON r.id = x.run_id \
             JOIN events i ON i.execution_id = x.id AND i.direction = 'INPUT' AND i.key = 'model' \
             JOIN artifacts a ON a.id = i.artifact_id AND a.artifact_type = 'Model' \
             WHERE r.pipeline = ?1 AND x.verdict = 'pass' AND x.state IN ('COMPLETE', 'CACHED') \
             AND a.digest NOT IN (SELECT value FROM json_each(?2)) \
             AND EXISTS (SELECT 1 FROM events o JOIN artifacts b ON b.id = o.artifact_id \
                 WHERE o.execution_id = x.id AND o.direction = 'OUTPUT' AND b.artifact_type = 'Blessing') \
             AND NOT EXISTS (SELECT 1 FROM events n JOIN executions y ON y.id = n.execution_id \
                 WHERE n.artifact_id = a.id AND n.direction = 'INPUT' AND n.key = 'model' \
                 AND y.run_id = x.run_id AND (y.verdict = 'fail' OR y.state = 'FAILED')) \
             ORDER BY x.seq DESC LIMIT 1"
        ))
        .bind(pipeline)
        .bind(rows::json("digests", &excluding)?)
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        found.as_ref().map(rows::artifact).transpose()
    }

    pub(super) async fn newest_accepted(
        &self,
        pipeline: &str,
        step: &str,
        key: &str,
        excluding: &[Digest],
    ) -> Result<Option<Artifact>, StoreError> {
        let found = sqlx::query(concat!(
            "SELECT ",
            artifact_columns!(),
            " FROM executions x JOIN runs r ON r.id = x.run_id \
             JOIN events i ON i.execution_id = x.id AND i.direction = 'INPUT' AND i.key = ?3 \
             JOIN artifacts a ON a.id = i.artifact_id \
             WHERE r.pipeline = ?1 AND x.step = ?2 AND x.verdict = 'pass' AND x.state IN ('COMPLETE', 'CACHED') \
             AND a.digest NOT IN (SELECT value FROM json_each(?4)) ORDER BY x.seq DESC LIMIT 1"
        ))
        .bind(pipeline)
        .bind(step)
        .bind(key)
        .bind(rows::json("digests", &excluding)?)
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        found.as_ref().map(rows::artifact).transpose()
    }
}
