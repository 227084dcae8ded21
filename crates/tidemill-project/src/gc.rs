//! Garbage collection: deletes the bytes of artifacts that nothing needs.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tidemill_core::Failure;
use tidemill_metadata::{ArtifactFilter, ArtifactId, ArtifactRecord, ArtifactState, RunFilter, RunState};
use tidemill_pipeline::Workspace;

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub struct GcPolicy {
    /// Of each model, the newest versions; those with an alias are kept anyway.
    pub versions: usize,
    /// Of each pipeline, what the newest runs read and wrote.
    pub runs: usize,
    /// Artifacts younger than this.
    pub age: Duration,
}

/// What was deleted, or would be.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "plain data")]
pub struct GcReport {
    pub deleted: Vec<ArtifactRecord>,
    pub bytes: u64,
    /// Artifacts that are kept.
    pub kept: usize,
    pub kept_bytes: u64,
    /// Folders of the store that no record knew, or whose record was deleted before.
    pub unrecorded: usize,
}

/// Deletes what `policy` does not keep; with `dry_run` only reports it.
///
/// Never deleted: packages of versions with an alias, what a run that waits for an approval has read or written, and anything while
/// a run is going on, for which the leases of all pipelines are taken. Records stay, so lineage leads over what is gone, and a
/// step whose outputs are gone runs again.
pub async fn gc(workspace: &Workspace, policy: GcPolicy, dry_run: bool) -> Result<GcReport, Failure> {
    let metadata = &workspace.metadata;
    let runs = metadata.runs(&RunFilter::default(), usize::MAX).await?;
    let pipelines: BTreeSet<&str> = runs.iter().flat_map(|run| [run.pipeline.as_str(), run.lease.as_str()]).collect();
    let leases = pipelines.iter().map(|name| workspace.leases.acquire(name)).collect::<Result<Vec<_>, _>>()?;
    let mut needed: BTreeSet<ArtifactId> = BTreeSet::new();
    for record in metadata.models().await? {
        let newest = record.versions.iter().rev().take(policy.versions).map(|version| version.version);
        let kept: BTreeSet<u64> = newest.chain(record.aliases.iter().map(|alias| alias.version)).collect();
        let versions = record.versions.iter().filter(|version| kept.contains(&version.version));
        needed.extend(versions.map(|version| version.artifact_id.clone()));
    }
    let mut seen: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for run in &runs {
        let place = seen.entry(run.pipeline.as_str()).or_default();
        *place += 1;
        if *place > policy.runs && run.state != RunState::Waiting {
            continue;
        }
        for execution in metadata.executions(&run.id).await? {
            needed.extend(execution.inputs.into_iter().chain(execution.outputs).map(|(_, artifact)| artifact.id));
        }
    }
    let oldest = Timestamp::now().checked_sub(jiff::SignedDuration::try_from(policy.age).unwrap_or_default());
    let is_old = |record: &ArtifactRecord| oldest.as_ref().is_ok_and(|oldest| record.artifact.created_at <= *oldest);
    let all = metadata.artifacts(&ArtifactFilter::default(), usize::MAX).await?;
    let live = all.iter().filter(|record| record.artifact.state == ArtifactState::Live);
    let (deleted, kept): (Vec<&ArtifactRecord>, Vec<&ArtifactRecord>) =
        live.partition(|record| !needed.contains(&record.artifact.id) && is_old(record));
    let bytes_of = |records: &[&ArtifactRecord]| records.iter().map(|record| record.artifact.bytes).sum();
    let mut report = GcReport {
        bytes: bytes_of(&deleted),
        kept: kept.len(),
        kept_bytes: bytes_of(&kept),
        deleted: deleted.into_iter().cloned().collect(),
        unrecorded: 0,
    };
    if !dry_run {
        // The records first: bytes that stay behind are swept the next time, bytes that are missing would be damage.
        let ids: Vec<ArtifactId> = report.deleted.iter().map(|record| record.artifact.id.clone()).collect();
        metadata.delete_artifacts(&ids).await?;
        for record in &report.deleted {
            workspace.artifacts.delete(record.artifact.artifact_type, &record.artifact.digest)?;
        }
        workspace.artifacts.sweep_staging()?;
        let live: BTreeSet<_> =
            kept.iter().map(|record| (record.artifact.artifact_type, record.artifact.digest.clone())).collect();
        for (artifact_type, digest) in workspace.artifacts.list()? {
            if !live.contains(&(artifact_type, digest.clone())) {
                report.unrecorded += usize::from(workspace.artifacts.delete(artifact_type, &digest)?);
            }
        }
    }
    drop(leases);
    Ok(report)
}
