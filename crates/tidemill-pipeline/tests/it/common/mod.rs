//! Toy components: numbers instead of models.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, Digest, ExternalInput, Gate, InputSource, InputSpec,
    NoProgress, Outcome, OutputSpec, ParamIssue, Progress, StepContext, Verdict, parse_params,
};
use tidemill_metadata::{FolderArtifactStore, OpenStore, Run};
use tidemill_pipeline::{Components, Observer, Pipeline, RetryDelay, RunOptions, RunReport, StepReport, Workspace};

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadParams {
    /// The file.
    file: String,
    /// Write to it while it is read.
    #[serde(default)]
    meddle: bool,
}

/// Reads a number from a file.
pub struct Read;

impl Component for Read {
    fn spec(&self) -> ComponentSpec {
        spec("Read", vec![], vec![OutputSpec::new("examples", ArtifactType::Examples)], Gate::Open)
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(ReadParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        parse_params::<ReadParams>(params).err().unwrap_or_default()
    }

    fn external_inputs(&self, params: &Value, dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let name = params["file"].as_str().unwrap().to_owned();
        let bytes = std::fs::read(dir.join(&name))
            .map_err(|_| ComponentError::new(Code::SourceNotFound, format!("there is no file `{name}`")))?;
        Ok(vec![ExternalInput { name, digest: Digest::from_bytes(blake3::hash(&bytes).as_bytes()) }])
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let file = context.project_dir.join(context.params["file"].as_str().unwrap());
        let text = std::fs::read_to_string(&file).unwrap();
        if context.params["meddle"] == true {
            std::fs::write(file, "7\n").unwrap();
        }
        Ok(write(context, "examples", text.trim().parse().unwrap()))
    }
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddParams {
    /// What to add.
    amount: i64,
    /// How to go wrong.
    #[serde(default)]
    trouble: Option<String>,
}

/// Adds to its input, counting how often it really ran.
pub struct Add {
    pub ran: Arc<AtomicUsize>,
    pub name: &'static str,
    pub from: ArtifactType,
    pub to: ArtifactType,
}

impl Component for Add {
    fn spec(&self) -> ComponentSpec {
        spec(self.name, vec![InputSpec::required("from", self.from)], vec![OutputSpec::new("to", self.to)], Gate::Open)
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(AddParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        parse_params::<AddParams>(params).err().unwrap_or_default()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let before = self.ran.fetch_add(1, Ordering::SeqCst);
        match context.params["trouble"].as_str() {
            Some("panic") => panic!("a planted panic"),
            Some("fail") => Err(ComponentError::new(Code::TransformGraph, "planted").with_hint("remove it")),
            Some("flaky") if before < 2 => {
                Err(ComponentError::new(Code::SourceUnreachable, "the network is away for two attempts"))
            }
            Some("wait") => loop {
                context.cancel.check()?;
                std::thread::yield_now();
            },
            _ => Ok(write(context, "to", read(context, "from") + context.params["amount"].as_i64().unwrap())),
        }
    }
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct JudgeParams {
    /// Largest number that passes.
    at_most: i64,
}

/// Says no to numbers that are too large; knows the last number it said yes to.
pub struct Judge {
    pub name: &'static str,
    pub of: ArtifactType,
    pub gate: Gate,
}

impl Component for Judge {
    fn spec(&self) -> ComponentSpec {
        let mut inputs = vec![InputSpec::required("model", self.of)];
        if self.of == ArtifactType::Model {
            let baseline = InputSpec::optional("baseline", ArtifactType::Model);
            inputs.push(InputSpec { source: InputSource::LatestBlessedModel, ..baseline });
        }
        spec(self.name, inputs, vec![OutputSpec::new("blessing", ArtifactType::Blessing)], self.gate)
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(JudgeParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        parse_params::<JudgeParams>(params).err().unwrap_or_default()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let number = read(context, "model");
        let baseline = context.inputs.contains_key("baseline").then(|| read(context, "baseline"));
        let mut outcome = write(context, "blessing", number);
        outcome.headline = baseline.map_or("no baseline".into(), |baseline| format!("baseline {baseline}"));
        if number > context.params["at_most"].as_i64().unwrap() {
            outcome.verdict = Verdict::Fail(vec![format!("{number} is too large")]);
        }
        Ok(outcome)
    }
}

/// A component that a description defines: names and types that no code knows.
pub struct Described(pub Value);

impl Component for Described {
    fn spec(&self) -> ComponentSpec {
        let text = |key: &str| self.0[key].as_str().unwrap().to_owned();
        let artifact_type = |key: &str| -> ArtifactType { text(key).parse().unwrap() };
        ComponentSpec {
            name: text("name").into(),
            about: text("about").into(),
            inputs: vec![InputSpec::required(text("input"), artifact_type("reads"))],
            outputs: vec![OutputSpec::new(text("output"), artifact_type("writes"))],
            ..spec("", vec![], vec![], Gate::Open)
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::json_schema!({ "type": "object" })
    }

    fn check(&self, _: &Value) -> Vec<ParamIssue> {
        Vec::new()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let (input, output) = (self.0["input"].as_str().unwrap(), self.0["output"].as_str().unwrap());
        Ok(write(context, output, read(context, input) * 2))
    }
}

fn spec(name: &'static str, inputs: Vec<InputSpec>, outputs: Vec<OutputSpec>, gate: Gate) -> ComponentSpec {
    ComponentSpec {
        name: name.into(),
        version: 1,
        about: "A toy.".into(),
        inputs,
        outputs,
        gate,
        writes_back: false,
        measures: false,
    }
}

fn read(context: &StepContext<'_>, key: &str) -> i64 {
    std::fs::read_to_string(context.input(key).unwrap().path.join("number")).unwrap().parse().unwrap()
}

fn write(context: &StepContext<'_>, key: &str, number: i64) -> Outcome {
    std::fs::write(context.output(key).join("number"), number.to_string()).unwrap();
    let properties = [("number".to_owned(), json!(number))].into();
    Outcome { headline: number.to_string(), properties: [(key.to_owned(), properties)].into(), ..Outcome::default() }
}

/// A project in a temporary folder, with counters for what really ran.
pub struct Project {
    pub dir: tempfile::TempDir,
    pub workspace: Workspace,
    pub artifacts: Arc<FolderArtifactStore>,
    pub trained: Arc<AtomicUsize>,
    pub transformed: Arc<AtomicUsize>,
}

impl Project {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("number.txt"), "1\n").unwrap();
        let artifacts = Arc::new(FolderArtifactStore::open(&dir.path().join("artifacts")).unwrap());
        let store = OpenStore { artifacts: artifacts.clone(), ..OpenStore::in_memory().unwrap() };
        let workspace = Workspace::new(store, None);
        Self { dir, workspace, artifacts, trained: Arc::default(), transformed: Arc::default() }
    }

    pub fn components(&self) -> Components {
        Components::new()
            .with(Read)
            .with(Add {
                ran: self.transformed.clone(),
                name: "Transform",
                from: ArtifactType::Examples,
                to: ArtifactType::TransformGraph,
            })
            .with(Add {
                ran: self.trained.clone(),
                name: "Train",
                from: ArtifactType::TransformGraph,
                to: ArtifactType::Model,
            })
            .with(Judge { name: "Validate", of: ArtifactType::Examples, gate: Gate::Below })
            .with(Judge { name: "Evaluate", of: ArtifactType::Model, gate: Gate::Dependents })
            .with(Add {
                ran: Arc::default(),
                name: "Push",
                from: ArtifactType::Blessing,
                to: ArtifactType::PushedModel,
            })
    }

    pub fn pipeline(&self, text: &str) -> Pipeline {
        let file = self.dir.path().join("pipeline.yaml");
        Pipeline::parse(&file, text, &self.components(), &[], &|_| None).unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn run(&self, text: &str) -> RunReport {
        self.run_until(text, std::future::pending()).await
    }

    pub async fn run_until(&self, text: &str, stop: impl Future<Output = ()> + Send) -> RunReport {
        let options = RunOptions {
            threads: 2,
            steps_max: 4,
            retry_delay: RetryDelay { first: Duration::ZERO, max: Duration::ZERO },
            ..RunOptions::default()
        };
        let pipeline = Arc::new(self.pipeline(text));
        let observer = Arc::new(Recorder::default());
        tidemill_pipeline::run(pipeline, self.workspace.clone(), options, observer, stop).await.unwrap()
    }
}

#[derive(Default)]
pub struct Recorder(pub Mutex<Vec<String>>);

impl Observer for Recorder {
    fn run_started(&self, _run: &Run, pipeline: &Pipeline) {
        self.0.lock().unwrap().push(format!("run {}", pipeline.name));
    }

    fn step_started(&self, _step: usize) -> Arc<dyn Progress> {
        Arc::new(NoProgress)
    }

    fn step_ended(&self, _step: usize, report: &StepReport) {
        self.0.lock().unwrap().push(report.step.clone());
    }
}

pub const PIPELINE: &str = "
version: 1
pipeline: toy
params: { amount: 10 }
steps:
  read: { component: Read, file: number.txt }
  validate: { component: Validate, at_most: 100 }
  transform: { component: Transform, amount: 2 }
  train: { component: Train, amount: '${params.amount}' }
  evaluate: { component: Evaluate, at_most: 1000 }
  push: { component: Push, inputs: { from: evaluate.blessing }, amount: 0 }
";
