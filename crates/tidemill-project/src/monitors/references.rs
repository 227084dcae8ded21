//! The references of the versions that a monitor watches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema};
use tidemill_core::{ArtifactType, Failure, TaskKind};
use tidemill_data::{Examples, ReadOptions, Table};
use tidemill_metadata::{LineageDirection, VersionSpec};
use tidemill_model::{BoundLabel, LoadedModel};
use tidemill_monitor::config::Reference;
use tidemill_monitor::{
    InferenceLog, MonitorError, MonitorFile, Profile, Profiles, StateFolder, Task, learn, of_period, of_rows,
    parse_time,
};
use tidemill_onnx::load_model_with;
use tidemill_pipeline::Workspace;
use tokio::runtime::Handle;

/// Steps between a model and the examples that it was made of, at most.
const HOPS: u32 = 6;

/// Makes references as the monitor file says. Must be used on a thread that may block.
pub struct References {
    file: MonitorFile,
    base: PathBuf,
    log: InferenceLog,
    /// The store of the project; a monitor without a project has none.
    workspace: Option<Workspace>,
    runtime: Handle,
    /// What was worth saying.
    pub notes: Vec<String>,
}

impl References {
    /// For the monitor of a file in the folder `base`. Needs the runtime that it is called in.
    pub fn new(file: MonitorFile, base: &Path, log: InferenceLog, workspace: Option<Workspace>) -> Self {
        Self { file, base: base.to_owned(), log, workspace, runtime: Handle::current(), notes: Vec::new() }
    }

