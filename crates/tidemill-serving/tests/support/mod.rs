//! What the tests of the server share: small packages, a running server, a client.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod grpc;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::trees::{CategorySet, Node as TreeNode, Rule, Split, Tree};
use tidemill_model::{
    Feature, Keys, LabelSpec, Learner, Mapper, PackageParts, Task, TransformGraph, TreeEnsemble, steps, write_package,
};
use tidemill_serving::{Handle, Servable, Server, ServerOptions, Source, StaticSource};
use tokio::sync::oneshot;

pub const MODEL: &str = "taxi";

fn spec(name: &str, datatype: DataType, optional: bool) -> TensorSpec {
    TensorSpec::new(name, datatype, optional)
}

fn feature(name: &str, nodes: Vec<Mapper>) -> Feature {
    Feature::new(name, name, nodes)
}

fn split(feature: u32, rule: Rule, left: u32, right: u32) -> TreeNode {
    TreeNode::Split(Split { feature, rule, missing_left: false, left, right })
}

fn leaf(value: f64) -> TreeNode {
    TreeNode::Leaf { value }
}

/// Five inputs of all types: `fare` and `seconds` required, the others optional.
fn taxi_graph() -> TransformGraph {
    let inputs = vec![
        spec("fare", DataType::Fp64, false),
        spec("seconds", DataType::Int64, false),
        spec("miles", DataType::Fp64, true),
        spec("company", DataType::Bytes, true),
        spec("shared", DataType::Bool, true),
    ];
    let companies = ["Blue", "Flash", "Grün"].map(str::to_owned).to_vec();
    let features = vec![
        feature("fare", vec![Mapper::ZScore(steps::ZScore { mean: 11.7, std_dev: 3.3 })]),
        feature("seconds", vec![Mapper::Log1p]),
        feature("miles", Vec::new()),
        feature(
            "company",
            vec![Mapper::Vocabulary(steps::Vocabulary { values: Keys::Strings(companies), oov_buckets: 2 })],
        ),
        feature("shared", vec![Mapper::Categorical(steps::Categorical { values: None })]),
    ];
    let label = LabelSpec::new("big_tip", "tips > 2");
    TransformGraph::new(inputs, Some(label), features).unwrap()
}

fn taxi_trees(task: Task, base_score: f64) -> Learner {
    let trees = vec![
        Tree::new(vec![
            split(0, Rule::AtMost(0.1), 1, 2),
            split(3, Rule::OneOf([0, 3].into_iter().collect::<CategorySet>()), 3, 4),
            leaf(0.731),
            leaf(-0.123_456_789),
            leaf(0.3),
        ])
        .unwrap(),
        Tree::new(vec![
            split(1, Rule::AtMost(6.0), 1, 2),
            leaf(0.1),
            split(2, Rule::AtMost(2.5), 3, 4),
            leaf(0.07),
            leaf(-0.9),
        ])
        .unwrap(),
        Tree::new(vec![split(4, Rule::OneOf([1].into_iter().collect::<CategorySet>()), 1, 2), leaf(0.2), leaf(-0.2)])
            .unwrap(),
    ];
    Learner::Trees(TreeEnsemble::new(task, 5, base_score, trees).unwrap())
}

