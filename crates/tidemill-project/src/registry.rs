//! The registry: versions by name, and as a source of models for the server.

use std::collections::BTreeSet;

use async_trait::async_trait;
use tidemill_core::{ArtifactType, Failure};
use tidemill_metadata::{MetadataStore, ModelRecord, ModelVersion, StoreError, VersionSpec};
use tidemill_pipeline::Workspace;
use tidemill_serving::{Servable, Source, SourceError};

/// The alias that plain requests go to.
pub const DEFAULT_ALIAS: &str = "champion";

/// Splits `NAME`, `NAME@ALIAS` and `NAME:VERSION`.
pub fn split_spec(text: &str) -> (&str, Option<VersionSpec>) {
    let at = text.find(['@', ':']);
    match at.map(|at| text.split_at(at)) {
        Some((name, rest)) => (name, rest[1..].parse().ok()),
        None => (text, None),
    }
}

/// The version that a spec such as `taxi-tips@champion` means. Without a version it is the champion if there is one,
/// else the latest.
pub async fn find_version(metadata: &dyn MetadataStore, text: &str) -> Result<ModelVersion, Failure> {
    let (name, spec) = split_spec(text);
    let spec = match spec {
        Some(spec) => spec,
        None => default_version(&metadata.model(name).await?),
    };
    Ok(metadata.model_version(name, &spec).await?)
}

fn default_version(record: &ModelRecord) -> VersionSpec {
    let champion = record.aliases.iter().find(|alias| alias.alias == DEFAULT_ALIAS);
    champion.map_or(VersionSpec::Latest, |alias| VersionSpec::Number(alias.version))
}

/// The registered versions to serve: every version with an alias, and the newest few.
pub struct RegistrySource {
    /// The store with the registry.
    pub workspace: Workspace,
    /// How many of the newest versions of a model are served.
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
