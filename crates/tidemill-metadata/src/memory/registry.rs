//! The model registry in memory.

use std::collections::BTreeMap;

use tidemill_core::ArtifactType;

use super::Tables;
use crate::registry::check_name;
use crate::{
    Actor, Alias, AliasMove, ModelRecord, ModelVersion, NewVersion, RegisteredModel, RegisteredVersion, StoreError,
    VersionSpec, millis, rules,
};

impl Tables {
    pub(super) fn register_version(&mut self, model: &str, new: NewVersion) -> Result<RegisteredVersion, StoreError> {
        check_name("model", model)?;
        let artifact = self.artifact_by_id(&new.artifact_id)?;
        if artifact.artifact_type != ArtifactType::Model {
            return Err(rules::not_a_model(artifact.id.as_str(), artifact.artifact_type));
        }
        let versions = self.models.get(model).map_or(&[][..], |record| &record.versions);
        if let Some(known) = versions.iter().find(|version| version.artifact_id == new.artifact_id) {
            return Ok(RegisteredVersion { version: known.clone(), created: false });
        }
        self.require_run(&new.run_id)?;
        let now = millis::now();
        let record = self.models.entry(model.to_owned()).or_insert_with(|| ModelRecord {
            model: RegisteredModel {
                name: model.to_owned(),
                description: new.description,
                created_at: now,
                tags: BTreeMap::new(),
            },
            versions: Vec::new(),
            aliases: Vec::new(),
        });
        let version = ModelVersion {
            model: model.to_owned(),
            version: record.versions.last().map_or(0, |last| last.version) + 1,
            artifact_id: new.artifact_id,
            run_id: new.run_id,
            created_at: now,
            properties: new.properties,
            tags: new.tags,
        };
        record.versions.push(version.clone());
        Ok(RegisteredVersion { version, created: true })
    }

    pub(super) fn set_alias(&mut self, model: &str, alias: &str, version: u64, by: Actor) -> Result<Alias, StoreError> {
        check_name("alias", alias)?;
        let record = self.model(model)?;
        record.version(&VersionSpec::Number(version))?;
        let before = record.aliases.iter().find(|known| known.alias == alias).cloned();
        if let Some(before) = before.as_ref().filter(|before| before.version == version) {
            let last = self.moves.iter().rev().find(|moved| moved.model == model && moved.alias == alias);
            if !rules::is_confirmation(last.map(|moved| &moved.by), &by) {
                return Ok(before.clone());
            }
        }
        if let Some(run) = &by.run_id {
            self.require_run(run)?;
        }
        let moved = Alias { model: model.to_owned(), alias: alias.to_owned(), version, moved_at: millis::now() };
        if let Some(record) = self.models.get_mut(model) {
            record.aliases.retain(|known| known.alias != alias);
            record.aliases.push(moved.clone());
            record.aliases.sort_by(|a, b| a.alias.cmp(&b.alias));
        }
        self.moves.push(AliasMove {
            model: model.to_owned(),
            alias: alias.to_owned(),
            from_version: before.map(|before| before.version),
            version,
            moved_at: moved.moved_at,
            by,
        });
        Ok(moved)
    }

    pub(super) fn tag_version(
        &mut self,
        model: &str,
        spec: &VersionSpec,
        tags: BTreeMap<String, String>,
    ) -> Result<ModelVersion, StoreError> {
        let mut tagged = self.model(model)?.version(spec)?.clone();
        tagged.tags.extend(tags);
        let versions = self.models.get_mut(model).into_iter().flat_map(|record| &mut record.versions);
        for version in versions.filter(|version| version.version == tagged.version) {
            version.clone_from(&tagged);
        }
        Ok(tagged)
    }

    pub(super) fn model(&self, name: &str) -> Result<&ModelRecord, StoreError> {
        self.models
            .get(name)
            .ok_or_else(|| StoreError::not_found("model", name, self.models.keys().map(String::as_str)))
    }

    pub(super) fn alias_history(&self, model: &str) -> Result<Vec<AliasMove>, StoreError> {
        self.model(model)?;
        Ok(self.moves.iter().rev().filter(|moved| moved.model == model).cloned().collect())
    }
}
