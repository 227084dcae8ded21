//! The `Transform` step on examples that `ExampleGen` wrote.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, CancelFlag, Code, Component, ComponentError, Digest, InputArtifact, NoProgress, Outcome, Properties,
    RunInfo, StepContext,
};
use tidemill_data::ExampleGen;
use tidemill_model::TransformGraph;
use tidemill_transform::Transform;

fn run(
    component: &dyn Component,
    params: &Value,
    inputs: &[(&str, ArtifactType, &Path)],
    output: (&str, &Path),
    cancel: &CancelFlag,
) -> Result<Outcome, ComponentError> {
    fs::create_dir_all(output.1).unwrap();
    let artifact = |(key, artifact_type, path): &(&str, ArtifactType, &Path)| {
        let digest = Digest::from_bytes(&[0; 32]);
        let artifact = InputArtifact {
            artifact_type: *artifact_type,
            digest,
            path: path.to_path_buf(),
            properties: Properties::new(),
        };
        ((*key).to_owned(), artifact)
    };
    let inputs = inputs.iter().map(artifact).collect();
    let outputs: BTreeMap<String, PathBuf> = [(output.0.to_owned(), output.1.to_owned())].into();
    component.run(&StepContext {
        params,
        project_dir: output.1.parent().unwrap(),
        inputs: &inputs,
        outputs: &outputs,
        progress: &NoProgress,
        cancel,
        threads: 2,
        run: &RunInfo { pipeline: "taxi".into(), run_id: "1".into(), step: "transform".into() },
    })
}

/// A project folder with an examples artifact of 300 trips.
fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = "trip_miles,fare,payment_type,tips\n".to_owned();
    for trip in 0..300 {
        let payment = ["Cash", "Credit Card", ""][trip % 3];
        writeln!(csv, "{},{},{payment},{}", trip as f64 * 0.1, trip + 5, if trip % 4 == 0 { trip } else { 0 }).unwrap();
    }
    fs::write(dir.path().join("trips.csv"), csv).unwrap();
    let params = json!({ "source": { "csv": "trips.csv" } });
    run(&ExampleGen::default(), &params, &[], ("examples", &dir.path().join("examples")), &CancelFlag::default())
        .unwrap();
    dir
}

fn params() -> Value {
    json!({
        "label": { "name": "big_tip", "expression": "tips > fare * 0.2" },
        "features": {
            "payment_type": { "vocabulary": { "oov_buckets": 2 } },
            "trip_miles": "z_score",
            "miles_bucket": { "from": "trip_miles", "steps": { "bucketize": 10 } },
        },
    })
}

fn transform(project: &Path, params: &Value, cancel: &CancelFlag) -> Result<Outcome, ComponentError> {
    let examples = project.join("examples");
    let inputs = [("examples", ArtifactType::Examples, examples.as_path())];
    run(&Transform::default(), params, &inputs, ("transform", &project.join("transform")), cancel)
}

#[test]
fn a_step_writes_a_graph_and_says_what_it_made() {
    let project = project();
    let outcome = transform(project.path(), &params(), &CancelFlag::default()).unwrap();
    let graph = TransformGraph::load(project.path().join("transform/transform.json")).unwrap();
    let names: Vec<&str> = graph.features().iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["payment_type", "trip_miles", "miles_bucket"]);
    let inputs: Vec<(&str, bool)> = graph.inputs().iter().map(|input| (input.name.as_str(), input.optional)).collect();
    assert_eq!(inputs, [("payment_type", true), ("trip_miles", false)]);
    assert!(outcome.headline.starts_with("3 features from 2 columns, label big_tip 2"), "{}", outcome.headline);
    assert!(outcome.headline.ends_with(" % positive"), "{}", outcome.headline);
    let properties = &outcome.properties["transform"];
    assert_eq!((&properties["features"], &properties["scans"]), (&json!(3), &json!(1)));
    assert!(properties["label_mean"]["eval"].as_f64().is_some());

    let again = project.path().join("transform/transform.json");
    let first = fs::read(&again).unwrap();
    transform(project.path(), &params(), &CancelFlag::default()).unwrap();
    assert_eq!(fs::read(&again).unwrap(), first);
}

#[test]
fn errors_keep_their_codes_and_a_cancelled_run_stops() {
    let project = project();
    let mut bad = params();
    bad["features"]["tips"] = json!("numeric");
    let error = transform(project.path(), &bad, &CancelFlag::default()).unwrap_err();
    assert_eq!(error.code, Code::Params);
    assert!(error.message.starts_with("`features.tips`: "), "{}", error.message);
    let mut missing = params();
    missing["features"]["mils"] = json!("numeric");
    let error = transform(project.path(), &missing, &CancelFlag::default()).unwrap_err();
    assert_eq!(error.code, Code::ColumnNotFound);

    let cancel = CancelFlag::default();
    cancel.cancel();
    assert_eq!(transform(project.path(), &params(), &cancel).unwrap_err().code, Code::Canceled);
}

#[test]
fn a_plan_names_what_requests_need_and_what_would_fail() {
    let project = project();
    let alone = Transform::default().preview(&params(), &BTreeMap::new());
    assert_eq!(alone.notes, ["requests need `payment_type`, `trip_miles`"]);
    assert!(alone.problems.is_empty());
    let examples = InputArtifact {
        artifact_type: ArtifactType::Examples,
        digest: Digest::from_bytes(&[0; 32]),
        path: project.path().join("examples"),
        properties: Properties::new(),
    };
    let inputs = BTreeMap::from([("examples".to_owned(), examples)]);
    assert!(Transform::default().preview(&params(), &inputs).problems.is_empty());
    let mut bad = params();
    bad["features"]["mils"] = json!("numeric");
    bad["features"]["payment"] = json!({ "from": "payment_type", "steps": "z_score" });
    bad["features"].as_object_mut().unwrap().shift_remove("miles_bucket");
    bad["features"].as_object_mut().unwrap().shift_remove("trip_miles");
    let preview = Transform::default().preview(&bad, &inputs);
    assert_eq!(preview.notes, ["requests need `payment_type`, `mils`", "no feature uses `trip_miles`"]);
    assert_eq!(preview.problems.len(), 2, "{:?}", preview.problems);
    let paths: Vec<String> = preview.problems.iter().map(|problem| problem.path.join(".")).collect();
    assert_eq!(paths, ["features.mils", "features.payment"]);
    assert!(preview.problems[0].message.contains("`mils`"), "{}", preview.problems[0]);
    assert!(preview.problems[1].message.contains("`z_score` does not apply to text"), "{}", preview.problems[1]);
}
