//! The component that judges a candidate in the serving runtime.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::Packages;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, CancelFlag, Code, Component as _, ComponentError, Digest, InputArtifact, NoProgress, Outcome,
    Properties, RunInfo, StepContext, Tone, Verdict,
};
use tidemill_serving::InfraValidator;

fn run(package: &Path, params: &Value, cancel: &CancelFlag) -> (Result<Outcome, ComponentError>, Vec<u8>) {
    let output = tempfile::tempdir().unwrap();
    let model = InputArtifact {
        artifact_type: ArtifactType::Model,
        digest: Digest::from_bytes(&[1; 32]),
        path: package.to_owned(),
        properties: Properties::new(),
    };
    let context = StepContext {
        params,
        project_dir: Path::new("."),
        inputs: &BTreeMap::from([("model".to_owned(), model)]),
        outputs: &BTreeMap::from([("infra_blessing".to_owned(), output.path().to_owned())]),
        progress: &NoProgress,
        cancel,
        threads: 2,
        run: &RunInfo { pipeline: "taxi-tips".to_owned(), run_id: "1".to_owned(), step: "infra".to_owned() },
        work: None,
    };
    let outcome = InfraValidator.run(&context);
    (outcome, std::fs::read(output.path().join("infra_blessing.json")).unwrap_or_default())
}

fn judged(package: &Path, params: &Value) -> (Outcome, Value) {
    let (outcome, artifact) = run(package, params, &CancelFlag::default());
    (outcome.unwrap(), serde_json::from_slice(&artifact).unwrap())
}

fn reasons(outcome: &Outcome) -> Vec<String> {
    match &outcome.verdict {
        Verdict::Pass => Vec::new(),
        Verdict::Fail(reasons) => reasons.clone(),
    }
}

#[test]
fn a_sound_model_is_blessed_and_its_latency_is_reported() {
    let packages = Packages::new();
    let (outcome, artifact) = judged(&packages.taxi(0.5), &json!({ "latency_p99_ms": 10_000 }));
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert!(outcome.headline.starts_with("4 sample rows identical over REST, p99 "), "{}", outcome.headline);
    let properties = &outcome.properties["infra_blessing"];
    assert_eq!((&properties["blessed"], &properties["sample_rows"]), (&json!(true), &json!(4)));
    assert!(properties["latency_p50_ms"].as_f64().unwrap() <= properties["latency_p99_ms"].as_f64().unwrap());
    assert_eq!(outcome.tables[0].rows[2].0, Tone::Good);
    assert_eq!(
        artifact,
        json!({
            "format": 1, "model": "01".repeat(32), "blessed": true, "reasons": [], "sample_rows": 4,
            "protocols": ["tensorflow_serving_rest", "open_inference_protocol_rest"],
            "limits": { "latency_p99_ms": 10_000.0, "max_load_secs": 300.0 },
        })
    );
}

#[test]
fn the_artifact_has_the_same_bytes_each_time() {
    let package = Packages::new();
    let path = package.taxi(0.5);
    let params = json!({});
    let cancel = CancelFlag::default();
    assert_eq!(run(&path, &params, &cancel).1, run(&path, &params, &cancel).1);
}

#[test]
fn a_corrupt_package_is_not_blessed_and_no_path_leaks_into_the_artifact() {
    let packages = Packages::new();
    let (outcome, artifact) = judged(&packages.broken(), &json!({}));
    let reasons = reasons(&outcome);
    assert!(reasons[0].contains("could not be loaded") && reasons[0].contains("learner.bin"), "{reasons:?}");
    assert!(outcome.headline.starts_with("not blessed: "), "{}", outcome.headline);
    assert_eq!(artifact["blessed"], json!(false));
    let folder = packages.path().display().to_string();
    assert!(!artifact.to_string().contains(&folder), "{artifact}");
    let (outcome, _) = judged(&PathBuf::from("/no/such/package"), &json!({}));
    assert!(!outcome.verdict.passed());
}

#[test]
fn limits_of_latency_and_loading_time_are_kept() {
    let packages = Packages::new();
    let (outcome, artifact) = judged(&packages.taxi(0.5), &json!({ "latency_p99_ms": 0.000_001 }));
    assert!(reasons(&outcome)[0].contains("above 0.000001 ms"), "{:?}", outcome.verdict);
    assert_eq!(
        artifact["reasons"],
        json!(["the p99 latency is above 0.000001 ms"]),
        "the figure is not in the artifact"
    );
    assert_eq!(outcome.tables[0].rows[2].0, Tone::Bad);
    let (outcome, _) = judged(&packages.taxi(0.5), &json!({ "max_load_secs": 0.000_000_001 }));
    assert_eq!(reasons(&outcome), ["the model was not loaded within 0.000000001 s"]);
}

#[test]
fn parameters_are_checked_and_a_cancelled_run_stops() {
    let issues = |params: Value| InfraValidator.check(&params);
    assert_eq!(issues(json!({ "latency_p99_ms": 20 })), []);
    assert_eq!(issues(json!({ "latency_p99_m": 20 }))[0].hint.as_deref(), Some("did you mean `latency_p99_ms`?"));
    assert_eq!(issues(json!({ "latency_p99_ms": -1 }))[0].path, ["latency_p99_ms"]);
    assert_eq!(issues(json!({ "max_load_secs": 0 }))[0].path, ["max_load_secs"]);
    let packages = Packages::new();
    let cancel = CancelFlag::default();
    cancel.cancel();
    assert_eq!(run(&packages.taxi(0.5), &json!({}), &cancel).0.unwrap_err().code, Code::Canceled);
}

#[tokio::test]
async fn the_caller_may_be_on_an_async_runtime() {
    let packages = Packages::new();
    assert_eq!(judged(&packages.taxi(0.5), &json!({})).0.verdict, Verdict::Pass);
}

#[test]
fn every_percentile_and_the_size_may_have_a_bound_and_latency_several_tries() {
    let packages = Packages::new();
    let package = packages.taxi(0.5);
    let (outcome, artifact) = judged(&package, &json!({ "latency_p50_ms": 1e-6, "latency_p95_ms": 1e-6, "tries": 2 }));
    let reasons = reasons(&outcome);
    assert!(reasons.len() == 2 && reasons[0].starts_with("the p50 latency is "), "{reasons:?}");
    assert_eq!(
        artifact["reasons"],
        json!(["the p50 latency is above 0.000001 ms", "the p95 latency is above 0.000001 ms"])
    );
    let tones: Vec<Tone> = outcome.tables[0].rows.iter().map(|row| row.0).collect();
    assert_eq!(tones, [Tone::Bad, Tone::Bad, Tone::Plain]);
    let (outcome, artifact) = judged(&package, &json!({ "max_size_mib": 1e-6 }));
    assert!(
        !outcome.verdict.passed() && artifact["reasons"][0].as_str().unwrap().contains(" MiB, above "),
        "{artifact}"
    );
    let (outcome, _) = judged(&package, &json!({ "max_size_mib": 100, "latency_p95_ms": 10_000, "tries": 3 }));
    assert!(outcome.verdict.passed());
    let issues = InfraValidator.check(&json!({ "tries": 0, "latency_p50_ms": -1, "max_size_mib": 0 }));
    assert_eq!(issues.len(), 3, "{issues:?}");
}
