//! The `Trainer` component.

mod error;
mod labels;
mod params;
mod report;
mod sample;
mod task;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Component, ComponentError, ComponentSpec, Expectation, Gate, InputSpec, Outcome, OutputSpec,
    ParamIssue, Promise, StepContext,
};
use tidemill_data::Examples;
use tidemill_model::{LabelSpec, ModelError, PackageParts, TransformGraph, add_schema, write_package_with};
use tidemill_onnx::OnnxExporter;
use tidemill_validation::read_schema_artifact;

pub use error::TrainError;
use labels::{Labels, Texts};
use params::{Configured, TrainerParams};
use report::Report;
use sample::SamplePicker;
use task::Decision;

use crate::learner::{SplitRows, TrainingData};

/// The file of a transform graph artifact.
const TRANSFORM_FILE: &str = "transform.json";

/// Fits a learner to the examples and writes a model package.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trainer;

impl Component for Trainer {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "Trainer".into(),
            version: 3,
            about: "Fits a learner to the transformed examples and writes a model package.".into(),
            inputs: vec![
                InputSpec::required("examples", ArtifactType::Examples),
                InputSpec::required("transform", ArtifactType::TransformGraph),
                InputSpec::optional("schema", ArtifactType::Schema),
            ],
            outputs: vec![OutputSpec::new("model", ArtifactType::Model)],
            gate: Gate::Open,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(TrainerParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        TrainerParams::parse(params).err().unwrap_or_default()
    }

    fn promises(&self, params: &Value) -> Vec<Promise> {
        let task = TrainerParams::parse(params).ok().and_then(|configured| configured.params.task);
        task.map(Promise::task).into_iter().collect()
    }

    fn expectations(&self, params: &Value) -> Vec<Expectation> {
        let Ok(Configured { params, .. }) = TrainerParams::parse(params) else { return Vec::new() };
        let hint = "name the splits: `splits: { train: NAME, eval: NAME }`";
        let of = |key: &str, name: &String| Expectation::split(name, ["splits", key]).with_hint(hint);
        vec![of("train", &params.splits.train), of("eval", &params.splits.eval)]
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let configured = TrainerParams::parse(context.params)?;
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(context.threads.max(1)).build().map_err(TrainError::Threads)?;
        pool.install(|| train(context, &configured))
    }
}

