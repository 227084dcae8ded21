use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};

use serde_json::{Value, json};

use self::support::grpc::{bools, doubles, infer, longs, oip, spec, texts};
use self::support::{Packages, Running, options, servable};
use super::*;
use crate::inference::compute_pool::{ComputePool, PoolOptions};
use crate::inference::request::InferenceRequest;
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
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
        // A request that comes again on a compute thread is not counted twice.
        let number = match thread {
            Thread::Io => self.requests.fetch_add(1, Ordering::Relaxed),
            Thread::Compute(_) => self.requests.load(Ordering::Relaxed).wrapping_sub(1),
        };
        self.targets[number % 2].infer(request, thread)
    }
}

/// A server whose name `both` leads to versions 1 and 2 alternately.
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
            let response_spec = answer.model_spec.unwrap();
            assert_eq!(response_spec.name, "both");
            assert_eq!(response_spec.version_choice, Some(VersionChoice::Version(version as i64 + 1)));
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

/// Runs the script of a test, on compute threads only.
#[derive(Debug)]
struct Scripted {
    signature: TargetSignature,
    pool: ComputePool,
    script: Script,
    /// Reports that work has begun, or ended.
    told: Mutex<mpsc::Sender<&'static str>>,
}

#[derive(Debug)]
enum Script {
    /// Answers when the test releases it.
    Wait(Mutex<mpsc::Receiver<()>>),
    /// Works until the client has left.
    UntilCancelled,
    /// Fails with a secret in its error.
    Fail,
    Panic,
}

impl Target for Scripted {
    fn signature(&self) -> &TargetSignature {
        &self.signature
    }

    fn compute_pool(&self) -> &ComputePool {
        &self.pool
    }

    fn infer(&self, request: InferenceRequest, thread: Thread<'_>) -> Inference {
        let Thread::Compute(cancelled) = thread else { return Inference::NeedsComputeThread(request) };
        let tell = |what| self.told.lock().unwrap().send(what).unwrap();
        match &self.script {
            Script::Wait(released) => {
                tell("begun");
                released.lock().unwrap().recv().unwrap();
            }
            Script::UntilCancelled => {
                while cancelled.check().is_ok() {
                    std::thread::yield_now();
                }
                tell("cancelled");
            }
            Script::Fail => return Inference::Done(Err(RequestError::internal("the secret of /etc/shadow"))),
            Script::Panic => panic!("the secret of /etc/shadow"),
        }
        let scores: ArrayRef = Arc::new(Float64Array::from(vec![0.5; request.batch.num_rows()]));
        let predictions = RecordBatch::try_from_iter([("probability", scores)]).unwrap();
        Inference::Done(Ok(InferenceResponse { predictions, version: None }))
    }
}

const ROWS: &str = r#"{"instances":[{"fare":12.5,"seconds":600}]}"#;

/// A server with the taxi model, and with `scripted` under a name of its own.
fn scripted_server(script: Script, timeout: Duration) -> (Running, mpsc::Receiver<&'static str>, Packages) {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![servable("taxi", 1, &packages.taxi(0.0), &[])]);
    let taxi = server.handle.models.version("taxi", &Selector::Latest).unwrap();
    let signature = TargetSignature { name: "scripted".to_owned(), version: None, ..taxi.signature().clone() };
    let pool = ComputePool::new(PoolOptions { threads: 2, waiting_max: 64, timeout });
    let (told, hears) = mpsc::channel();
    let target: Arc<dyn Target> = Arc::new(Scripted { signature, pool, script, told: Mutex::new(told) });
    server.handle.models.targets.set("scripted", &target);
    (server, hears, packages)
}

