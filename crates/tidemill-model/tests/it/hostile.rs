//! Packages, learners and graphs that were made to break something.

use serde_json::json;
use tidemill_model::{Learner, Manifest, Model, TransformGraph};

#[test]
fn learners_of_absurd_size_are_refused() {
    // A head that claims 2^29 features, and one leaf.
    let mut bytes = crate::common::learner().encode();
    bytes[16..20].copy_from_slice(&(1_u32 << 29).to_le_bytes());
    let error = Learner::decode("trees", &bytes).unwrap_err().to_string();
    assert!(error.contains("536870912 features are more than"), "{error}");
}

#[test]
fn transform_graphs_that_unfold_are_refused() {
    let parse =
        |graph: serde_json::Value| serde_json::from_value::<TransformGraph>(graph).map_err(|error| error.to_string());
    let inputs = json!([{ "name": "t", "datatype": "BYTES", "optional": true }]);
    let feature = |at: usize| json!({ "name": at.to_string(), "column": "t", "nodes": [{ "hash_buckets": { "buckets": 1024 } }, "one_hot"] });
    let few: Vec<_> = (0..3).map(feature).collect();
    assert_eq!(parse(json!({ "format": 1, "inputs": inputs, "features": few })).unwrap().features().len(), 3072);
    let many: Vec<_> = (0..1025).map(feature).collect();
    let error = parse(json!({ "format": 1, "inputs": inputs, "features": many })).unwrap_err();
    assert!(error.contains("more than 1048576 features"), "{error}");
    // Steps within steps.
    let mut deep = json!({ "z_score": { "mean": 0.0, "std_dev": 1.0 } });
    for _ in 0..200 {
        deep = json!({ "by_key": { "column": "t", "values": { "strings": [] }, "nodes": [], "other": deep } });
    }
    let feature = json!([{ "name": "f", "column": "t", "nodes": [deep] }]);
    let text = json!({ "format": 1, "inputs": inputs, "features": feature }).to_string();
    assert!(serde_json::from_str::<TransformGraph>(&text).is_err());
}

#[test]
fn every_cut_and_every_flip_of_a_package_is_refused_or_harmless() {
    let kept = tempfile::tempdir().unwrap();
    crate::common::write(kept.path());
    for name in ["model.json", "transform.json", "learner.bin", "sample.json"] {
        let bytes = std::fs::read(kept.path().join(name)).unwrap();
        let step = (bytes.len() / 60).max(1);
        for at in (0..bytes.len()).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x21;
            for content in [bytes[..at].to_vec(), flipped] {
                let dir = tempfile::tempdir().unwrap();
                for entry in std::fs::read_dir(kept.path()).unwrap() {
                    let file = entry.unwrap().path();
                    std::fs::copy(&file, dir.path().join(file.file_name().unwrap())).unwrap();
                }
                std::fs::write(dir.path().join(name), &content).unwrap();
                // The manifest vouches for the other files; with the right digest they have to stand on their own.
                let as_it_is = Model::load(dir.path());
                if name == "model.json" {
                    if let Ok(model) = as_it_is {
                        drop(model.replay_sample());
                    }
                    continue;
                }
                assert!(as_it_is.is_err(), "{name} at {at}");
                let path = dir.path().join("model.json");
                let mut manifest: Manifest = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                let entry = manifest.files.get_mut(name).unwrap();
                entry.bytes = content.len() as u64;
                entry.digest = tidemill_core::Digest::from_bytes(blake3::hash(&content).as_bytes());
                std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
                if let Ok(model) = Model::load(dir.path()) {
                    drop(model.replay_sample());
                }
            }
        }
    }
}
