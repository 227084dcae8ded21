//! The contract between a pipeline and the components it is built of.
//!
//! The scheduler sees only this: specifications, parameters, artifacts as folders, and an outcome. It never learns
//! what a component does, and what a component writes depends on nothing but what is part of the fingerprint.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ArtifactType, Code, Coded, Digest, ParamIssue, Progress, Properties, SummaryTable};

/// A unit of work that reads artifacts and writes artifacts.
pub trait Component: Send + Sync {
    /// What the component is called, reads and writes.
    fn spec(&self) -> ComponentSpec;

    /// JSON Schema of the parameters, for editors (`tidemill schema pipeline`).
    fn params_schema(&self) -> schemars::Schema;

    /// Everything wrong with the parameters that can be known without data. Empty: nothing.
    fn check(&self, params: &Value) -> Vec<ParamIssue>;

    /// What the parameters alone tell of the outputs, for steps below that expect something of them.
    fn promises(&self, _params: &Value) -> Vec<Promise> {
        Vec::new()
    }

    /// What the component expects of the steps it reads from. It is compared with the promises of the nearest step above
    /// that gives one, before anything runs.
    fn expectations(&self, _params: &Value) -> Vec<Expectation> {
        Vec::new()
    }

    /// What the component reads besides artifacts (source files, a curated schema), with a digest of its content.
    ///
    /// It is part of the fingerprint: when it changes, the step runs again.
    fn external_inputs(&self, _params: &Value, _project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        Ok(Vec::new())
    }

    /// What can be said of a run before it: from the parameters alone where `inputs` is empty, and from the artifacts
    /// that are there already.
    ///
    /// It is asked for every plan, so it reads manifests and not rows. An artifact that cannot be read says nothing.
    fn preview(&self, _params: &Value, _inputs: &BTreeMap<String, InputArtifact>) -> Preview {
        Preview::default()
    }

    /// The error code of a verdict of no.
    fn rejection_code(&self) -> Code {
        Code::Rejected
    }

    /// Does the work: reads `context.inputs`, writes into the folders of `context.outputs`.
    ///
    /// Output folders exist and are empty. They are kept, and recorded all together, only after this returns `Ok`;
    /// on an error they are removed. Long loops look at `context.cancel` now and then.
    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError>;
}

/// Something that is known of a step's outputs before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// What it is about: [`Promise::SPLIT`], [`Promise::TASK`].
    pub topic: &'static str,
    /// The same in words, with an article: `the split`.
    pub about: &'static str,
    /// The values: the names of all splits, the task.
    pub values: Vec<String>,
}

impl Promise {
    /// The names of the splits of examples.
    pub const SPLIT: &'static str = "split";
    /// The names of the splits that a model is made from.
    pub const LEARNED_SPLIT: &'static str = "learned split";
    /// The kind of task that a model learns.
    pub const TASK: &'static str = "task";
    /// The learner that a search chose parameters for.
    pub const TUNED_LEARNER: &'static str = "tuned learner";

    /// The splits of examples.
    pub fn splits(names: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<String> = names.into_iter().collect();
        Self { topic: Self::SPLIT, about: if values.len() == 1 { "the split" } else { "each split" }, values }
    }

    /// The splits that a model learns from, or decides anything on.
    pub fn learned_splits(names: impl IntoIterator<Item = String>) -> Self {
        Self { topic: Self::LEARNED_SPLIT, about: "the training data", values: names.into_iter().collect() }
    }

    /// The task of a model.
    pub fn task(kind: crate::TaskKind) -> Self {
        Self { topic: Self::TASK, about: "the task", values: vec![kind.name().to_owned()] }
    }
}

