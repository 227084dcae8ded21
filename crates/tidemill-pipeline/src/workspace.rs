//! Where a run keeps what it does.

use std::sync::Arc;

use tidemill_core::{ComponentSpec, Digest};
use tidemill_metadata::{Artifact, ArtifactStore, ExecutionRecord, MetadataStore, StoreError};

/// The record and the bytes, together.
#[derive(Clone)]
pub struct Workspace {
    /// What happened.
    pub metadata: Arc<dyn MetadataStore>,
    /// The bytes of artifacts.
    pub artifacts: Arc<ArtifactStore>,
}

impl Workspace {
    /// A completed execution with this fingerprint whose outputs are all still there, and whose verdict holds.
    pub(crate) async fn cached(
        &self,
        spec: &ComponentSpec,
        fingerprint: &Digest,
    ) -> Result<Option<ExecutionRecord>, StoreError> {
        let found = self.metadata.find_cached(fingerprint).await?;
        let found = found.filter(|record| record.outputs.iter().all(|(_, artifact)| self.holds(artifact)));
        Ok(found.filter(|record| !measured_no(spec, record)))
    }

    fn holds(&self, artifact: &Artifact) -> bool {
        self.artifacts.contains(artifact.artifact_type, &artifact.digest)
    }
}

/// A no that rests on a measurement, which may turn out otherwise the next time.
pub(crate) fn measured_no(spec: &ComponentSpec, record: &ExecutionRecord) -> bool {
    spec.measures && record.execution.outcome.as_ref().is_some_and(|outcome| !outcome.verdict.passed())
}
