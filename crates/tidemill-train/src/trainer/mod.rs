//! The `Trainer` component.

mod asked;
mod error;
mod labels;
mod offset;
mod params;
mod report;
mod sample;
mod task;
mod validation;
mod warm_start;
mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Component, ComponentError, ComponentSpec, Expectation, ExternalInput, Gate, InputSource, InputSpec,
    Outcome, OutputSpec, ParamIssue, Promise, StepContext, Task, TaskKind,
};
use tidemill_data::{Examples, GroupNumbers, GroupProblem};
use tidemill_model::{LabelSpec, ModelError, PackageParts, TransformGraph, add_schema, write_package_with};
use tidemill_onnx::OnnxExporter;
use tidemill_validation::read_schema_artifact;

use asked::AskedTask;
pub use error::TrainError;
use labels::{Labels, Texts};
use params::{Configured, TrainerParams};
use report::Report;
use sample::SamplePicker;
use task::Decision;
use validation::Validation;
use warm_start::BaseModel;
use weights::weights_of;

use crate::learner::{MoreInput, SplitRows, TrainingData};

/// The file of a transform graph artifact.
const TRANSFORM_FILE: &str = "transform.json";

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
        [train].into_iter().chain(validation.map(|name| split(name, &["validation"]))).collect()
    }

    fn external_inputs(&self, params: &Value, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let Configured { params, estimator, .. } = TrainerParams::parse(params)?;
        let mut inputs = estimator.external_inputs(project_dir)?;
        if let Some(path) = &params.warm_start {
            inputs.push(warm_start::external_input(path, project_dir)?);
        }
        Ok(inputs)
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
    let transform = TransformGraph::load(context.input("transform")?.path.join(TRANSFORM_FILE))?;
    let graph = match &params.offset {
        Some(offset) => offset::with_offset(&transform, offset, &examples.schema())?,
        None => transform.clone(),
    };
    let spec = graph.label().ok_or(ModelError::NoLabel)?.clone();
    let spec = match &params.task {
        Some(asked) => asked.label(spec),
        None => spec,
    };
    let split = params.splits.train.as_str();

    let weight = params.weight.as_deref();
    let group = params.task.as_ref().and_then(AskedTask::group);
    let reader = LabelReader { context, examples: &examples, graph: &graph, label: &spec, weight, group };
    let rows = reader.rows(split)?;
    context.progress.total_rows(rows);
    let mut texts = Texts::default();
    let (mut labels, sample) = reader.read(split, rows, &mut texts, Some(SamplePicker::new(rows)))?;
    labels.check(&texts)?;
    let mut decision = Decision::new(params.task.as_ref(), &spec, &labels, &texts)?;
    if !estimator.tasks().contains(&decision.task.kind()) {
        return Err(TrainError::TaskNotLearned { learner: learner_name, task: decision.task.kind() }.into());
    }
    decision.task = estimator.refined(decision.task);
    decision.encode(&mut labels, &texts)?;
    if params.offset.is_some() && !matches!(decision.task, Task::Binary | Task::Regression) {
        return Err(TrainError::NoUse { what: format!("task `{}`", decision.task.kind()), key: "offset" }.into());
    }
    let base_model = BaseModel::load(context, params.warm_start.as_deref(), &graph, &decision.task)?;
    if base_model.is_some() && !estimator.takes(MoreInput::BaseModel) {
        let what = format!("learner `{learner_name}` as it is set here");
        return Err(TrainError::NoUse { what, key: warm_start::INPUT }.into());
    }

    let mut warnings: Vec<String> = decision.guess.iter().cloned().collect();
    warnings.extend(base_model.iter().flat_map(|model| model.warnings.iter().cloned()));
    let own = params.validation.as_ref().and_then(Validation::split);
    let mut kept_aside = None;
    let mut validation_labels = None;
    if let Some(own) = own {
        let (mut of_own, _) = reader.read(own, reader.rows(own)?, &mut texts, None)?;
        of_own.check(&texts)?;
        decision.encode(&mut of_own, &texts)?;
        validation_labels = Some(of_own);
    } else if params.validation.is_some() || estimator.needs_validation() {
        let classes = (decision.task.kind() != TaskKind::Regression).then_some(labels.values.as_slice());
        let asked = params.validation.as_ref();
        let aside = validation::kept_aside(asked, &examples, split, classes, group, rows, params.seed)?;
        if aside.iter().any(|aside| *aside) {
            validation_labels = Some(labels.take(&aside, "validation"));
            labels.check(&texts)?;
            let aside = BooleanBuffer::from(aside);
            kept_aside = Some((!&aside, aside));
        } else {
            warnings.push(
                "no rows could be kept aside to decide when to stop: they are too few, of one group or of one time"
                    .to_owned(),
            );
        }
    }

    if let Some(of_classes) = &params.class_weights {
        let of_class = of_classes.of(&decision.task, &decision.class_names(), &labels.values)?;
        let weights = labels.weights.get_or_insert_with(|| vec![1.0; labels.values.len()]);
        for (weight, label) in weights.iter_mut().zip(&labels.values) {
            *weight *= of_class.get(*label as usize).copied().unwrap_or(1.0);
        }
    }

    let source = RowSource { context, examples: &examples, graph: &graph };
    let (learned, aside) = kept_aside.as_ref().map_or((None, None), |(learned, aside)| (Some(learned), Some(aside)));
    let fitted = estimator.fit(&TrainingData {
        task: &decision.task,
        features: transform.features(),
        has_offset: params.offset.is_some(),
        base_model: base_model.as_ref().map(|model| &model.learner),
        train: source.rows(split, &labels, learned, true),
        validation: validation_labels.as_ref().map(|of_rows| match own {
            Some(own) => source.rows(own, of_rows, None, false),
            None => source.rows(split, of_rows, aside, true),
        }),
        seed: params.seed,
        project_dir: context.project_dir,
        progress: context.progress,
        cancel: context.cancel,
    })?;
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
        warnings,
        ..Outcome::default()
    })
}

/// Where rows of features come from.
struct RowSource<'a> {
    context: &'a StepContext<'a>,
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
            progress: self.context.progress,
            cancel: self.context.cancel,
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
