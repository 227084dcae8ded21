//! The registry: versions by name, and as a source of models for the server.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tidemill_core::{ArtifactType, Failure};
use tidemill_metadata::{ArtifactId, MetadataStore, ModelRecord, ModelVersion, StoreError, VersionSpec};
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
    workspace: Workspace,
    versions_max: usize,
    packages: Mutex<HashMap<ArtifactId, Package>>,
}

/// What the source found when it last read a package.
#[derive(Clone)]
enum Package {
    /// Compared with its digest, and listed since.
    Intact(PathBuf),
    /// Reported once.
    Damaged,
}

#[async_trait]
impl Source for RegistrySource {
    async fn list(&self) -> Result<Vec<Servable>, SourceError> {
        self.list_with(&BTreeSet::new()).await
    }
}

impl RegistrySource {
    /// As [`list`](Source::list), with these versions besides.
    pub(crate) async fn list_with(&self, pinned: &BTreeSet<(String, u64)>) -> Result<Vec<Servable>, SourceError> {
        let models = self.workspace.metadata.models().await.map_err(unreadable)?;
        let mut servables = Vec::new();
        for record in &models {
            let pinned = pinned.iter().filter(|(name, _)| *name == record.model.name).map(|(_, version)| *version);
            for version in self.chosen(record).into_iter().chain(pinned).collect::<BTreeSet<u64>>() {
                match self.servable(record, version).await {
                    Ok(Some(servable)) => servables.push(servable),
                    Ok(None) => {}
                    Err(error) => {
                        let model = &record.model.name;
                        tracing::warn!(model, version, error = %error, "a version cannot be read from the store");
                    }
                }
            }
        }
        Ok(servables)
    }

    /// The registry in the store of `workspace`; of every model, at least the newest `versions_max` are served.
    pub fn new(workspace: Workspace, versions_max: usize) -> Self {
        Self { workspace, versions_max, packages: Mutex::default() }
    }

    /// The folder of a package that was compared with its digest when it was first listed; `None` if it is damaged.
    ///
    /// A version that is listed stays listed, so that a running server keeps the copy it has loaded.
    async fn package(&self, id: &ArtifactId, name: &str) -> Result<Option<PathBuf>, StoreError> {
        let known = self.packages().get(id).cloned();
        if let Some(Package::Intact(path)) = known {
            return Ok(Some(path));
        }
        let artifact = self.workspace.metadata.artifact(id.as_str()).await?;
        let artifacts = Arc::clone(&self.workspace.artifacts);
        let read = tokio::task::spawn_blocking(move || artifacts.get(ArtifactType::Model, &artifact.digest)).await;
        let found = match read.unwrap_or_else(|error| Err(StoreError::Conflict(error.to_string()))) {
            Ok(path) => Package::Intact(path),
            Err(error @ StoreError::Damaged { .. }) => {
                if known.is_none() {
                    tracing::error!(version = name, %error, "a model version is damaged and is not served");
                }
                Package::Damaged
            }
            Err(error) => return Err(error),
        };
        self.packages().insert(id.clone(), found.clone());
        Ok(match found {
            Package::Intact(path) => Some(path),
            Package::Damaged => None,
        })
    }

    fn packages(&self) -> MutexGuard<'_, HashMap<ArtifactId, Package>> {
        // A panic in another thread cannot leave half an entry.
        self.packages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chosen(&self, record: &ModelRecord) -> BTreeSet<u64> {
        let newest = record.versions.iter().rev().take(self.versions_max.max(1)).map(|version| version.version);
        newest.chain(record.aliases.iter().map(|alias| alias.version)).collect()
    }

    async fn servable(&self, record: &ModelRecord, number: u64) -> Result<Option<Servable>, StoreError> {
        let Some(version) = record.versions.iter().find(|version| version.version == number) else { return Ok(None) };
        let name = format!("{}:{number}", record.model.name);
        let Some(path) = self.package(&version.artifact_id, &name).await? else { return Ok(None) };
        let aliases = || record.aliases.iter().filter(|alias| alias.version == number);
        Ok(Some(Servable {
            name: record.model.name.clone(),
            version: number,
            path,
            labels: aliases().map(|alias| alias.alias.clone()).collect(),
            default: aliases().any(|alias| alias.alias == DEFAULT_ALIAS),
        }))
    }
}

fn unreadable(error: StoreError) -> SourceError {
    SourceError::new("the registry cannot be read").with_source(error)
}