#[test]
fn a_slow_target_delays_neither_health_nor_other_models() {
    let (release, released) = mpsc::channel();
    let (server, hears, _packages) = scripted_server(Script::Wait(Mutex::new(released)), Duration::from_mins(1));
    let clients = 32;
    std::thread::scope(|scope| {
        let slow: Vec<_> =
            (0..clients).map(|_| scope.spawn(|| server.post("/v1/models/scripted:predict", ROWS))).collect();
        // Both of its threads are busy; the test releases them only after the others are answered.
        assert_eq!((hears.recv().unwrap(), hears.recv().unwrap()), ("begun", "begun"));
        for _ in 0..50 {
            assert_eq!(server.get("/livez").0, 200);
            assert_eq!(server.get("/readyz").0, 200);
            assert_eq!(server.post("/v1/models/taxi:predict", ROWS).0, 200);
        }
        for _ in 0..clients {
            release.send(()).unwrap();
        }
        for client in slow {
            assert_eq!(client.join().unwrap(), (200, json!({ "predictions": [0.5] })));
        }
    });
}

#[test]
fn work_is_cancelled_when_its_time_is_over_or_its_client_is_gone() {
    let (server, hears, _packages) = scripted_server(Script::UntilCancelled, Duration::from_millis(20));
    let (status, reply) = server.post("/v1/models/scripted:predict", ROWS);
    assert_eq!(status, 504, "{reply}");
    assert_eq!(hears.recv().unwrap(), "cancelled");
    let (patient, hears, _packages) = scripted_server(Script::UntilCancelled, Duration::from_mins(1));
    let mut prediction = patient.prediction();
    let inputs = [("fare", doubles(&[12.5])), ("seconds", longs(&[600]))];
    let inputs = inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    let mut request =
        tonic::Request::new(PredictRequest { model_spec: Some(spec("scripted")), inputs, ..PredictRequest::default() });
    request.set_timeout(Duration::from_millis(20));
    let status = patient.runtime.block_on(prediction.predict(request)).unwrap_err();
    assert!(matches!(status.code(), tonic::Code::DeadlineExceeded | tonic::Code::Cancelled), "{status}");
    assert_eq!(hears.recv().unwrap(), "cancelled");
}

#[test]
fn what_goes_wrong_inside_stays_inside() {
    for script in [Script::Fail, Script::Panic] {
        let (server, _hears, _packages) = scripted_server(script, Duration::from_mins(1));
        let (status, message) = server.error("/v1/models/scripted:predict", ROWS);
        assert!(status == 500 && message.starts_with("internal error") && !message.contains("secret"), "{message}");
        let (_, reply) = server.post("/v1/models/scripted:predict", ROWS);
        assert_eq!(reply["code"], "TM9002");
        let mut prediction = server.prediction();
        let inputs = [("fare", doubles(&[12.5])), ("seconds", longs(&[600]))];
        let inputs = inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
        let request = PredictRequest { model_spec: Some(spec("scripted")), inputs, ..PredictRequest::default() };
        let status = server.runtime.block_on(prediction.predict(request)).unwrap_err();
        assert_eq!(status.code(), tonic::Code::Internal);
        assert!(!status.message().contains("secret"), "{status}");
        assert_eq!(status.metadata().get("tidemill-error-code").unwrap(), "TM9002");
    }
}

#[test]
fn only_a_model_that_was_measured_to_be_quick_runs_on_the_io_threads() {
    let packages = Packages::new();
    let forest = packages.path().join("forest");
    support::write_forest(&forest, 400_000);
    let (server, _) =
        Running::of(vec![servable("half", 1, &packages.half_plus_two(), &[]), servable("forest", 1, &forest, &[])]);
    let rows = |name| server.handle.models.version(name, &Selector::Latest).unwrap().version().inline_rows();
    assert!(rows("half") > 0);
    assert_eq!(rows("forest"), 0);
    let body = r#"{"instances":[1.0,2.0,5.0]}"#;
    assert_eq!(server.post("/v1/models/forest:predict", body), (200, json!({ "predictions": [2.5, 2.5, 2.5] })));
    assert_eq!(server.post("/v1/models/half:predict", body), (200, json!({ "predictions": [2.5, 3.0, 4.5] })));
}

/// Protocols depend on nothing past the signature of a target.
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
                for word in ["ServedVersion", "VersionTarget", "LoadedModel", "LoadedModel"] {
                    assert!(!text.contains(word), "{} names {word}", path.display());
                }
            }
        }
    }
}
