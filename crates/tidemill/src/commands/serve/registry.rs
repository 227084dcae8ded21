//! The registry as a source of models.

use std::collections::BTreeSet;

use async_trait::async_trait;
use tidemill_core::ArtifactType;
use tidemill_metadata::{ModelRecord, StoreError};
use tidemill_pipeline::Workspace;
use tidemill_serving::{Servable, Source, SourceError};

use crate::commands::models::DEFAULT_ALIAS;

/// What the registry says should be served: every version with an alias, and the newest few.
pub struct RegistrySource {
    pub workspace: Workspace,
    pub versions_max: usize,
}

#[async_trait]
impl Source for RegistrySource {
    async fn list(&self) -> Result<Vec<Servable>, SourceError> {
        let models = self.workspace.metadata.models().await.map_err(unreadable)?;
        let mut servables = Vec::new();
        for record in &models {
            for version in self.chosen(record) {
                match self.servable(record, version).await {
                    Ok(servable) => servables.push(servable),
                    Err(error) => {
                        let model = &record.model.name;
                        tracing::warn!(model, version, error = %error, "a version cannot be found in the store");
                    }
                }
            }
        }
        Ok(servables)
    }
}

impl RegistrySource {
    fn chosen(&self, record: &ModelRecord) -> BTreeSet<u64> {
        let newest = record.versions.iter().rev().take(self.versions_max.max(1)).map(|version| version.version);
        newest.chain(record.aliases.iter().map(|alias| alias.version)).collect()
    }

    async fn servable(&self, record: &ModelRecord, number: u64) -> Result<Servable, StoreError> {
        let version = record.versions.iter().find(|version| version.version == number);
        let id = version.map(|version| version.artifact_id.to_string()).unwrap_or_default();
        let artifact = self.workspace.metadata.artifact(&id).await?;
        let aliases = || record.aliases.iter().filter(|alias| alias.version == number);
        Ok(Servable {
            name: record.model.name.clone(),
            version: number,
            path: self.workspace.artifacts.path(ArtifactType::Model, &artifact.digest),
            labels: aliases().map(|alias| alias.alias.clone()).collect(),
            default: aliases().any(|alias| alias.alias == DEFAULT_ALIAS),
        })
    }
}

fn unreadable(error: StoreError) -> SourceError {
    SourceError::new("the registry cannot be read").with_source(error)
}
