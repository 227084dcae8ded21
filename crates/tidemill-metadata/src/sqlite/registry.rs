//! The model registry in SQLite.

use std::collections::BTreeMap;

use sqlx::{Sqlite, Transaction};
use tidemill_core::ArtifactType;

use super::SqliteStore;
use super::rows;
use crate::registry::{check_name, no_version};
use crate::{
    Actor, Alias, AliasMove, ModelRecord, ModelVersion, NewVersion, RegisteredVersion, StoreError, VersionSpec, millis,
    rules,
};

type Tx = Transaction<'static, Sqlite>;

impl SqliteStore {
    pub(super) async fn insert_version(&self, model: &str, new: NewVersion) -> Result<RegisteredVersion, StoreError> {
        check_name("model", model)?;
        let mut write = self.write().await?;
        let artifact = self.artifact_by_id(&mut write.tx, &new.artifact_id).await?;
        if artifact.artifact_type != ArtifactType::Model {
            return Err(rules::not_a_model(artifact.id.as_str(), artifact.artifact_type));
        }
        let known = sqlx::query("SELECT * FROM model_versions WHERE model = ? AND artifact_id = ?")
            .bind(model)
            .bind(new.artifact_id.as_str())
            .fetch_optional(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        if let Some(row) = known {
            return Ok(RegisteredVersion { version: rows::model_version(&row)?, created: false });
        }
        self.require_run(&mut write.tx, &new.run_id).await?;
        let now = millis::now();
        sqlx::query(
            "INSERT INTO models (name, description, created_at, tags) VALUES (?, ?, ?, '{}') ON CONFLICT DO NOTHING",
        )
        .bind(model)
        .bind(&new.description)
        .bind(rows::time(now))
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM model_versions WHERE model = ?")
            .bind(model)
            .fetch_one(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        let version = ModelVersion {
            model: model.to_owned(),
            version: last as u64 + 1,
            artifact_id: new.artifact_id,
            run_id: new.run_id,
            created_at: now,
            properties: new.properties,
            tags: new.tags,
        };
        sqlx::query(
            "INSERT INTO model_versions (model, version, artifact_id, run_id, created_at, properties, tags) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&version.model)
        .bind(version.version as i64)
        .bind(version.artifact_id.as_str())
        .bind(version.run_id.as_str())
        .bind(rows::time(version.created_at))
        .bind(rows::json("model version", &version.properties)?)
        .bind(rows::json("model version", &version.tags)?)
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        self.commit(write).await?;
        Ok(RegisteredVersion { version, created: true })
    }

    pub(super) async fn move_alias(
        &self,
        model: &str,
        alias: &str,
        version: u64,
        by: Actor,
    ) -> Result<Alias, StoreError> {
        check_name("alias", alias)?;
        let mut write = self.write().await?;
        let record = self.model_record(&mut write.tx, model).await?;
        if record.versions.iter().all(|known| known.version != version) {
            return Err(no_version(&record, &VersionSpec::Number(version)));
        }
        let before = record.aliases.into_iter().find(|known| known.alias == alias);
        if let Some(before) = before.as_ref().filter(|before| before.version == version) {
            let last = self.last_mover(&mut write.tx, model, alias).await?;
            if !rules::is_confirmation(last.as_ref(), &by) {
                return Ok(before.clone());
            }
        }
        if let Some(run) = &by.run_id {
            self.require_run(&mut write.tx, run).await?;
        }
        let now = millis::now();
        sqlx::query(
            "INSERT INTO aliases (model, alias, version, moved_at) VALUES (?, ?, ?, ?) \
             ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version, moved_at = excluded.moved_at",
        )
        .bind(model)
        .bind(alias)
        .bind(version as i64)
        .bind(rows::time(now))
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        sqlx::query(
            "INSERT INTO alias_moves (model, alias, from_version, version, moved_at, actor, run_id, reason) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(model)
        .bind(alias)
        .bind(before.map(|before| before.version as i64))
        .bind(version as i64)
        .bind(rows::time(now))
        .bind(&by.actor)
        .bind(by.run_id.as_ref().map(AsRef::<str>::as_ref))
        .bind(&by.reason)
        .execute(&mut *write.tx)
        .await
        .map_err(|error| self.failed(error))?;
        self.commit(write).await?;
        Ok(Alias { model: model.to_owned(), alias: alias.to_owned(), version, moved_at: now })
    }

    /// One model, or all of them by name.
    pub(super) async fn model_records(&self, name: Option<&str>) -> Result<Vec<ModelRecord>, StoreError> {
        let mut tx = self.read().await?;
        self.records(&mut tx, name).await
    }

    pub(super) async fn find_model(&self, name: &str) -> Result<ModelRecord, StoreError> {
        let mut tx = self.read().await?;
        self.model_record(&mut tx, name).await
    }

    pub(super) async fn find_version(&self, model: &str, spec: &VersionSpec) -> Result<ModelVersion, StoreError> {
        Ok(self.find_model(model).await?.version(spec)?.clone())
    }

    pub(super) async fn set_tags(
        &self,
        model: &str,
        spec: &VersionSpec,
        tags: BTreeMap<String, String>,
    ) -> Result<ModelVersion, StoreError> {
        let mut write = self.write().await?;
        let mut version = self.model_record(&mut write.tx, model).await?.version(spec)?.clone();
        version.tags.extend(tags);
        sqlx::query("UPDATE model_versions SET tags = ? WHERE model = ? AND version = ?")
            .bind(rows::json("model version", &version.tags)?)
            .bind(model)
            .bind(version.version as i64)
            .execute(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        self.commit(write).await?;
        Ok(version)
    }

    pub(super) async fn moves_of(&self, model: &str) -> Result<Vec<AliasMove>, StoreError> {
        let mut tx = self.read().await?;
        self.model_record(&mut tx, model).await?;
        let found = sqlx::query("SELECT * FROM alias_moves WHERE model = ? ORDER BY seq DESC")
            .bind(model)
            .fetch_all(&mut *tx)
            .await
            .map_err(|error| self.failed(error))?;
        found.iter().map(rows::alias_move).collect()
    }

    async fn last_mover(&self, tx: &mut Tx, model: &str, alias: &str) -> Result<Option<Actor>, StoreError> {
        let found = sqlx::query("SELECT * FROM alias_moves WHERE model = ? AND alias = ? ORDER BY seq DESC LIMIT 1")
            .bind(model)
            .bind(alias)
            .fetch_optional(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(found.as_ref().map(rows::alias_move).transpose()?.map(|moved| moved.by))
    }

    async fn model_record(&self, tx: &mut Tx, name: &str) -> Result<ModelRecord, StoreError> {
        if let Some(record) = self.records(tx, Some(name)).await?.pop() {
            return Ok(record);
        }
        let names: Vec<String> = sqlx::query_scalar("SELECT name FROM models ORDER BY name")
            .fetch_all(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        Err(StoreError::not_found("model", name, names.iter().map(String::as_str)))
    }

    async fn records(&self, tx: &mut Tx, name: Option<&str>) -> Result<Vec<ModelRecord>, StoreError> {
        let models = sqlx::query("SELECT * FROM models WHERE ?1 IS NULL OR name = ?1 ORDER BY name")
            .bind(name)
            .fetch_all(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        let mut records = BTreeMap::new();
        for row in &models {
            let model = rows::model(row)?;
            records.insert(model.name.clone(), ModelRecord { model, versions: Vec::new(), aliases: Vec::new() });
        }
        let versions =
            sqlx::query("SELECT * FROM model_versions WHERE ?1 IS NULL OR model = ?1 ORDER BY model, version")
                .bind(name)
                .fetch_all(&mut **tx)
                .await
                .map_err(|error| self.failed(error))?;
        for row in &versions {
            let version = rows::model_version(row)?;
            if let Some(record) = records.get_mut(&version.model) {
                record.versions.push(version);
            }
        }
        let aliases = sqlx::query("SELECT * FROM aliases WHERE ?1 IS NULL OR model = ?1 ORDER BY model, alias")
            .bind(name)
            .fetch_all(&mut **tx)
            .await
            .map_err(|error| self.failed(error))?;
        for row in &aliases {
            let alias = rows::alias(row)?;
            if let Some(record) = records.get_mut(&alias.model) {
                record.aliases.push(alias);
            }
        }
        Ok(records.into_values().collect())
    }
}
