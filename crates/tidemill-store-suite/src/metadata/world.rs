//! A small world to record: a pipeline whose steps read and write made-up artifacts.

use std::collections::BTreeMap;

use serde_json::json;
use tidemill_core::{ArtifactType, Code, Digest, Outcome, Properties, Verdict};
use tidemill_metadata::{
    Artifact, ArtifactId, Completed, ExecutionError, ExecutionId, MetadataStore, NewArtifact, NewExecution, NewRun,
    NewVersion, Run, RunId,
};

pub type Store = dyn MetadataStore;

/// A digest that is different for every text.
pub fn digest(text: &str) -> Digest {
    let mut bytes = [0_u8; 32];
    for (place, byte) in text.bytes().enumerate() {
        bytes[place % 32] = bytes[place % 32].wrapping_mul(31).wrapping_add(byte);
    }
    Digest::from_bytes(&bytes)
}

pub async fn begin(store: &Store, pipeline: &str) -> Run {
    let new = NewRun {
        pipeline: pipeline.into(),
        params: json!({ "rounds": 300 }),
        plan: json!(["examples"]),
        ..NewRun::default()
    };
    store.create_run(new).await.unwrap()
}

pub fn execution(run: &Run, step: &str, fingerprint: &str, inputs: &[(&str, &Artifact)]) -> NewExecution {
    NewExecution {
        run_id: run.id.clone(),
        step: step.into(),
        component: format!("{step}Component"),
        component_version: 3,
        fingerprint: digest(fingerprint),
        fingerprint_parts: json!({ "params": fingerprint }),
        params: json!({ "b": 1, "a": [1.5, null] }),
        inputs: inputs.iter().map(|(key, artifact)| ((*key).into(), artifact.id.clone())).collect(),
    }
}

pub fn new_artifact(artifact_type: ArtifactType, content: &str) -> NewArtifact {
    let properties = Properties::from([("rows".into(), json!(15002)), ("auc".into(), json!(0.954))]);
    NewArtifact { artifact_type, digest: digest(content), bytes: 1 << 40, files: 3, properties }
}

pub fn completed(fingerprint: &str, verdict: Verdict, outputs: Vec<(&str, NewArtifact)>) -> Completed {
    Completed {
        fingerprint: digest(fingerprint),
        fingerprint_parts: json!({ "params": fingerprint }),
        outcome: Outcome { headline: "15,002 rows in 2 splits".into(), verdict, ..Outcome::default() },
        outputs: outputs.into_iter().map(|(key, artifact)| (key.into(), artifact)).collect(),
    }
}

pub fn no() -> Verdict {
    Verdict::Fail(vec!["auc 0.81 is below 0.9".into()])
}

pub fn trouble() -> ExecutionError {
    ExecutionError {
        code: Code::SourceEmpty,
        message: "`trips.csv` has no rows".into(),
        hint: Some("check the export".into()),
        causes: vec!["end of file".into()],
    }
}

/// Runs a step to its end, its fingerprint the names of what it writes.
pub async fn step(
    store: &Store,
    run: &Run,
    name: &str,
    inputs: &[(&str, &Artifact)],
    verdict: Verdict,
    outputs: &[(&str, ArtifactType, &str)],
) -> Vec<Artifact> {
    let fingerprint: String = outputs.iter().map(|(_, _, content)| *content).collect();
    let id = store.start_execution(execution(run, name, &fingerprint, inputs)).await.unwrap();
    let outputs = outputs.iter().map(|(key, kind, content)| (*key, new_artifact(*kind, content))).collect();
    store.complete_execution(&id, completed(&fingerprint, verdict, outputs)).await.unwrap()
}

/// Examples named `content`.
pub async fn examples(store: &Store, run: &Run, content: &str) -> Artifact {
    step(store, run, "examples", &[], Verdict::Pass, &[("examples", ArtifactType::Examples, content)]).await.remove(0)
}

/// A model named `content`, made of examples.
pub async fn model(store: &Store, run: &Run, examples: &Artifact, content: &str) -> Artifact {
    let outputs = [("model", ArtifactType::Model, content)];
    step(store, run, "train", &[("examples", examples)], Verdict::Pass, &outputs).await.remove(0)
}

/// A verdict on a model.
pub async fn evaluate(store: &Store, run: &Run, model: &Artifact, baseline: Option<&Artifact>, verdict: Verdict) {
    let mut inputs = vec![("model", model)];
    inputs.extend(baseline.map(|baseline| ("baseline", baseline)));
    let blessing = format!("{} {}", model.digest, verdict.passed());
    step(store, run, "evaluate", &inputs, verdict, &[("blessing", ArtifactType::Blessing, &blessing)]).await;
}

pub fn version(artifact: &ArtifactId, run: &RunId) -> NewVersion {
    NewVersion {
        artifact_id: artifact.clone(),
        run_id: run.clone(),
        properties: Properties::from([("auc".into(), json!(0.954))]),
        tags: BTreeMap::from([("owner".into(), "rides".into())]),
        description: "will the rider tip".into(),
    }
}

pub async fn state_of(store: &Store, run: &Run, id: &ExecutionId) -> String {
    let records = store.executions(&run.id).await.unwrap();
    records.iter().find(|record| record.execution.id == *id).unwrap().execution.state.to_string()
}
