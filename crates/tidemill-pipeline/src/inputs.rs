//! From bindings to artifacts and a fingerprint: shared by planning and running.

use std::collections::BTreeMap;

use tidemill_core::{ArtifactType, Code, ComponentError, Digest, ExternalInput};
use tidemill_metadata::{Artifact, ExecutionError, StoreError};

use crate::fingerprint::FingerprintInputs;
use crate::pipeline::{Origin, Pipeline, Step};
use crate::workspace::Workspace;

/// The artifacts of steps already done, by step index and output key.
pub(crate) type Outputs = BTreeMap<usize, BTreeMap<String, Artifact>>;

/// The resolved inputs of a step.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// Artifacts by input key; an optional input without an artifact is absent.
    pub inputs: Vec<(String, Artifact)>,
    pub fingerprint_inputs: FingerprintInputs,
    /// Artifacts that were skipped because they are damaged, a line each.
    pub passed_over: Vec<String>,
}

/// Finds the artifacts for the bindings of a step and digests everything it reads besides them.
pub(crate) async fn resolve(
    pipeline: &Pipeline,
    step: &Step,
    done: &Outputs,
    workspace: &Workspace,
) -> Result<Resolved, ExecutionError> {
    let mut inputs: Vec<(String, Artifact)> = Vec::new();
    let mut digests: BTreeMap<String, Option<Digest>> = BTreeMap::new();
    let mut damaged = Vec::new();
    for binding in &step.bindings {
        if let Origin::Step { step: from, output } = &binding.from {
            let artifact = done
                .get(from)
                .and_then(|outputs| outputs.get(output))
                .ok_or_else(|| missing(pipeline, *from, output))?;
            digests.insert(binding.key.clone(), Some(artifact.digest.clone()));
            inputs.push((binding.key.clone(), artifact.clone()));
        }
    }
    // The baseline depends on the candidate, so it comes second.
    let candidate = inputs.iter().find(|(_, artifact)| artifact.artifact_type == ArtifactType::Model);
    let candidate = candidate.map(|(_, artifact)| artifact.digest.clone());
    for binding in step.bindings.iter().filter(|binding| binding.from == Origin::LatestBlessedModel) {
        let found = workspace
            .newest_intact(candidate.clone(), &mut damaged, |excluding| async move {
                workspace.metadata.latest_blessed_model(&pipeline.name, &excluding).await
            })
            .await
            .map_err(recorded)?;
        digests.insert(binding.key.clone(), found.as_ref().map(|artifact| artifact.digest.clone()));
        inputs.extend(found.map(|artifact| (binding.key.clone(), artifact)));
    }
    for binding in &step.bindings {
        let Origin::LastAccepted { of } = &binding.from else { continue };
        let now = inputs.iter().find(|(key, _)| key == of).map(|(_, artifact)| artifact.digest.clone());
        let found = workspace
            .newest_intact(now, &mut damaged, |excluding| async move {
                workspace.metadata.last_accepted_input(&pipeline.name, &step.name, of, &excluding).await
            })
            .await
            .map_err(recorded)?;
        digests.insert(binding.key.clone(), found.as_ref().map(|artifact| artifact.digest.clone()));
        inputs.extend(found.map(|artifact| (binding.key.clone(), artifact)));
    }
    let external = external_inputs(pipeline, step).await.map_err(|error| ExecutionError::from(&error))?;
    let fingerprint_inputs = FingerprintInputs::new(&pipeline.name, step, digests, external, &workspace.secrets);
    let passed_over = damaged.iter().map(|damaged| format!("{damaged}; it is not compared with")).collect();
    Ok(Resolved { inputs, fingerprint_inputs, passed_over })
}

/// Digests what a step reads besides artifacts, off the async threads: it may be a large file.
pub(crate) async fn external_inputs(pipeline: &Pipeline, step: &Step) -> Result<Vec<ExternalInput>, ComponentError> {
    let (component, params, dir) = (step.component.clone(), step.params.clone(), pipeline.project_dir().to_owned());
    tokio::task::spawn_blocking(move || component.external_inputs(&params, &dir)).await.unwrap_or_else(|error| {
        Err(ComponentError::new(Code::Internal, format!("reading the inputs stopped: {error}")))
    })
}

pub(crate) fn recorded(error: StoreError) -> ExecutionError {
    ExecutionError::of(&error)
}

fn missing(pipeline: &Pipeline, from: usize, output: &str) -> ExecutionError {
    let from = &pipeline.steps[from].name;
    ExecutionError {
        code: Code::MissingInput,
        message: format!("step `{from}` has written no `{output}`"),
        hint: None,
        causes: Vec::new(),
    }
}
