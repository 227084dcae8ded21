//! Making a registered model again from what is recorded of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tidemill_core::{CancelFlag, Code, ComponentError, Digest, Failure, InputArtifact, Progress, RunInfo, StepContext};
use tidemill_metadata::{
    Artifact, ArtifactId, ContentList, Direction, ExecutionError, ExecutionRecord, ExecutionState, LineageDirection,
    MetadataStore, StoreError,
};
use tidemill_pipeline::Workspace;

use crate::{Project, find_version};

/// A model made again.
#[derive(Debug, Clone, Serialize)]
pub struct Reproduction {
    /// The registered model.
    pub model: String,
    /// Its version.
    pub version: u64,
    /// The step that made it.
    pub step: String,
    /// The run that it was made in.
    pub run: String,
    /// The digest of the registered package.
    pub registered: Digest,
    /// The digest of the package made now: the same, if every byte is.
    pub made: Digest,
    /// Whether the two are the same.
    pub identical: bool,
    /// Files that differ or are in one of the two only, by name.
    pub different: Vec<String>,
    /// The metrics that the training recorded, then and now.
    pub metrics: [Value; 2],
    /// Why the packages may differ, where they do.
    pub reasons: Vec<String>,
}

/// Runs the step again that made a version: the same parameters and inputs, in a folder that is gone afterwards.
pub async fn reproduce(
    project: &Project,
    spec: &str,
    threads: usize,
    progress: Arc<dyn Progress>,
    cancel: CancelFlag,
) -> Result<Reproduction, Failure> {
    let workspace = project.open_to_read().await?;
    let version = find_version(&*workspace.metadata, spec).await?;
    let artifact = workspace.metadata.artifact(version.artifact_id.as_str()).await?;
    let record = maker(&*workspace.metadata, &artifact.id).await?.ok_or_else(|| {
        let message = format!("{} version {} was not made by a step of a run", version.model, version.version);
        Failure::new(Code::NotInStore, message)
    })?;
    let execution = &record.execution;
    let run = workspace.metadata.run(execution.run_id.as_str()).await?;
    let components = project.components(Some(&workspace))?;
    let component = components.get(&execution.component).cloned().ok_or_else(|| {
        let message = format!("this version of Tidemill has no component `{}`", execution.component);
        Failure::new(Code::NotInStore, message)
    })?;
    let version_now = component.spec().version;
    let mut reasons = Vec::new();
    if version_now != execution.component_version {
        reasons.push(format!(
            "`{}` has changed since: version {} then, {version_now} now",
            execution.component, execution.component_version
        ));
    }
    let output = record.outputs.iter().find(|(_, made)| made.id == artifact.id).map(|(key, _)| key.clone());
    let again = Again {
        component,
        params: execution.params.clone(),
        project_dir: project.dir.clone(),
        workspace: workspace.clone(),
        inputs: record.inputs.clone(),
        output: output.unwrap_or_else(|| "model".to_owned()),
        run: RunInfo { pipeline: run.pipeline.clone(), run_id: run.id.to_string(), step: execution.step.clone() },
        registered: artifact.clone(),
        threads,
        progress,
        cancel,
    };
    let panicked = |_| Failure::new(Code::Internal, "the step panicked");
    let (made, different, metrics) = tokio::task::spawn_blocking(move || again.make()).await.map_err(panicked)??;
    let identical = made == artifact.digest;
    if !identical && reasons.is_empty() {
        reasons.push(match execution.component.as_str() {
            "Trainer" if is_command(&execution.params) => {
                "the model comes from a training command, which may be random or may have changed".to_owned()
            }
            _ => "the package was written by another version of Tidemill, or on a machine with another processor"
                .to_owned(),
        });
    }
    Ok(Reproduction {
        model: version.model,
        version: version.version,
        step: execution.step.clone(),
        run: run.id.to_string(),
        registered: artifact.digest,
        made,
        identical,
        different,
        metrics,
        reasons: if identical { Vec::new() } else { reasons },
    })
}

