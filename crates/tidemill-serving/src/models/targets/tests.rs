use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use self::support::grpc::{bools, doubles, infer, longs, oip, spec, texts};
use self::support::{Packages, Running, options, servable};
use super::*;
use crate::inference::compute_pool::ComputePool;
use crate::inference::request::InferenceRequest;
use crate::inference::signature::TargetSignature;
use crate::inference::target::{Inference, Thread};
use crate::models::versions::Selector;
use crate::proto::inference::InferTensorContents;
use crate::proto::tensorflow::serving::PredictRequest;
use crate::proto::tensorflow::serving::model_spec::VersionChoice;
use crate::{Batching, BatchingOptions, ServerOptions, StaticSource};

#[path = "../../../tests/support/mod.rs"]
mod support;

/// Sends every other request to the second target.
#[derive(Debug)]
struct Split {
    signature: TargetSignature,
    targets: [Arc<dyn Target>; 2],
    requests: AtomicUsize,
}

impl Target for Split {
    fn signature(&self) -> &TargetSignature {
        &self.signature
    }

    fn compute_pool(&self) -> &ComputePool {
        self.targets[0].compute_pool()
    }

    fn infer(&self, request: InferenceRequest, thread: Thread<'_>) -> Inference {
        // A request that comes back on a compute thread is not counted twice.
        let number = match thread {
            Thread::Io => self.requests.fetch_add(1, Ordering::Relaxed),
            Thread::Compute(_) => self.requests.load(Ordering::Relaxed).wrapping_sub(1),
        };
        self.targets[number % 2].infer(request, thread)
    }
}

/// A server whose name `both` leads to versions 1 and 2 in turn.
fn split_server(batching: Batching) -> (Running, Packages) {
    let packages = Packages::new();
    let servables = [(1, 0.0), (2, 1.5)].map(|(version, score)| servable("taxi", version, &packages.taxi(score), &[]));
    let batching = BatchingOptions { mode: batching, ..BatchingOptions::default() };
    let options = ServerOptions { batching, ..options() };
    let server = Running::start(options, Arc::new(StaticSource::new(servables.to_vec())));
    let version =
        |version| -> Arc<dyn Target> { server.handle.models.version("taxi", &Selector::Version(version)).unwrap() };
    let targets = [version(1), version(2)];
    let signature = TargetSignature { name: "both".to_owned(), version: None, ..targets[0].signature().clone() };
    let split: Arc<dyn Target> = Arc::new(Split { signature, targets, requests: AtomicUsize::new(0) });
    server.handle.models.targets.set("both", &split);
    (server, packages)
}

#[test]
fn a_split_answers_over_every_protocol_as_the_version_it_chooses() {
    for batching in [Batching::Off, Batching::Fixed] {
        let (server, _packages) = split_server(batching);
        let rows = json!({ "instances": [{ "fare": 12.5, "seconds": 600, "company": "Flash", "shared": true }] });
        let predict = |model: &str| server.post(&format!("/v1/models/{model}:predict"), rows.to_string()).1;
        let expected: Vec<Value> = [1, 2]
            .iter()
            .map(|version| predict(&format!("taxi/versions/{version}"))["predictions"][0].clone())
            .collect();
        assert_ne!(expected[0], expected[1]);
        let both = [&expected[0], &expected[1]];

        let rest: Vec<Value> = (0..2).map(|_| predict("both")["predictions"][0].clone()).collect();
        assert_eq!(rest.iter().collect::<Vec<_>>(), both);

        let columns = json!({ "inputs": [
            { "name": "fare", "datatype": "FP64", "shape": [1], "data": [12.5] },
            { "name": "seconds", "datatype": "INT64", "shape": [1], "data": [600] },
            { "name": "company", "datatype": "BYTES", "shape": [1], "data": ["Flash"] },
            { "name": "shared", "datatype": "BOOL", "shape": [1], "data": [true] },
        ] });
        for version in 0..2 {
            let (status, answer) = server.post("/v2/models/both/infer", columns.to_string());
            assert_eq!((status, &answer["model_name"]), (200, &json!("both")), "{answer}");
            assert_eq!(answer["model_version"], json!((version + 1).to_string()));
            assert_eq!(answer["outputs"][0]["data"][0], *both[version]);
        }

        let mut prediction = server.prediction();
        for version in 0..2 {
            let inputs = [
                ("fare", doubles(&[12.5])),
                ("seconds", longs(&[600])),
                ("company", texts(&["Flash"])),
                ("shared", bools(&[true])),
            ];
            let inputs = inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
            let request = PredictRequest { model_spec: Some(spec("both")), inputs, ..PredictRequest::default() };
            let answer = server.runtime.block_on(prediction.predict(request)).unwrap().into_inner();
            let answered_by = answer.model_spec.unwrap();
            assert_eq!(answered_by.name, "both");
            assert_eq!(answered_by.version_choice, Some(VersionChoice::Version(version as i64 + 1)));
            let output = answer.outputs.values().next().unwrap();
            assert_eq!(json!(output.double_val[0]), *both[version]);
        }

        let mut inference = server.inference();
        for version in 0..2 {
            let contents = InferTensorContents::default;
            let inputs = vec![
                oip("fare", "FP64", 1, Some(InferTensorContents { fp64_contents: vec![12.5], ..contents() })),
                oip("seconds", "INT64", 1, Some(InferTensorContents { int64_contents: vec![600], ..contents() })),
                oip(
                    "company",
                    "BYTES",
                    1,
                    Some(InferTensorContents { bytes_contents: vec!["Flash".into()], ..contents() }),
                ),
                oip("shared", "BOOL", 1, Some(InferTensorContents { bool_contents: vec![true], ..contents() })),
            ];
            let request = crate::proto::inference::ModelInferRequest { model_name: "both".to_owned(), ..infer(inputs) };
            let answer = server.runtime.block_on(inference.model_infer(request)).unwrap().into_inner();
            assert_eq!((answer.model_name.as_str(), answer.model_version), ("both", (version + 1).to_string()));
            let output = answer.outputs[0].contents.as_ref().unwrap();
            assert_eq!(json!(output.fp64_contents[0]), *both[version]);
        }

        let (status, metadata) = server.get("/v2/models/both");
        assert_eq!((status, &metadata["name"], &metadata["inputs"][0]["name"]), (200, &json!("both"), &json!("fare")));
        assert_eq!(server.get("/v2/models/both/ready").0, 200);
    }
}

/// What the protocols may know ends at the signature of a target.
#[test]
fn protocols_never_see_a_loaded_version() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocol")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for word in ["ServedVersion", "VersionTarget", "AnyModel", "LoadedModel"] {
                    assert!(!text.contains(word), "{} names {word}", path.display());
                }
            }
        }
    }
}