fn train(context: &StepContext<'_>, configured: &Configured) -> Result<Outcome, ComponentError> {
    let Configured { params, name: learner_name, estimator } = configured;
    let examples = Examples::open(&context.input("examples")?.path)?;
    let graph = TransformGraph::load(context.input("transform")?.path.join(TRANSFORM_FILE))?;
    let spec = graph.label().ok_or(ModelError::NoLabel)?.clone();
    let (train_split, eval_split) = (params.splits.train.as_str(), params.splits.eval.as_str());

    let reader = LabelReader { context, examples: &examples, graph: &graph, label: &spec };
    let (train_rows, eval_rows) = (reader.rows(train_split)?, reader.rows(eval_split)?);
    context.progress.total_rows(train_rows + eval_rows);
    let mut texts = Texts::default();
    let (mut train_labels, _) = reader.read(train_split, train_rows, &mut texts, None)?;
    train_labels.check(&texts)?;
    let decision = Decision::new(params.task, &spec, &train_labels, &texts)?;
    if !estimator.tasks().contains(&decision.task.kind()) {
        return Err(TrainError::TaskNotLearned { learner: learner_name, task: decision.task.kind() }.into());
    }
    let (mut eval_labels, sample) =
        reader.read(eval_split, eval_rows, &mut texts, Some(SamplePicker::new(eval_rows)))?;
    eval_labels.check(&texts)?;
    decision.encode(&mut train_labels, &texts)?;
    decision.encode(&mut eval_labels, &texts)?;

    let rows = |name, labels, is_learned_from| SplitRows {
        name,
        labels,
        examples: &examples,
        graph: &graph,
        progress: context.progress,
        cancel: context.cancel,
        is_learned_from,
    };
    let fitted = estimator.fit(&TrainingData {
        task: &decision.task,
        features: graph.features(),
        train: rows(train_split, &train_labels.values, true),
        eval: rows(eval_split, &eval_labels.values, false),
        seed: params.seed,
        progress: context.progress,
        cancel: context.cancel,
    })?;

    let report = Report {
        fitted: &fitted,
        learner: learner_name,
        task: &decision.task,
        features: graph.features(),
        splits: [(train_split, &train_labels), (eval_split, &eval_labels)],
        seed: params.seed,
    };
    let mut parts = PackageParts {
        name: params.name.clone().unwrap_or_else(|| context.run.pipeline.clone()),
        pipeline: context.run.pipeline.clone(),
        label: decision.label.clone(),
        task: decision.task.clone(),
        graph: graph.for_serving().with_label(decision.label.clone())?,
        learner: fitted.learner.clone(),
        learner_params: json!({ *learner_name: estimator.params() }),
        training: report.facts(),
        schema_digest: context.inputs.get("schema").map(|schema| schema.digest.clone()),
        sample,
        card: String::new(),
    };
    parts.card = report.card(&parts, params.owner.as_deref());
    context.cancel.check()?;
    write_package_with(context.output("model"), &parts, &[&OnnxExporter])?;
    if let Some(schema) = context.inputs.get("schema") {
        // So that whoever serves the model can tell what it was not trained on.
        add_schema(context.output("model"), &read_schema_artifact(&schema.path)?)?;
    }
    Ok(Outcome {
        properties: BTreeMap::from([("model".to_owned(), report.properties())]),
        headline: fitted.headline.clone(),
        tables: report.table().into_iter().collect(),
        warnings: decision.guess.iter().chain(&fitted.warnings).cloned().collect(),
        ..Outcome::default()
    })
}

/// Reads the labels of a split.
struct LabelReader<'a> {
    context: &'a StepContext<'a>,
    examples: &'a Examples,
    graph: &'a TransformGraph,
    label: &'a LabelSpec,
}

impl LabelReader<'_> {
    /// How many rows a split has; at least one, and no more than can be numbered.
    fn rows(&self, split: &str) -> Result<u64, ComponentError> {
        // An unknown split is refused by `batches`, with the names there are.
        self.examples.batches(split, None)?;
        let rows = self.examples.splits().iter().find(|info| info.name == split).map_or(0, |info| info.rows);
        if rows == 0 {
            return Err(TrainError::SplitEmpty { split: split.to_owned() }.into());
        }
        if rows > u64::from(u32::MAX) {
            return Err(TrainError::TooManyRows { split: split.to_owned(), rows }.into());
        }
        Ok(rows)
    }

    /// The labels of a split, and rows of raw input where a picker asks for them.
    fn read(
        &self,
        split: &str,
        rows: u64,
        texts: &mut Texts,
        mut picker: Option<SamplePicker>,
    ) -> Result<(Labels, RecordBatch), ComponentError> {
        let mut labels = Labels::new(&self.label.name, split, rows as usize);
        let mut columns: BTreeSet<String> = self.label.parse()?.columns().into_iter().collect();
        if picker.is_some() {
            columns.extend(self.graph.inputs().iter().map(|input| input.name.clone()));
        }
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let batches = self.examples.batches(split, Some(&columns))?;
        let bound = self.label.bind(&batches.schema())?;
        for batch in batches {
            self.context.cancel.check()?;
            let batch = batch?;
            labels.push(&bound, &batch, texts)?;
            if let Some(picker) = &mut picker {
                picker.push(&batch);
            }
            self.context.progress.advance(batch.num_rows() as u64);
        }
        let sample = picker.unwrap_or_else(|| SamplePicker::new(0)).finish(self.graph.inputs());
        Ok((labels, sample.map_err(ModelError::from)?))
    }
}
