//! The `Trainer` component.

mod asked;
mod calibrate;
mod error;
mod folds;
mod kept;
mod labels;
mod offset;
mod params;
mod prepared;
mod report;
mod rolling;
mod sample;
mod task;
mod threshold;
mod validation;
mod warm_start;
mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, CancelFlag, Code, Component, ComponentError, ComponentSpec, Expectation, ExternalInput, Gate,
    InputArtifact, InputSource, InputSpec, Outcome, OutputSpec, ParamIssue, Progress, Promise, StepContext, Wanted,
};
use tidemill_data::{Examples, GroupNumbers, GroupProblem};
use tidemill_model::{LabelSpec, ModelError, PackageParts, TransformGraph, add_schema, write_package_with};
use tidemill_onnx::OnnxExporter;
use tidemill_validation::read_schema_artifact;

use calibrate::{calibrate, decide};
pub use error::TrainError;
pub(crate) use folds::Fold;
pub use kept::KeepingTrainer;
use labels::{Labels, Texts};
pub(crate) use params::{ChosenLearner, Configured, TrainerParams};
pub(crate) use prepared::{Aside, Prepared};
use report::Report;
use rolling::Judged;
use sample::SamplePicker;
use validation::Validation;
use weights::weights_of;

use crate::learner::{SplitRows, TrainingData, Unwatched};
use crate::tuner::Hyperparameters;

/// The file of a transform graph artifact.
const TRANSFORM_FILE: &str = "transform.json";

/// The input with what a `Tuner` found.
const HYPERPARAMETERS: &str = "hyperparameters";
const NO_LEARNER: &str = "nothing says what is fitted";
const LEARNER_HINT: &str =
    "write `learner: gradient_boosting`, or read what a `Tuner` found: `inputs: { hyperparameters: STEP }`";

/// Fits a learner to the examples and writes a model package.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trainer;

impl Component for Trainer {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "Trainer".into(),
            version: 5,
            about: "Fits a learner to the transformed examples and writes a model package.".into(),
            inputs: vec![
                InputSpec::required("examples", ArtifactType::Examples),
                InputSpec::required("transform", ArtifactType::TransformGraph),
                InputSpec::optional("schema", ArtifactType::Schema),
                InputSpec::optional(HYPERPARAMETERS, ArtifactType::Hyperparameters).from(InputSource::Named),
                InputSpec::optional(warm_start::INPUT, ArtifactType::Model).from(InputSource::Named),
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
        let Ok(Configured { params, .. }) = TrainerParams::parse(params) else { return Vec::new() };
        let validation = params.validation.as_ref().and_then(Validation::split).map(str::to_owned);
        let learned = Promise::learned_splits([params.splits.train].into_iter().chain(validation));
        params.task.map(|task| Promise::task(task.kind())).into_iter().chain([learned]).collect()
    }

    fn expectations(&self, params: &Value) -> Vec<Expectation> {
        let Ok(Configured { params, .. }) = TrainerParams::parse(params) else { return Vec::new() };
        let split = |name: &str, path: &[&str]| Expectation::split(name, path.iter().copied());
        let train = split(&params.splits.train, &["splits", "train"]).with_hint("name it: `splits: { train: NAME }`");
        let validation = params.validation.as_ref().and_then(Validation::split);
        let tuned = params.written_learner().is_none().then(|| Expectation {
            topic: Promise::TUNED_LEARNER,
            wanted: Wanted::Anything,
            path: Vec::new(),
            otherwise: NO_LEARNER.to_owned(),
            hint: Some(LEARNER_HINT.to_owned()),
        });
        [train].into_iter().chain(validation.map(|name| split(name, &["validation"]))).chain(tuned).collect()
    }

    fn external_inputs(&self, params: &Value, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let Configured { params, learner } = TrainerParams::parse(params)?;
        let mut inputs = learner.map_or(Ok(Vec::new()), |learner| learner.estimator.external_inputs(project_dir))?;
        if let Some(path) = &params.warm_start {
            inputs.push(warm_start::external_input(path, project_dir)?);
        }
        Ok(inputs)
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        run(context, None)
    }
}

fn run(context: &StepContext<'_>, jobs: Option<&Path>) -> Result<Outcome, ComponentError> {
    let configured = TrainerParams::parse(context.params)?;
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(context.threads.max(1)).build().map_err(TrainError::Threads)?;
    pool.install(|| train(context, &configured, jobs))
}