/// The first execution that wrote an artifact.
async fn maker(metadata: &dyn MetadataStore, artifact: &ArtifactId) -> Result<Option<ExecutionRecord>, StoreError> {
    let graph = metadata.lineage(artifact, LineageDirection::Up, 1).await?;
    let wrote = |id| {
        graph.events.iter().any(|event| {
            event.execution_id == id && event.artifact_id == *artifact && event.direction == Direction::Output
        })
    };
    let mut makers: Vec<_> = graph
        .executions
        .iter()
        .filter(|execution| execution.state == ExecutionState::Complete && wrote(execution.id.clone()))
        .collect();
    makers.sort_by_key(|execution| execution.started_at);
    let Some(first) = makers.first() else { return Ok(None) };
    let records = metadata.executions(&first.run_id).await?;
    Ok(records.into_iter().find(|record| record.execution.id == first.id))
}

fn is_command(params: &Value) -> bool {
    params["learner"].get("command").is_some()
}

/// Everything that a step needs to run again.
struct Again {
    component: Arc<dyn tidemill_core::Component>,
    params: Value,
    project_dir: std::path::PathBuf,
    workspace: Workspace,
    inputs: Vec<(String, Artifact)>,
    output: String,
    run: RunInfo,
    registered: Artifact,
    threads: usize,
    progress: Arc<dyn Progress>,
    cancel: CancelFlag,
}

impl Again {
    /// The digest of what the step makes, the files in which it differs, and the metrics of both.
    fn make(self) -> Result<(Digest, Vec<String>, [Value; 2]), Failure> {
        let artifacts = &self.workspace.artifacts;
        let mut inputs = BTreeMap::new();
        for (key, artifact) in self.inputs {
            let path = artifacts.get(artifact.artifact_type, &artifact.digest)?;
            let Artifact { artifact_type, digest, properties, .. } = artifact;
            inputs.insert(key, InputArtifact { artifact_type, digest, path, properties });
        }
        let folder = tempfile::tempdir().map_err(|error| Failure::io(&std::env::temp_dir(), &error))?;
        let mut outputs = BTreeMap::new();
        for output in self.component.spec().outputs {
            let path = folder.path().join(&*output.key);
            std::fs::create_dir(&path).map_err(|error| Failure::io(&path, &error))?;
            outputs.insert(output.key.to_string(), path);
        }
        let context = StepContext {
            params: &self.params,
            project_dir: &self.project_dir,
            inputs: &inputs,
            outputs: &outputs,
            progress: &*self.progress,
            cancel: &self.cancel,
            threads: self.threads,
            run: &self.run,
            work: None,
        };
        self.component.run(&context).map_err(|error: ComponentError| Failure::from(ExecutionError::from(&error)))?;
        let made = &outputs[&self.output];
        let kept = artifacts.get(self.registered.artifact_type, &self.registered.digest)?;
        let list = |path: &Path| {
            ContentList::read(path, false)?.map_err(|damage| {
                Failure::new(Code::Internal, format!("the step wrote what is no artifact: {damage:?}"))
            })
        };
        let (now, then) = (list(made)?, list(&kept)?);
        let names: std::collections::BTreeSet<&str> = now.paths().chain(then.paths()).collect();
        let bytes = |folder: &Path, name: &str| std::fs::read(folder.join(name)).ok();
        let different = names.into_iter().filter(|name| bytes(made, name) != bytes(&kept, name));
        let different: Vec<String> = different.map(str::to_owned).collect();
        let metrics = |folder: &Path| {
            let manifest = bytes(folder, "model.json").and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            manifest.map(|manifest| manifest["training"]["metrics"].clone()).unwrap_or_default()
        };
        Ok((now.digest(), different, [metrics(&kept), metrics(made)]))
    }
}