/// Something that a step expects of the steps it reads from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// What it is about, as [`Promise::topic`].
    pub topic: &'static str,
    /// What must be promised, or must not.
    pub wanted: Wanted,
    /// The parameter that expects it: keys and indexes from the step down.
    pub path: Vec<String>,
    /// What is wrong where none is, in a few words: ``there is no split `eval` ``.
    pub otherwise: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Expectation {
    /// Examples must have the split `name`, which the parameter at `path` names.
    pub fn split<P: Into<String>>(name: &str, path: impl IntoIterator<Item = P>) -> Self {
        Self {
            topic: Promise::SPLIT,
            wanted: Wanted::AnyOf(vec![name.to_owned()]),
            path: path.into_iter().map(Into::into).collect(),
            otherwise: format!("there is no split `{name}`"),
            hint: None,
        }
    }

    /// A model must not have learned from the split `name`, nor decided anything on it.
    pub fn not_learned_from<P: Into<String>>(name: &str, path: impl IntoIterator<Item = P>) -> Self {
        Self {
            topic: Promise::LEARNED_SPLIT,
            wanted: Wanted::NoneOf(vec![name.to_owned()]),
            path: path.into_iter().map(Into::into).collect(),
            otherwise: format!("the model is judged on the split `{name}`, which it is made from"),
            hint: Some("judge it on a split that the `Trainer` does not read".to_owned()),
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The values of a promise that an expectation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// One of these must be promised.
    AnyOf(Vec<String>),
    /// None of these may be.
    NoneOf(Vec<String>),
    /// Some step must promise something, whatever it is.
    Anything,
}

impl Wanted {
    /// Whether the values promised are as wanted.
    pub fn is_met_by(&self, promised: &[String]) -> bool {
        match self {
            Self::AnyOf(values) => promised.iter().any(|value| values.contains(value)),
            Self::NoneOf(values) => !promised.iter().any(|value| values.contains(value)),
            Self::Anything => true,
        }
    }
}

/// What can be said of a run before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Things worth knowing, a line each.
    pub notes: Vec<String>,
    /// Why the step would fail, each at the parameter it is about.
    pub problems: Vec<ParamIssue>,
}

/// What a component is called, reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentSpec {
    /// The name used in pipeline files: `ExampleGen`.
    pub name: Cow<'static, str>,
    /// Changes whenever the same inputs would give another output; part of the fingerprint.
    pub version: u32,
    /// One sentence for help and for the JSON Schema.
    pub about: Cow<'static, str>,
    /// Artifacts read.
    pub inputs: Vec<InputSpec>,
    /// Artifacts written, each exactly once.
    pub outputs: Vec<OutputSpec>,
    /// What a verdict of no stops.
    pub gate: Gate,
    /// The component writes a file that is also one of its external inputs (a schema for curation), so the
    /// fingerprint is taken again after the run.
    pub writes_back: bool,
    /// The verdict rests on a measurement (a latency), which another time may turn out otherwise: a no is not taken
    /// from the cache.
    pub measures: bool,
}

/// One artifact that a component reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSpec {
    /// The name of the input: `examples`.
    pub key: Cow<'static, str>,
    /// What it must be.
    pub artifact_type: ArtifactType,
    /// Without it the component cannot run. An optional input is left out where no step provides it.
    pub required: bool,
    /// Where it comes from.
    pub source: InputSource,
}

impl InputSpec {
    /// An input that some step above must provide.
    pub fn required(key: impl Into<Cow<'static, str>>, artifact_type: ArtifactType) -> Self {
        Self { key: key.into(), artifact_type, required: true, source: InputSource::Wired }
    }

    /// An input taken if some step above provides it.
    pub fn optional(key: impl Into<Cow<'static, str>>, artifact_type: ArtifactType) -> Self {
        Self { key: key.into(), artifact_type, required: false, source: InputSource::Wired }
    }

    /// The same input from another source.
    pub fn from(self, source: InputSource) -> Self {
        Self { source, ..self }
    }
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSource {
    /// The nearest step above that writes the type.
    Wired,
    /// The newest model of this pipeline that every gate blessed, other than the candidate itself.
    LatestBlessedModel,
    /// What another input of the same step, named here, was when the step last said yes to something else than it holds now.
    LastAccepted(Cow<'static, str>),
    /// A step named under `inputs:`, and nothing otherwise.
    Named,
}

/// One artifact that a component writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSpec {
    /// The name of the output: `model`.
    pub key: Cow<'static, str>,
    /// What it is.
    pub artifact_type: ArtifactType,
    /// Only a step that names it under `inputs:` reads it; it is never the nearest of its type.
    pub only_named: bool,
}

impl OutputSpec {
    /// An output `key` of a type.
    pub fn new(key: impl Into<Cow<'static, str>>, artifact_type: ArtifactType) -> Self {
        Self { key: key.into(), artifact_type, only_named: false }
    }

    /// The same output, read only by steps that name it.
    pub fn only_named(self) -> Self {
        Self { only_named: true, ..self }
    }
}

/// What a verdict of no stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing: the component gives no verdict.
    Open,
    /// The steps that read its outputs.
    Dependents,
    /// Every step below it in the file: bad data must not reach training by another path.
    Below,
}

/// Something read from outside the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalInput {
    /// What it is to a person: a path as written in the pipeline file.
    pub name: String,
    /// Digest of its content.
    pub digest: Digest,
}