fn train(context: &StepContext<'_>, configured: &Configured, jobs: Option<&Path>) -> Result<Outcome, ComponentError> {
    let params = &configured.params;
    let tuned = context.inputs.get(HYPERPARAMETERS).map(|input| tuned_learner(params, input)).transpose()?;
    let learner = tuned.as_ref().or(configured.learner.as_ref());
    let ChosenLearner { name: learner_name, estimator } =
        learner.ok_or_else(|| ComponentError::new(Code::Params, NO_LEARNER).with_hint(LEARNER_HINT))?;
    let aside = if params.needs_validation() { Aside::Always } else { Aside::WhereNeeded };
    let prepared = Prepared::read(context, params, &[(*learner_name, &**estimator)], aside)?;
    let kept = jobs.map(|jobs| kept::folder(jobs, context, &**estimator)).transpose()?;
    let data = prepared.data(context.progress, context.cancel, &Unwatched);
    let data = TrainingData { job: kept.as_ref(), work: context.work, ..data };
    let mut fitted = estimator.fit(&data)?;
    if let Some(method) = params.calibration {
        fitted = calibrate(method, fitted, &data)?;
    }
    let threshold = params.threshold.as_ref().map(|threshold| decide(threshold, &mut fitted, &data)).transpose()?;
    if let Some(rolling) = &prepared.rolling {
        fitted.facts.insert("rolling_origin".to_owned(), rolling.facts());
        fitted.headline.push_str(&rolling.headline());
    }
    let Prepared { graph, transform, decision, labels, validation_labels, sample, rolling, mut warnings, .. } =
        prepared;
    warnings.extend(fitted.warnings.iter().cloned());

    let report = Report {
        fitted: &fitted,
        learner: learner_name,
        task: &decision.task,
        features: transform.features(),
        train: &labels,
        validation: validation_labels.as_ref(),
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
        decision_threshold: threshold,
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
        tables: report.table().into_iter().chain(rolling.as_ref().map(Judged::table)).collect(),
        warnings,
        ..Outcome::default()
    })
}

/// The learner that a search chose, with the parameters that it found and those that are written in their place.
fn tuned_learner(params: &TrainerParams, input: &InputArtifact) -> Result<ChosenLearner, ComponentError> {
    let found = Hyperparameters::read(&input.path)?;
    Ok(params.choose(&found.learner_with(params.written_learner())?)?)
}

/// Where rows of features come from.
struct RowSource<'a> {
    progress: &'a dyn Progress,
    cancel: &'a CancelFlag,
    project_dir: &'a Path,
    examples: &'a Examples,
    graph: &'a TransformGraph,
}

impl<'a> RowSource<'a> {
    /// The rows of `split` that `chosen` says, or all, with their labels.
    fn rows(
        &self,
        split: &'a str,
        labels: &'a Labels,
        chosen: Option<&'a BooleanBuffer>,
        is_fitted_on: bool,
    ) -> SplitRows<'a> {
        SplitRows {
            split,
            labels: &labels.values,
            weights: labels.weights.as_deref(),
            groups: labels.groups.as_deref(),
            chosen,
            examples: self.examples,
            graph: self.graph,
            progress: self.progress,
            cancel: self.cancel,
            is_fitted_on,
        }
    }
}

/// Reads the labels of a split.
struct LabelReader<'a> {
    context: &'a StepContext<'a>,
    examples: &'a Examples,
    graph: &'a TransformGraph,
    label: &'a LabelSpec,
    /// The column of weights.
    weight: Option<&'a str>,
    /// The column of queries.
    group: Option<&'a str>,
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
        let mut columns: BTreeSet<String> = self.label.columns()?.into_iter().collect();
        if picker.is_some() {
            columns.extend(self.graph.inputs().iter().map(|input| input.name.clone()));
        }
        columns.extend(self.weight.into_iter().chain(self.group).map(str::to_owned));
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut groups = GroupNumbers::default();
        let batches = self.examples.batches(split, Some(&columns))?;
        let bound = self.label.bind(&batches.schema())?;
        for batch in batches {
            self.context.cancel.check()?;
            let batch = batch?;
            if let Some(column) = self.weight {
                let weights = weights_of(&batch, column, split, labels.values.len())?;
                labels.weights.get_or_insert_default().extend(weights);
            }
            if let Some(column) = self.group {
                let of_batch = batch.column_by_name(column).ok_or(GroupProblem::Type);
                let of_batch = of_batch.and_then(|array| groups.of(array));
                let of_batch =
                    of_batch.map_err(|problem| not_of_groups(problem, column, split, labels.values.len()))?;
                labels.groups.get_or_insert_default().extend(of_batch);
            }
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

/// The error of a column of queries; the batch starts with row `first_row` of the split, from 0.
fn not_of_groups(problem: GroupProblem, column: &str, split: &str, first_row: usize) -> TrainError {
    let (row, reason) = match problem {
        GroupProblem::Missing(row) => (Some((first_row + row) as u64), "has no value, and every row is of a query"),
        GroupProblem::Type => (None, "holds values that rows cannot be grouped by"),
    };
    TrainError::Column {
        role: "group",
        column: column.to_owned(),
        split: split.to_owned(),
        row,
        reason: reason.to_owned(),
    }
}
