//! Where a run keeps what it does.

use std::sync::Arc;

use tidemill_core::Digest;
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
    /// A completed execution with this fingerprint whose outputs are all still there.
    pub(crate) async fn cached(&self, fingerprint: &Digest) -> Result<Option<ExecutionRecord>, StoreError> {
        let found = self.metadata.find_cached(fingerprint).await?;
        Ok(found.filter(|record| record.outputs.iter().all(|(_, artifact)| self.holds(artifact))))
    }

    fn holds(&self, artifact: &Artifact) -> bool {
        self.artifacts.contains(artifact.artifact_type, &artifact.digest)
    }
}
