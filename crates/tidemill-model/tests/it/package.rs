//! A package is written once, read strictly, and predicts the same from it.

use std::fs;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use serde_json::{Value, json};
use tidemill_core::{Code, Coded as _};
use tidemill_model::{FeatureBlock, Model, ModelError, write_package};

fn written() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    crate::common::write(dir.path());
    dir
}

fn text(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).unwrap()
}

fn edit(dir: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&text(dir, file)).unwrap();
    change(&mut value);
    fs::write(dir.join(file), serde_json::to_vec_pretty(&value).unwrap()).unwrap();
}

/// Writes a file anew and tells the manifest, as an attacker or another version could.
fn replace(dir: &Path, file: &str, bytes: &[u8]) {
    fs::write(dir.join(file), bytes).unwrap();
    edit(dir, "model.json", |manifest| {
        manifest["files"][file] = json!({ "digest": blake3::hash(bytes).to_hex().as_str(), "bytes": bytes.len() });
    });
}

fn refused(dir: &Path) -> String {
    let error = Model::load(dir).unwrap_err();
    assert_eq!(error.code(), Code::PackageInvalid, "{error}");
    error.to_string().replace(&dir.display().to_string(), "DIR")
}

#[test]
fn the_files_are_as_recorded() {
    let dir = written();
    for file in ["model.json", "transform.json", "sample.json", "CARD.md"] {
        // The version of the crate is in the manifest; the recorded file should outlive it.
        let version = format!("\"{}\"", env!("CARGO_PKG_VERSION"));
        insta::assert_snapshot!(file, text(dir.path(), file).replace(&version, "\"VERSION\""));
    }
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    let (a, b) = (written(), written());
    for file in ["model.json", "transform.json", "learner.bin", "sample.json", "CARD.md"] {
        assert_eq!(fs::read(a.path().join(file)).unwrap(), fs::read(b.path().join(file)).unwrap(), "{file}");
    }
}

#[test]
fn a_loaded_model_predicts_what_its_parts_do() {
    let dir = written();
    let model = Model::load(dir.path()).unwrap();
    let mut block = FeatureBlock::new();
    let batch = crate::common::batch();
    crate::common::graph().bind(batch.schema_ref()).unwrap().apply(&batch, &mut block).unwrap();
    let expected = crate::common::learner().predict(&block).unwrap().swap_remove(0);

    let predictions = model.predict(&batch).unwrap();
    assert_eq!(predictions.schema().field(0).name(), "probability");
    assert_eq!(predictions.column(0).as_primitive::<Float64Type>().values(), &expected[..]);
    // The last row lacks a feature that a request must have, so it is no sample row.
    assert_eq!(model.replay_sample().unwrap().rows, 3);
    for (sample, expected) in model.sample_rows().iter().zip(&expected) {
        let row = model.batch_from_rows(std::slice::from_ref(&sample.row)).unwrap();
        assert_eq!(model.predict_values(&row).unwrap()[0].to_bits(), expected.to_bits());
    }
    assert_eq!(*model.manifest(), crate::common::write(dir.path()));
    assert_eq!(*model.graph(), crate::common::graph());
    assert_eq!(*model.learner(), crate::common::learner());
}

#[test]
fn a_model_is_shared_between_threads() {
    let dir = written();
    let model = Model::load(dir.path()).unwrap();
    let expected = model.predict_values(&crate::common::batch()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(model.predict_values(&crate::common::batch()).unwrap(), expected);
                }
            });
        }
    });
}

