//! The `Trainer` component.

mod error;
mod labels;
mod params;
mod report;
mod rows;
mod sample;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, Gate, InputSpec, Outcome, OutputSpec, ParamIssue,
    StepContext,
};
use tidemill_data::{Examples, read_schema_artifact};
use tidemill_model::{
    FeatureSpec, Learner, ModelError, PackageParts, Task, TransformGraph, add_schema, write_package_with,
};
use tidemill_onnx::OnnxExporter;

pub use error::TrainError;
use params::{LearnerParams, TrainerParams};
use report::Report;
use rows::Source;

use crate::gbdt::{Binning, Fitted, GradientBoosting, LabelledRows, LogLoss, Objective, SquaredError, fit};

/// The file of a transform graph artifact.
const TRANSFORM_FILE: &str = "transform.json";

/// Fits a learner to the examples and writes a model package.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trainer;

impl Component for Trainer {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "Trainer".into(),
            version: 2,
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

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params = TrainerParams::parse(context.params)?;
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(context.threads.max(1)).build().map_err(TrainError::Threads)?;
        pool.install(|| train(context, &params))
    }
}

fn train(context: &StepContext<'_>, params: &TrainerParams) -> Result<Outcome, ComponentError> {
    let examples = Examples::open(&context.input("examples")?.path)?;
    let graph = TransformGraph::load(context.input("transform")?.path.join(TRANSFORM_FILE))?;
    let label = graph.label().ok_or(ModelError::NoLabel)?.clone();
    let (train_split, eval_split) = (params.splits.train.as_str(), params.splits.eval.as_str());
    let LearnerParams::GradientBoosting(boosting) = &params.learner;

    let source = Source { examples: &examples, graph: &graph, progress: context.progress, cancel: context.cancel };
    let (train_rows, eval_rows) = (source.rows(train_split)?, source.rows(eval_split)?);
    context.progress.total_rows(2 * train_rows + eval_rows);
    context.progress.phase("choosing bins");
    let (mut train_labels, binning) = source.plan(train_split, boosting.max_bin, params.seed)?;
    train_labels.check()?;
    let task = params.task.unwrap_or(if train_labels.are_binary() { Task::Binary } else { Task::Regression });
    train_labels.check_task(task)?;
    let binning = Arc::new(binning);
    context.progress.phase("binning");
    let (mut eval_labels, eval_binned, sample) = source.read_eval(eval_split, &binning)?;
    eval_labels.check()?;
    eval_labels.check_task(task)?;
    let train_binned = source.bin(train_split, &binning)?;

    let objective: &dyn Objective = match task {
        Task::Binary => &LogLoss,
        Task::Regression => &SquaredError,
    };
    let labelled = |data, labels: &mut labels::Labels| LabelledRows {
        data,
        labels: std::mem::take(&mut labels.values),
        weights: None,
    };
    let train = labelled(train_binned, &mut train_labels);
    let eval = labelled(eval_binned, &mut eval_labels);
    let fitted = boost(context, boosting, objective, &train, &eval, params.seed)?;
    (train_labels.values, eval_labels.values) = (train.labels, eval.labels);

    let report = Report {
        fitted: &fitted,
        objective,
        features: graph.features(),
        splits: [(train_split, &train_labels), (eval_split, &eval_labels)],
        seed: params.seed,
    };
    let mut parts = PackageParts {
        name: params.name.clone().unwrap_or_else(|| context.run.pipeline.clone()),
        pipeline: context.run.pipeline.clone(),
        label,
        task,
        graph: graph.for_serving(),
        learner: Learner::Trees(fitted.ensemble.clone()),
        learner_params: serde_json::to_value(&params.learner)
            .map_err(|error| ComponentError::new(Code::Internal, error.to_string()))?,
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
        headline: report.headline(),
        tables: report.table().into_iter().collect(),
        warnings: warnings(graph.features(), &binning, boosting, &fitted),
        ..Outcome::default()
    })
}

/// Runs the rounds, telling each.
fn boost(
    context: &StepContext<'_>,
    params: &GradientBoosting,
    objective: &dyn Objective,
    train: &LabelledRows,
    eval: &LabelledRows,
    seed: u64,
) -> Result<Fitted, ComponentError> {
    context.progress.total(u64::from(params.rounds), "rounds");
    let name = objective.metric_name();
    fit(params, objective, train, Some(eval), seed, |round| {
        context.progress.advance(1);
        let metric = round.eval_metric.map_or_else(String::new, |metric| format!(" · eval {name} {metric:.4}"));
        context.progress.phase(&format!("round {} of {}{metric}", round.round, params.rounds));
        context.cancel.check()
    })
}

fn warnings(features: &[FeatureSpec], binning: &Binning, params: &GradientBoosting, fitted: &Fitted) -> Vec<String> {
    let mut warnings = Vec::new();
    let constant: Vec<String> = binning.constant().map(|at| format!("`{}`", features[at].name)).collect();
    if constant.len() == features.len() {
        warnings.push("no feature varies: the model predicts a constant".to_owned());
    } else if !constant.is_empty() {
        warnings.push(format!("features that never vary and are not used: {}", constant.join(", ")));
    }
    if params.early_stopping.is_some() && fitted.best_round == params.rounds {
        warnings.push("the last round is the best one: more rounds may give a better model".to_owned());
    }
    warnings
}
