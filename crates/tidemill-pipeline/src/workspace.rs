//! The store and cache of a run.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_core::{ArtifactType, ComponentSpec, Digest};
use tidemill_metadata::{
    Artifact, ArtifactStore, Damage, ExecutionRecord, MetadataStore, ModelRecord, OpenStore, RunLeases, SecretKey,
    StoreError,
};

/// The store that a run reads and writes.
#[allow(missing_docs, reason = "plain data")]
#[derive(Clone)]
pub struct Workspace {
    pub metadata: Arc<dyn MetadataStore>,
    pub artifacts: Arc<dyn ArtifactStore>,
    pub leases: Arc<dyn RunLeases>,
    /// The key for digests of secrets.
    pub secrets: SecretKey,
    /// A folder for data that can be computed again. None for a store in memory.
    pub cache_dir: Option<PathBuf>,
}

/// Earlier outputs of a step.
#[derive(Debug)]
pub(crate) struct Cached {
    /// The execution whose outputs can be used again.
    pub record: Option<ExecutionRecord>,
    /// Outputs of an execution that could have been used if they were not damaged.
    pub damaged: Vec<DamagedArtifact>,
}

/// An artifact that differs from its digest.
#[derive(Debug, Clone)]
pub(crate) struct DamagedArtifact {
    pub artifact_type: ArtifactType,
    pub digest: Digest,
    pub damage: Damage,
}

impl std::fmt::Display for DamagedArtifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} artifact `{}` is damaged: {}", self.artifact_type, self.digest.short(), self.damage)
    }
}

/// A model version with an alias whose package is damaged or missing.
#[allow(missing_docs, reason = "plain data")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedVersion {
    pub model: String,
    pub version: u64,
    /// The aliases that stand for it.
    pub aliases: Vec<String>,
    /// What is wrong with its package.
    pub damage: Damage,
    /// The newest version of the model that is intact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intact_version: Option<u64>,
}

impl std::fmt::Display for DamagedVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { model, version, aliases, damage, intact_version } = self;
        let aliases: Vec<String> = aliases.iter().map(|alias| format!("@{alias}")).collect();
        write!(f, "the package of {model} version {version} ({}) is damaged: {damage}", aliases.join(", "))?;
        if let (Some(intact), Some(alias)) = (intact_version, self.aliases.first()) {
            write!(f, "; version {intact} is intact: `tidemill alias {model} {alias} {intact}`")?;
        }
        Ok(())
    }
}

impl Workspace {
    /// A workspace in a store; `cache_dir` is a folder for data that can be computed again.
    pub fn new(store: OpenStore, cache_dir: Option<PathBuf>) -> Self {
        let OpenStore { metadata, artifacts, leases, secrets } = store;
        Self { metadata, artifacts, leases, secrets, cache_dir }
    }

    /// A completed execution with this fingerprint whose outputs are all present and intact, and whose verdict still
    /// applies.
    pub(crate) async fn cached(&self, spec: &ComponentSpec, fingerprint: &Digest) -> Result<Cached, StoreError> {
        let found = self.metadata.find_cached(fingerprint).await?;
        let Some(record) = found.filter(|record| !is_measured_rejection(spec, record)) else {
            return Ok(Cached { record: None, damaged: Vec::new() });
        };
        let (mut intact, mut damaged) = (true, Vec::new());
        for (_, artifact) in &record.outputs {
            let difference = self.difference(artifact).await?;
            intact &= difference.is_none();
            // A missing artifact was removed, for example by a repair: no reason to warn.
            damaged.extend(difference.filter(|difference| !difference.damage.is_missing()));
        }
        Ok(Cached { record: intact.then_some(record), damaged })
    }

    /// How the artifact differs from its digest, if it does.
    pub(crate) async fn difference(&self, artifact: &Artifact) -> Result<Option<DamagedArtifact>, StoreError> {
        let (artifacts, artifact_type, digest) =
            (Arc::clone(&self.artifacts), artifact.artifact_type, artifact.digest.clone());
        let confirmed = tokio::task::spawn_blocking(move || artifacts.confirm(artifact_type, &digest)).await;
        match confirmed.unwrap_or_else(|error| Err(StoreError::Conflict(error.to_string()))) {
            Ok(()) => Ok(None),
            Err(StoreError::Damaged { artifact_type, digest, damage }) => {
                Ok(Some(DamagedArtifact { artifact_type, digest, damage }))
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a damaged artifact out of the store: the step that writes it makes it again.
    pub(crate) async fn quarantine(&self, damaged: &DamagedArtifact) -> Result<(), StoreError> {
        let (artifacts, damaged) = (Arc::clone(&self.artifacts), damaged.clone());
        let moved =
            tokio::task::spawn_blocking(move || artifacts.quarantine(damaged.artifact_type, &damaged.digest)).await;
        moved.unwrap_or_else(|error| Err(StoreError::Conflict(error.to_string()))).map(|_| ())
    }

    /// The newest intact artifact that `newest` finds, each time excluding those found before. What is damaged is added
    /// to `damaged`.
    pub(crate) async fn newest_intact<F: Future<Output = Result<Option<Artifact>, StoreError>> + Send>(
        &self,
        excluded: Option<Digest>,
        damaged: &mut Vec<DamagedArtifact>,
        newest: impl Fn(Vec<Digest>) -> F,
    ) -> Result<Option<Artifact>, StoreError> {
        let mut excluded: Vec<Digest> = excluded.into_iter().collect();
        while let Some(artifact) = newest(excluded.clone()).await? {
            match self.difference(&artifact).await? {
                None => return Ok(Some(artifact)),
                Some(difference) => {
                    excluded.push(artifact.digest);
                    damaged.push(difference);
                }
            }
        }
        Ok(None)
    }

    /// The model versions that an alias stands for and whose package is damaged or missing.
    pub async fn damaged_versions(&self) -> Result<Vec<DamagedVersion>, StoreError> {
        let mut found = Vec::new();
        for record in self.metadata.models().await? {
            for version in &record.versions {
                let aliases = record.aliases.iter().filter(|alias| alias.version == version.version);
                let aliases: Vec<String> = aliases.map(|alias| alias.alias.clone()).collect();
                if aliases.is_empty() {
                    continue;
                }
                let artifact = self.metadata.artifact(version.artifact_id.as_str()).await?;
                if let Some(difference) = self.difference(&artifact).await? {
                    found.push(DamagedVersion {
                        model: record.model.name.clone(),
                        version: version.version,
                        aliases,
                        damage: difference.damage,
                        intact_version: self.newest_intact_version(&record).await?,
                    });
                }
            }
        }
        Ok(found)
    }

    async fn newest_intact_version(&self, record: &ModelRecord) -> Result<Option<u64>, StoreError> {
        for version in record.versions.iter().rev() {
            let artifact = self.metadata.artifact(version.artifact_id.as_str()).await?;
            if self.difference(&artifact).await?.is_none() {
                return Ok(Some(version.version));
            }
        }
        Ok(None)
    }
}

/// A rejection that rests on a measurement, which may turn out otherwise the next time.
pub(crate) fn is_measured_rejection(spec: &ComponentSpec, record: &ExecutionRecord) -> bool {
    spec.measures && record.execution.outcome.as_ref().is_some_and(|outcome| !outcome.verdict.passed())
}