#[test]
fn a_missing_or_altered_file_is_named() {
    let dir = written();
    let dir = dir.path();
    let original = fs::read(dir.join("learner.bin")).unwrap();
    let mut altered = original.clone();
    altered[20] ^= 1;
    fs::write(dir.join("learner.bin"), &altered).unwrap();
    assert_eq!(refused(dir), "`DIR/learner.bin`: it was altered: its digest is not the one in the manifest");
    fs::write(dir.join("learner.bin"), &original[..10]).unwrap();
    assert!(refused(dir).starts_with("`DIR/learner.bin`: it has 10 bytes, and the manifest says"));
    fs::remove_file(dir.join("learner.bin")).unwrap();
    assert_eq!(refused(dir), "`DIR/learner.bin`: the file is missing");
    fs::remove_file(dir.join("model.json")).unwrap();
    assert_eq!(refused(dir), "`DIR/model.json`: the file is missing");
}

#[test]
fn a_newer_format_names_both_versions() {
    let dir = written();
    edit(dir.path(), "model.json", |manifest| manifest["format"] = json!(7));
    assert_eq!(refused(dir.path()), "`DIR/model.json` has format 7, and this version of Tidemill reads up to 1");
    let dir = written();
    replace(dir.path(), "transform.json", br#"{ "format": 2 }"#);
    assert!(refused(dir.path()).starts_with("`DIR/transform.json` has format 2"));
}

#[test]
fn hostile_manifests_are_refused() {
    for name in ["../learner.bin", "/etc/passwd", "..", "a\\b", ""] {
        let dir = written();
        edit(dir.path(), "model.json", |manifest| manifest["files"][name] = manifest["files"]["learner.bin"].clone());
        assert!(refused(dir.path()).starts_with("`DIR/model.json`: it lists a file"), "{name}");
    }
    let dir = written();
    edit(dir.path(), "model.json", |manifest| manifest["files"]["learner.bin"]["bytes"] = json!(u64::MAX));
    assert!(refused(dir.path()).contains("which is too many"));
    let dir = written();
    edit(dir.path(), "model.json", |manifest| {
        manifest["files"].as_object_mut().unwrap().remove("sample.json");
    });
    assert!(refused(dir.path()).contains("`sample.json` is not among its files"));
    let dir = written();
    fs::write(dir.path().join("model.json"), b"{").unwrap();
    assert!(refused(dir.path()).starts_with("`DIR/model.json`: "));
    let dir = written();
    edit(dir.path(), "model.json", |manifest| manifest["signature"]["inputs"][0]["optional"] = json!(true));
    assert!(refused(dir.path()).contains("its signature is not that of the transform graph"));
    let dir = written();
    replace(dir.path(), "learner.bin", b"not a learner");
    assert!(refused(dir.path()).starts_with("`DIR/learner.bin`: "));
}

#[test]
fn a_prediction_that_does_not_come_out_again_is_a_verdict() {
    let dir = written();
    let mut sample: Value = serde_json::from_str(&text(dir.path(), "sample.json")).unwrap();
    let was = sample["rows"][1]["prediction"].as_f64().unwrap();
    sample["rows"][1]["prediction"] = json!(f64::from_bits(was.to_bits() + 1));
    replace(dir.path(), "sample.json", &serde_json::to_vec(&sample).unwrap());
    let error = Model::load(dir.path()).unwrap().replay_sample().unwrap_err();
    assert_eq!(error.code(), Code::SampleMismatch);
    assert!(matches!(error, ModelError::SampleMismatch { row: 1, got, .. } if got == was));
}

#[test]
fn parts_that_do_not_fit_are_refused_and_leave_no_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let mut parts = crate::common::parts();
    parts.task = tidemill_model::Task::Regression;
    assert!(write_package(dir.path(), &parts).unwrap_err().to_string().contains("the learner is for binary"));
    let mut parts = crate::common::parts();
    let features = parts.graph.definitions()[..2].to_vec();
    parts.graph = tidemill_model::TransformGraph::new(parts.graph.inputs().to_vec(), None, features).unwrap();
    let error = write_package(dir.path(), &parts).unwrap_err().to_string();
    assert!(error.contains("the transform graph gives 2 features, and the learner takes 3"), "{error}");
    assert!(!dir.path().join("model.json").exists());
}