    /// The evaluation rows of the run that made a version, with the model's predictions of them.
    fn training(&self, version: u64) -> Result<Option<Profile>, MonitorError> {
        let Some(workspace) = &self.workspace else { return Ok(None) };
        let found = self.runtime.block_on(made_of(workspace, &self.file.model, version));
        let Some((package, examples, run)) = found.map_err(|failure| reference(&failure))? else { return Ok(None) };
        let model = load_model_with(&package, &tidemill_onnx::OnnxOptions::default());
        let model = model.map_err(|error| reference(&Failure::of(&error)))?;
        let examples = Examples::open(&examples)?;
        let split = match examples.splits().iter().find(|split| split.name == "eval").or(examples.splits().last()) {
            Some(split) => split.name.clone(),
            None => return Ok(None),
        };
        let source = format!("the {split} rows of run {}", run.get(..8).unwrap_or(&run));
        let label = bound_label(&model, &examples.schema());
        let task = task_of(&model);
        let open = || {
            let rows = examples.batches(&split, None)?;
            let model = &model;
            Ok(rows.map(move |batch| as_logged(model, &batch?)))
        };
        // Labels come from columns that the log does not have: they are computed beside the rows.
        let mut of_batches = Vec::new();
        if let (Some(label), Some(_)) = (&label, task) {
            for batch in examples.batches(&split, None)? {
                let values = label.optional_values(&batch?);
                of_batches.push(values.map_err(|error| reference(&Failure::of(&error)))?);
            }
        }
        let mut next = of_batches.into_iter();
        let mut labels = |batch: &RecordBatch| next.next().unwrap_or_else(|| vec![None; batch.num_rows()]);
        let labels: Option<(Task, tidemill_monitor::LabelsOf<'_>)> =
            task.filter(|_| label.is_some()).map(|task| (task, &mut labels as _));
        of_rows(&self.file, version, &source, open, labels).map(Some)
    }

    fn of_file(&self, version: u64, path: &Path) -> Result<Profile, MonitorError> {
        let path = self.base.join(path);
        let table = Table::open(&path, &ReadOptions::default())?;
        let source = format!("`{}`", path.display());
        let open = || Ok(table.read()?.map(|batch| batch.map_err(MonitorError::from)));
        let spec = self.file.labels.as_ref();
        let is_there = |name: &str| table.schema().index_of(name).is_ok();
        let label = spec.map(|spec| spec.label.clone()).filter(|name| is_there(name));
        let task = label.as_ref().and_then(|_| match (is_there("_probability"), is_there("_prediction")) {
            (true, _) => Some(Task::Binary { threshold: 0.5 }),
            (_, true) => Some(Task::Regression),
            _ => None,
        });
        let positive = spec.and_then(|spec| spec.positive.clone());
        let mut labels = |batch: &RecordBatch| {
            label.as_ref().map_or_else(Vec::new, |name| numbers(batch, name, positive.as_deref()))
        };
        let labels: Option<(Task, tidemill_monitor::LabelsOf<'_>)> = task.map(|task| (task, &mut labels as _));
        // The label is no column of the log.
        let mut file = self.file.clone();
        file.exclude.extend(label.clone());
        of_rows(&file, version, &source, open, labels)
    }
}

impl Profiles for References {
    fn profile(&mut self, version: u64, _state: &StateFolder) -> Result<Option<Profile>, MonitorError> {
        match &self.file.reference {
            Reference::Training => match self.training(version)? {
                Some(profile) => Ok(Some(profile)),
                None => {
                    let learnt = learn(&self.file, &self.log, version)?;
                    let what = if learnt.is_some() {
                        "the first rows of the log are the reference"
                    } else {
                        "waiting for enough rows to learn from"
                    };
                    let note =
                        format!("version {version} of `{}` has no training rows in the store: {what}", self.file.model);
                    if !self.notes.contains(&note) {
                        self.notes.push(note);
                    }
                    Ok(learnt)
                }
            },
            Reference::Learn => learn(&self.file, &self.log, version),
            Reference::File(path) => {
                let path = path.clone();
                self.of_file(version, &path).map(Some)
            }
            Reference::Period { from, to } => {
                let (Some(start), Some(end)) = (parse_time(from), parse_time(to)) else { return Ok(None) };
                let source = format!("{from} to {to}");
                let own = of_period(&self.file, &self.log, Some(version), (start, end), &source, version)?;
                match own {
                    Some(profile) => Ok(Some(profile)),
                    // Another version served then.
                    None => of_period(&self.file, &self.log, None, (start, end), &source, version),
                }
            }
        }
    }
}

fn reference(failure: &Failure) -> MonitorError {
    MonitorError::Reference { message: failure.message.clone(), hint: failure.hint.clone() }
}

/// The package of a version, the examples that it was made of, and the run.
async fn made_of(
    workspace: &Workspace,
    model: &str,
    version: u64,
) -> Result<Option<(PathBuf, PathBuf, String)>, Failure> {
    let known = workspace.metadata.models().await?;
    if !known.iter().any(|record| record.model.name == model && record.versions.iter().any(|of| of.version == version))
    {
        return Ok(None);
    }
    let found = workspace.metadata.model_version(model, &VersionSpec::Number(version)).await?;
    let artifact = workspace.metadata.artifact(found.artifact_id.as_str()).await?;
    let package = workspace.artifacts.get(ArtifactType::Model, &artifact.digest)?;
    let graph = workspace.metadata.lineage(&artifact.id, LineageDirection::Up, HOPS).await?;
    let examples = graph.artifacts.iter().find(|artifact| artifact.artifact_type == ArtifactType::Examples);
    let Some(examples) = examples else { return Ok(None) };
    let examples = workspace.artifacts.get(ArtifactType::Examples, &examples.digest)?;
    Ok(Some((package, examples, found.run_id.to_string())))
}

/// What the model predicts, if a monitor can say how well.
fn task_of(model: &LoadedModel) -> Option<Task> {
    let threshold = match model {
        LoadedModel::Package(model) => model.manifest().decision_threshold,
        LoadedModel::Imported(_) => None,
    };
    match model.task().map(TaskKind::from)? {
        TaskKind::Binary => Some(Task::Binary { threshold: threshold.unwrap_or(0.5) }),
        TaskKind::Regression => Some(Task::Regression),
        _ => None,
    }
}

fn bound_label(model: &LoadedModel, schema: &Schema) -> Option<BoundLabel> {
    match model {
        LoadedModel::Package(model) => model.manifest().label.bind(schema).ok(),
        LoadedModel::Imported(_) => None,
    }
}

/// Rows as the server logs them: the inputs of the model under their own names, its outputs after `_`.
fn as_logged(model: &LoadedModel, batch: &RecordBatch) -> Result<RecordBatch, MonitorError> {
    let wrong = |error: &dyn std::fmt::Display| MonitorError::Reference {
        message: format!("the model cannot predict its evaluation rows: {error}"),
        hint: None,
    };
    let wanted = model.batch_from_rows(&[]).map_err(|error| wrong(&error))?.schema();
    let (mut fields, mut columns): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for input in wanted.fields() {
        let column = match batch.column_by_name(input.name()) {
            Some(column) => Arc::clone(column),
            None => new_null_array(input.data_type(), batch.num_rows()),
        };
        fields.push(Field::new(input.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let inputs =
        RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns.clone()).map_err(|error| wrong(&error))?;
    let predictions = model.predict(&inputs).map_err(|error| wrong(&error))?;
    for (field, column) in predictions.schema().fields().iter().zip(predictions.columns()) {
        fields.push(Field::new(format!("_{}", field.name()), field.data_type().clone(), true));
        columns.push(Arc::clone(column));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| wrong(&error))
}

/// A column of labels as numbers.
fn numbers(batch: &RecordBatch, name: &str, positive: Option<&str>) -> Vec<Option<f64>> {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{DataType, Float64Type, Int64Type};
    let Some(column) = batch.column_by_name(name) else { return vec![None; batch.num_rows()] };
    let yes = |yes: bool| f64::from(u8::from(yes));
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().iter().collect(),
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().map(|of| of.map(|of| of as f64)).collect(),
        DataType::Boolean => column.as_boolean().iter().map(|of| of.map(yes)).collect(),
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            texts.iter().map(|of| of.map(|text| yes(Some(text) == positive))).collect()
        }
        _ => vec![None; column.len()],
    }
}