fn taxi_sample() -> RecordBatch {
    let columns: [(&str, ArrayRef); 5] = [
        ("fare", Arc::new(Float64Array::from(vec![12.5, 3.25, 40.0, 0.1]))),
        ("seconds", Arc::new(Int64Array::from(vec![600, 60, 3600, 1]))),
        ("miles", Arc::new(Float64Array::from(vec![Some(2.3), None, Some(11.0), Some(f64::INFINITY)]))),
        ("company", Arc::new(StringArray::from(vec![Some("Flash"), Some("Grün"), None, Some("other")]))),
        ("shared", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Writes a package into `dir`. `base_score` tells one version from another.
pub fn write_taxi(dir: &Path, task: Task, base_score: f64) {
    std::fs::create_dir_all(dir).unwrap();
    let parts = PackageParts {
        name: MODEL.to_owned(),
        pipeline: "taxi-tips".to_owned(),
        label: taxi_graph().label().unwrap().clone(),
        task: task.clone(),
        graph: taxi_graph(),
        learner: taxi_trees(task, base_score),
        learner_params: json!({}),
        training: json!({}),
        decision_threshold: None,
        schema_digest: None,
        sample: taxi_sample(),
        card: String::new(),
    };
    write_package(dir, &parts).unwrap();
}

/// `half_plus_two` of TF Serving's own examples as a tree: one input `x`, output x ↦ 2.5, 3.0, 4.5 at 1, 2, 5.
pub fn write_half_plus_two(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let graph =
        TransformGraph::new(vec![spec("x", DataType::Fp64, false)], None, vec![feature("x", Vec::new())]).unwrap();
    let tree = Tree::new(vec![
        split(0, Rule::AtMost(1.0), 1, 2),
        leaf(2.5),
        split(0, Rule::AtMost(2.0), 3, 4),
        leaf(3.0),
        leaf(4.5),
    ]);
    let parts = PackageParts {
        name: "half_plus_two".to_owned(),
        pipeline: "half".to_owned(),
        label: LabelSpec::new("y", "y"),
        task: Task::Regression,
        graph,
        learner: Learner::Trees(TreeEnsemble::new(Task::Regression, 1, 0.0, vec![tree.unwrap()]).unwrap()),
        learner_params: json!({}),
        training: json!({}),
        decision_threshold: None,
        schema_digest: None,
        sample: RecordBatch::try_from_iter([("x", Arc::new(Float64Array::from(vec![1.0, 5.0])) as ArrayRef)]).unwrap(),
        card: String::new(),
    };
    write_package(dir, &parts).unwrap();
}

/// As `half_plus_two`, and with so many trees that add nothing: it takes its time.
pub fn write_forest(dir: &Path, trees: usize) {
    std::fs::create_dir_all(dir).unwrap();
    let graph =
        TransformGraph::new(vec![spec("x", DataType::Fp64, false)], None, vec![feature("x", Vec::new())]).unwrap();
    let tree =
        |at: usize| Tree::new(vec![split(0, Rule::AtMost((at % 7) as f64), 1, 2), leaf(0.0), leaf(0.0)]).unwrap();
    let ensemble = TreeEnsemble::new(Task::Regression, 1, 2.5, (0..trees).map(tree).collect()).unwrap();
    let parts = PackageParts {
        name: "forest".to_owned(),
        pipeline: "forest".to_owned(),
        label: LabelSpec::new("y", "y"),
        task: Task::Regression,
        graph,
        learner: Learner::Trees(ensemble),
        learner_params: json!({}),
        training: json!({}),
        decision_threshold: None,
        schema_digest: None,
        sample: RecordBatch::try_from_iter([("x", Arc::new(Float64Array::from(vec![1.0, 5.0])) as ArrayRef)]).unwrap(),
        card: String::new(),
    };
    write_package(dir, &parts).unwrap();
}

pub fn servable(name: &str, version: u64, path: &Path, labels: &[&str]) -> Servable {
    Servable {
        name: name.to_owned(),
        version,
        path: path.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        default: false,
    }
}

/// Options of a test: a free port, and a poll only when asked for.
pub fn options() -> ServerOptions {
    ServerOptions {
        rest_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        grpc_addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        poll_interval: Duration::from_hours(1),
        request_body_bytes_max: 1 << 20,
        ..ServerOptions::default()
    }
}

/// As [`options`], with model control: clients may name folders of tests.
pub fn controlled() -> ServerOptions {
    let roots = vec![std::env::temp_dir()];
    ServerOptions { model_control: true, model_roots: roots.clone(), log_roots: roots, ..options() }
}

/// A server on a thread of its own; it drains and ends when this is dropped.
pub struct Running {
    pub handle: Handle,
    pub runtime: tokio::runtime::Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(options: ServerOptions, source: Arc<dyn Source>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (started, handles) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let server = Server::bind(options, source).await.unwrap();
                started.send((server.handle(), tokio::runtime::Handle::current())).unwrap();
                server.run(async { drop(stopped.await) }).await.unwrap();
            });
        });
        let (handle, runtime) = handles.recv().unwrap();
        runtime.block_on(handle.loads_finished());
        Self { handle, runtime, stop: Some(stop), thread: Some(thread) }
    }

    pub fn of(servables: Vec<Servable>) -> (Self, StaticSource) {
        let source = StaticSource::new(servables);
        (Self::start(options(), Arc::new(source.clone())), source)
    }

    /// As [`of`](Self::of), with model control.
    pub fn controlled(servables: Vec<Servable>) -> Self {
        Self::start(controlled(), Arc::new(StaticSource::new(servables)))
    }

    /// Has the source asked and waits until everything it lists is available or broken.
    pub fn poll(&self) {
        assert!(self.runtime.block_on(self.handle.poll_now()));
        self.runtime.block_on(self.handle.loads_finished());
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.handle.local_addr())
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        parsed(agent().get(self.url(path)).call().unwrap())
    }

    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> (u16, Value) {
        parsed(agent().post(self.url(path)).send(body.as_ref()).unwrap())
    }

    pub fn post_text(&self, path: &str, body: &str) -> (u16, String) {
        let mut response = agent().post(self.url(path)).send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    /// The message of the error a request gets.
    pub fn error(&self, path: &str, body: &str) -> (u16, String) {
        let (status, reply) = self.post(path, body);
        assert!(status >= 400, "{body} was answered {status}: {reply}");
        assert_eq!(reply.as_object().map(serde_json::Map::len), Some(2), "{reply}");
        let code = reply["code"].as_str().unwrap();
        assert!(code.len() == 6 && code.starts_with("TM"), "{reply}");
        (status, reply["error"].as_str().unwrap().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

pub fn parsed(mut response: ureq::http::Response<ureq::Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    let text = response.body_mut().read_to_string().unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}")))
}

/// A folder with one package of the taxi model in it.
pub struct Packages {
    folder: tempfile::TempDir,
}

impl Packages {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The binary taxi model with this base score.
    pub fn taxi(&self, base_score: f64) -> PathBuf {
        let path = self.folder.path().join(format!("taxi-{base_score}"));
        write_taxi(&path, Task::Binary, base_score);
        path
    }

    pub fn regression(&self) -> PathBuf {
        let path = self.folder.path().join("regression");
        write_taxi(&path, Task::Regression, 0.5);
        path
    }

    pub fn half_plus_two(&self) -> PathBuf {
        let path = self.folder.path().join("half");
        write_half_plus_two(&path);
        path
    }

    /// A package whose learner is cut short.
    pub fn broken(&self) -> PathBuf {
        let path = self.folder.path().join("broken");
        write_taxi(&path, Task::Binary, 0.0);
        let learner = path.join("learner.bin");
        let bytes = std::fs::read(&learner).unwrap();
        std::fs::write(learner, &bytes[..bytes.len() / 2]).unwrap();
        path
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}
