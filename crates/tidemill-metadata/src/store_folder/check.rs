//! Checks everything in a store.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde::Serialize;
use tidemill_core::{ArtifactType, Digest};

use super::StoreFolder;
use crate::{
    ArtifactFilter, ArtifactId, ArtifactRecord, ArtifactState, ArtifactStore as _, Damage, MetadataStore as _,
    SqliteStore, StoreError, StoreId, StoreState,
};

/// The content of a store, and its problems.
#[allow(missing_docs, reason = "plain data")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    pub store: PathBuf,
    /// None if the database cannot be read.
    pub id: Option<StoreId>,
    /// Problems of the database, a line each.
    pub database: Vec<String>,
    /// Number of artifacts compared with their digests.
    pub artifacts: u64,
    /// Their total size, as recorded.
    pub bytes: u64,
    /// Artifacts that are damaged or missing.
    pub damaged: Vec<ArtifactFinding>,
    /// Artifacts without a record: left by a process that was killed after it had written them. They are harmless.
    pub unrecorded: u64,
}

/// A damaged or missing artifact.
#[allow(missing_docs, reason = "plain data")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArtifactFinding {
    pub artifact_type: ArtifactType,
    pub digest: Digest,
    pub damage: Damage,
    /// The pipeline, step and run that wrote it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// The model versions it belongs to, with their aliases: `taxi-tips:2 @champion`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// Where its remains are after a repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
    /// Whether the next run detects that it is missing and makes it again.
    pub repaired: bool,
}

impl CheckReport {
    /// Whether there is no problem, or every problem was repaired.
    pub fn is_healthy(&self) -> bool {
        self.database.is_empty() && self.damaged.iter().all(|finding| finding.repaired)
    }
}

impl StoreFolder {
    /// Reads the whole store: the database, and the bytes of every artifact.
    ///
    /// With `repair`, damaged artifacts are moved aside, so that the next run makes them again. `progress` is called
    /// with the number of artifacts checked so far and the total.
    pub async fn check(
        &self,
        repair: bool,
        mut progress: impl FnMut(usize, usize) + Send,
    ) -> Result<CheckReport, StoreError> {
        if let StoreState::Lost(reason) = self.state()? {
            return Err(StoreError::Lost { dir: self.dir.clone(), reason });
        }
        let mut report = CheckReport {
            store: self.dir.clone(),
            id: None,
            database: Vec::new(),
            artifacts: 0,
            bytes: 0,
            damaged: Vec::new(),
            unrecorded: 0,
        };
        if self.state()? == StoreState::Absent {
            return Ok(report);
        }
        let (mut records, mut versions) = (Vec::new(), BTreeMap::new());
        match SqliteStore::open_to_read(&self.database()).await {
            Err(error @ StoreError::Version { .. }) => return Err(error),
            Err(error) => report.database.push(in_one_line(&error)),
            Ok(metadata) => {
                report.id = Some(metadata.id().clone());
                report.database = metadata.integrity().await?;
                match metadata.artifacts(&ArtifactFilter::default(), usize::MAX).await {
                    Ok(found) => records = found.into_iter().filter(is_live).collect(),
                    Err(error) => report.database.push(in_one_line(&error)),
                }
                match metadata.models().await {
                    Ok(models) => versions = versions_by_artifact(&models),
                    Err(error) => report.database.push(in_one_line(&error)),
                }
            }
        }
        let artifacts = self.artifacts()?;
        let recorded: HashSet<(ArtifactType, Digest)> =
            records.iter().map(|record| (record.artifact.artifact_type, record.artifact.digest.clone())).collect();
        let unrecorded: Vec<_> = artifacts.list()?.into_iter().filter(|key| !recorded.contains(key)).collect();
        report.unrecorded = unrecorded.len() as u64;
        let total = records.len() + unrecorded.len();
        let mut look = |artifact_type: ArtifactType, digest: &Digest, record: Option<&ArtifactRecord>, done: usize| {
            progress(done, total);
            let damage = match artifacts.verify(artifact_type, digest) {
                Ok(()) => return Ok(None),
                Err(StoreError::Damaged { damage, .. }) => damage,
                Err(error) => return Err(error),
            };
            let quarantined = if repair { artifacts.quarantine(artifact_type, digest)? } else { None };
            Ok(Some(ArtifactFinding {
                artifact_type,
                digest: digest.clone(),
                damage,
                made_by: record.map(|ArtifactRecord { producer: by, .. }| {
                    format!("step `{}` of `{}`, run {}", by.step, by.pipeline, by.run_id.short())
                }),
                versions: record.and_then(|record| versions.get(&record.artifact.id).cloned()).unwrap_or_default(),
                quarantined,
                repaired: repair,
            }))
        };
        let mut damaged = Vec::new();
        let mut done = 0;
        for record in &records {
            let artifact = &record.artifact;
            damaged.extend(look(artifact.artifact_type, &artifact.digest, Some(record), done)?);
            done += 1;
        }
        for (artifact_type, digest) in &unrecorded {
            damaged.extend(look(*artifact_type, digest, None, done)?);
            done += 1;
        }
        report.artifacts = total as u64;
        report.bytes = records.iter().map(|record| record.artifact.bytes).sum();
        report.damaged = damaged;
        Ok(report)
    }
}

/// Whether the bytes of an artifact should be there.
pub(super) fn is_live(record: &ArtifactRecord) -> bool {
    record.artifact.state == ArtifactState::Live
}

fn versions_by_artifact(models: &[crate::ModelRecord]) -> BTreeMap<ArtifactId, Vec<String>> {
    let mut versions: BTreeMap<ArtifactId, Vec<String>> = BTreeMap::new();
    for record in models {
        for version in &record.versions {
            let aliases = record.aliases.iter().filter(|alias| alias.version == version.version);
            let aliases: String = aliases.map(|alias| format!(" @{}", alias.alias)).collect();
            let name = format!("{}:{}{aliases}", version.model, version.version);
            versions.entry(version.artifact_id.clone()).or_default().push(name);
        }
    }
    versions
}

fn in_one_line(error: &StoreError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}