/// An artifact handed to a component.
#[derive(Debug, Clone, PartialEq)]
pub struct InputArtifact {
    /// What it is.
    pub artifact_type: ArtifactType,
    /// Digest of its content.
    pub digest: Digest,
    /// The folder that holds it. Read-only.
    pub path: PathBuf,
    /// What its maker said of it.
    pub properties: Properties,
}

/// Which run a step belongs to: for records of what happened, never for the bytes of an artifact. It is no part of
/// the fingerprint, so an artifact that held it would come back from the cache with another run's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The pipeline's name.
    pub pipeline: String,
    /// The run's id.
    pub run_id: String,
    /// The step's name.
    pub step: String,
}

/// Everything a component gets to work with.
pub struct StepContext<'a> {
    /// Parameters from the pipeline file, references resolved, `component` and `inputs` taken out.
    pub params: &'a Value,
    /// The folder of the pipeline file; relative paths in parameters start here.
    pub project_dir: &'a Path,
    /// Inputs by key. An optional input that nothing provides is absent.
    pub inputs: &'a BTreeMap<String, InputArtifact>,
    /// An empty folder for each output key.
    pub outputs: &'a BTreeMap<String, PathBuf>,
    /// Where to report progress.
    pub progress: &'a dyn Progress,
    /// Set when the run is being cancelled.
    pub cancel: &'a CancelFlag,
    /// How many threads the component may keep busy.
    pub threads: usize,
    /// Which run this is.
    pub run: &'a RunInfo,
    /// Where to keep what another attempt at the same work wants to find: finished trials, checkpoints. The folder may not
    /// exist yet. It belongs to the step's fingerprint and is removed once the step has completed; `None` where nothing can
    /// be kept.
    pub work: Option<&'a Path>,
}

impl StepContext<'_> {
    /// The input `key`, or an error that names it.
    pub fn input(&self, key: &str) -> Result<&InputArtifact, ComponentError> {
        self.inputs.get(key).ok_or_else(|| {
            ComponentError::new(Code::MissingInput, format!("step `{}` has no input `{key}`", self.run.step))
        })
    }

    /// The folder of the output `key`. The scheduler makes one for every output of the specification.
    pub fn output(&self, key: &str) -> &Path {
        self.outputs.get(key).map(PathBuf::as_path).expect("the scheduler makes a folder for every declared output")
    }
}

/// Set once, seen by every clone: the run is being cancelled.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// Asks everyone who looks at the flag to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// `Err` with [`Code::Canceled`] once the flag is set, to be used with `?` in long loops.
    pub fn check(&self) -> Result<(), ComponentError> {
        if self.is_set() { Err(ComponentError::new(Code::Canceled, "the run was cancelled")) } else { Ok(()) }
    }
}

/// Whether a step that judges something said yes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Yes, or the step does not judge.
    #[default]
    Pass,
    /// No, with the reasons, each one line that names the feature, slice or metric.
    Fail(Vec<String>),
}

impl Verdict {
    /// Whether the answer is yes.
    pub fn passed(&self) -> bool {
        matches!(self, Self::Pass)
    }
}

/// What came of a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Properties of each output, by output key.
    #[serde(default)]
    pub properties: BTreeMap<String, Properties>,
    /// The step's judgement.
    #[serde(default)]
    pub verdict: Verdict,
    /// What to say on the step's line when it is done: "15,002 rows in 2 splits".
    #[serde(default)]
    pub headline: String,
    /// Tables for the end of the run.
    #[serde(default)]
    pub tables: Vec<SummaryTable>,
    /// Things worth knowing that stop nothing.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Why a step could not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ComponentError {
    /// Which error of the catalogue this is.
    pub code: Code,
    /// What went wrong, naming the file, line, feature or field.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Which parameter of the step it is about: keys and indexes from the step down. Empty where none is.
    pub place: Vec<String>,
    /// What caused it.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ComponentError {
    /// An error with no cause beneath it.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, place: Vec::new(), source: None }
    }

    /// The same error with advice.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Any library error with a code becomes a component error that keeps its message, hint and cause.
impl<E: Coded + Send + Sync + 'static> From<E> for ComponentError {
    fn from(error: E) -> Self {
        let (code, message, hint, place) = (error.code(), error.to_string(), error.hint(), error.place());
        Self { code, message, hint, place, source: cause_of(error) }
    }
}

/// Keeps only what lies beneath `error`: its own message is already in the component error.
fn cause_of<E: std::error::Error>(error: E) -> Option<Box<dyn std::error::Error + Send + Sync>> {
    let mut texts = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        texts.push(cause.to_string());
        next = cause.source();
    }
    (!texts.is_empty()).then(|| texts.join(": ").into())
}
