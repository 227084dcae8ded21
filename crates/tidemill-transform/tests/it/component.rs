//! The `Transform` step on examples that `ExampleGen` wrote.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{Float64Type, Int64Type};
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, CancelFlag, Code, Component, ComponentError, Digest, InputArtifact, NoProgress, Outcome, Properties,
    RunInfo, StepContext,
};
use tidemill_data::{ExampleGen, Examples};
use tidemill_model::TransformGraph;
use tidemill_transform::{FeatureGen, Transform};

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
        work: None,
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

fn features(project: &Path, params: &Value) -> Result<Examples, ComponentError> {
    let (examples, transform) = (project.join("examples"), project.join("transform"));
    let inputs = [
        ("examples", ArtifactType::Examples, examples.as_path()),
        ("transform", ArtifactType::TransformGraph, transform.as_path()),
    ];
    let out = project.join("features");
    let _ = fs::remove_dir_all(&out);
    run(&FeatureGen, params, &inputs, ("examples", &out), &CancelFlag::default())?;
    Ok(Examples::open(&out).unwrap())
}

/// A column of numbers of a split.
fn numbers(examples: &Examples, split: &str, name: &str) -> Vec<f64> {
    let batches = examples.batches(split, Some(&[name])).unwrap().map(Result::unwrap);
    batches.flat_map(|batch| batch.column(0).as_primitive::<Float64Type>().values().to_vec()).collect()
}

#[test]
fn features_are_examples_of_their_own() {
    let project = project();
    let mut with_encoding = params();
    with_encoding["features"]["paid"] = json!({ "from": "payment_type", "steps": "target_encode" });
    with_encoding["features"]["method"] =
        json!({ "from": "payment_type", "steps": { "vocabulary": { "values": ["Credit Card", "Barter"] } } });
    transform(project.path(), &with_encoding, &CancelFlag::default()).unwrap();
    let table = features(project.path(), &json!({ "keep": ["fare"] })).unwrap();
    let names: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["payment_type", "trip_miles", "miles_bucket", "paid", "method", "big_tip", "fare"]);
    let raw = Examples::open(&project.path().join("examples")).unwrap();
    let rows = |examples: &Examples| {
        examples.splits().iter().map(|split| (split.name.clone(), split.rows)).collect::<Vec<_>>()
    };
    assert_eq!(rows(&table), rows(&raw));

    // Mean 0 and deviation 1 where it was fitted, and about that elsewhere.
    let miles = numbers(&table, "train", "trip_miles");
    let mean = miles.iter().sum::<f64>() / miles.len() as f64;
    let variance = miles.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / miles.len() as f64;
    assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-12, "{mean} {variance}");
    assert!(numbers(&table, "eval", "trip_miles").iter().sum::<f64>().abs() > 1e-6);
    // Rows of the train split have encodings of several folds, those of others one for each value.
    let encodings = |split: &str| {
        let mut found = numbers(&table, split, "paid");
        found.sort_by(f64::total_cmp);
        found.dedup();
        found.len()
    };
    assert_eq!((encodings("eval"), encodings("train") > 3), (3, true));
    let batch = table.batches("eval", Some(&["payment_type", "method"])).unwrap().next().unwrap().unwrap();
    let (fitted, given) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
    let card =
        fitted.iter().zip(given).filter_map(|(code, given)| given.map(|given| (code, given))).collect::<Vec<_>>();
    assert!(!card.is_empty() && card.iter().all(|pair| *pair == card[0] && pair.1 == 0), "{card:?}");
    assert!(given.null_count() > 0, "a value that is not listed is missing");

    let alone = features(project.path(), &json!({ "label": false })).unwrap();
    assert_eq!(alone.schema().fields().len(), 5);
    let error = features(project.path(), &json!({ "keep": ["fair"] })).unwrap_err();
    assert_eq!((error.code, error.place), (Code::ColumnNotFound, vec!["keep".to_owned()]));
    let error = features(project.path(), &json!({ "keep": ["trip_miles"] })).unwrap_err();
    assert_eq!(error.code, Code::DuplicateColumn);
}
