//! Which runs and models use a feature set.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use tidemill_core::{ArtifactType, Digest, Failure};
use tidemill_metadata::{
    Artifact, ArtifactFilter, ArtifactRecord, LineageDirection, MetadataStore, ModelRecord, RunId,
};

use crate::project::Project;

/// A transform graph made with a feature set, and the models made with the graph.
#[derive(Debug, Serialize)]
pub struct Use {
    /// The pipeline.
    pub pipeline: String,
    /// The step that made the graph.
    pub step: String,
    /// The newest run that made the graph, or took it from the cache.
    pub run: RunId,
    /// Digest of the graph.
    pub transform: Digest,
    /// When the graph was made.
    pub at: Timestamp,
    /// The models made with it.
    pub models: Vec<UsingModel>,
}

/// A version of a registered model.
#[derive(Debug, Serialize)]
pub struct UsingModel {
    /// Name of the registered model.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// The aliases that stand for the version.
    pub aliases: Vec<String>,
}

/// As commands take it: `taxi-tips:3 @champion`.
impl fmt::Display for UsingModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.version)?;
        self.aliases.iter().try_for_each(|alias| write!(f, " @{alias}"))
    }
}

/// Everything that uses the set `reference` (`taxi_features@2`), newest first; nothing where no store is.
pub async fn uses(project: &Project, reference: &str) -> Result<Vec<Use>, Failure> {
    if !project.store_dir().is_dir() {
        return Ok(Vec::new());
    }
    let metadata = project.metadata().await?;
    let known = metadata.models().await?;
    let mut found = Vec::new();
    for ArtifactRecord { artifact, producer } in transform_graphs_using(&*metadata, reference).await? {
        // Over the trainer, or whatever else makes models of it.
        let lineage = metadata.lineage(&artifact.id, LineageDirection::Down, 1).await?;
        let made = lineage.artifacts.iter().filter(|made| made.artifact_type == ArtifactType::Model);
        let models = made.flat_map(|made| versions_of(made, &known)).collect();
        found.push(Use {
            pipeline: producer.pipeline,
            step: producer.step,
            run: producer.run_id,
            transform: artifact.digest,
            at: artifact.created_at,
            models,
        });
    }
    Ok(found)
}

/// The transform graphs made with the set `reference`, newest first.
pub async fn transform_graphs_using(
    metadata: &dyn MetadataStore,
    reference: &str,
) -> Result<Vec<ArtifactRecord>, Failure> {
    let filter = ArtifactFilter { artifact_type: Some(ArtifactType::TransformGraph), ..ArtifactFilter::default() };
    let mut graphs = metadata.artifacts(&filter, usize::MAX).await?;
    graphs.retain(|record| {
        let sets = record.artifact.properties.get("feature_sets").and_then(|sets| sets.as_array());
        sets.is_some_and(|sets| sets.iter().any(|set| set == reference))
    });
    Ok(graphs)
}

fn versions_of(model: &Artifact, known: &[ModelRecord]) -> Vec<UsingModel> {
    let version = |record: &ModelRecord| {
        let version = record.versions.iter().find(|version| version.artifact_id == model.id)?;
        let aliases = record.aliases.iter().filter(|alias| alias.version == version.version);
        Some(UsingModel {
            name: record.model.name.clone(),
            version: version.version,
            aliases: aliases.map(|alias| alias.alias.clone()).collect(),
        })
    };
    known.iter().filter_map(version).collect()
}
