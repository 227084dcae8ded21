//! What a program hands over: a model, and predictions of its own that must be reproduced.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{Code, ComponentError};
use tidemill_model::{FeatureBlock, ImportedLearner};

use super::job::Scratch;
use super::process::{Ended, Log};
use super::{failed, title};
use crate::learner::{SplitRows, TrainingData};

/// Larger files are no results.
const RESULT_BYTES_MAX: u64 = 16 << 20;
/// Rows whose predictions are compared at most.
const ROWS_MAX: usize = 10_000;
/// Predictions of the two engines may differ by so much, in relation to their size, where the program says nothing.
const TOLERANCE: f64 = 1e-4;
/// A program cannot ask for a larger tolerance.
const TOLERANCE_MAX: f64 = 1e-2;

/// `result.json`.
#[derive(Debug, Deserialize)]
struct JobResult {
    #[serde(default)]
    model: Option<ModelFile>,
    #[serde(default)]
    predictions: Option<Predictions>,
    #[serde(default)]
    environment: Option<Value>,
    #[serde(default)]
    failure: Option<JobFailure>,
}

#[derive(Debug, Deserialize)]
struct ModelFile {
    format: String,
    path: PathBuf,
}

/// The program's predictions of the first rows of a split: a number a row, or a list of one for each class.
#[derive(Debug, Deserialize)]
struct Predictions {
    #[serde(default)]
    split: Option<String>,
    values: Vec<Value>,
    #[serde(default)]
    tolerance: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct JobFailure {
    message: String,
}

/// A model that is accepted.
pub(super) struct HandedOver {
    pub(super) learner: ImportedLearner,
    /// Rows whose predictions were reproduced.
    pub(super) reproduced: usize,
    pub(super) environment: Option<Value>,
    pub(super) warnings: Vec<String>,
}

/// Reads the result and reproduces its predictions.
pub(super) fn read(data: &TrainingData<'_>, scratch: &Scratch, ended: &Ended) -> Result<HandedOver, ComponentError> {
    let log = &ended.log;
    let wrong = |reason: String| failed(Code::JobResult, reason, log);
    let path = scratch.out().join("result.json");
    let bytes = bounded(&path, RESULT_BYTES_MAX).map_err(|error| {
        let hint =
            "it writes `result.json` into the folder TIDEMILL_OUT last of all; `tidemill.job().save(model)` does so";
        wrong(format!("the training command ended without a result: {error}")).with_hint(hint)
    })?;
    let result: JobResult = serde_json::from_slice(&bytes)
        .map_err(|error| wrong(format!("`result.json` of the training command is not as agreed: {error}")))?;
    if let Some(failure) = result.failure {
        return Err(failed(Code::JobFailed, format!("the training command failed: {}", failure.message), log));
    }
    let Some(file) = result.model else {
        return Err(wrong("`result.json` of the training command names no model".to_owned()));
    };
    let learner = model(&file, data, scratch, log)?;
    let Some(predictions) = result.predictions else {
        return Err(wrong("`result.json` of the training command has no predictions to compare with".to_owned())
            .with_hint(
                "`predictions: { split: train, values: [...] }`: what the framework predicts for the first rows",
            ));
    };
    let reproduced = reproduce(&learner, &predictions, data, log)?;
    let mut warnings = Vec::new();
    if reproduced < 64.min(data.train.rows()) {
        warnings.push(format!("only {reproduced} predictions of the training command were there to compare with"));
    }
    Ok(HandedOver { learner, reproduced, environment: result.environment, warnings })
}

fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let found = path.symlink_metadata().map_err(|_| format!("there is no file `{name}`"))?;
    if !found.is_file() {
        return Err(format!("`{name}` is not a file"));
    }
    if found.len() > most {
        return Err(format!("`{name}` has {} bytes, more than {most}", found.len()));
    }
    std::fs::read(path).map_err(|error| format!("`{name}` cannot be read: {error}"))
}

/// Reads the model file.
fn model(
    file: &ModelFile,
    data: &TrainingData<'_>,
    scratch: &Scratch,
    log: &Log,
) -> Result<ImportedLearner, ComponentError> {
    let wrong = |reason: String| failed(Code::JobResult, reason, log);
    let kind = match file.format.as_str() {
        "onnx" | "lightgbm" | "xgboost" => file.format.as_str(),
        other => {
            return Err(wrong(format!("the training command hands over a model of the format `{other}`"))
                .with_hint("there are `onnx`, `lightgbm` (its text file) and `xgboost` (its JSON)"));
        }
    };
    let is_inside = file.path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let path = match (file.path.strip_prefix(scratch.out()), is_inside) {
        (Ok(inside), _) => scratch.out().join(inside),
        (Err(_), true) => scratch.out().join(&file.path),
        (Err(_), false) => {
            return Err(wrong(format!("the model `{}` is not in the folder TIDEMILL_OUT", file.path.display())));
        }
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = bounded(&path, u64::from(u32::MAX))
        .map_err(|reason| wrong(format!("the training command hands over no model: {reason}")))?;
    let parsed = tidemill_onnx::parse(&bytes, Path::new(&name)).map_err(|error| {
        let message = format!("the {} model `{name}` of the training command cannot be read", title(kind));
        ComponentError { source: Some(Box::new(error)), ..wrong(message) }
    })?;
    if !parsed.format().starts_with(title(kind)) {
        let reason = format!("the model `{name}` is said to be of the format `{kind}`, and is `{}`", parsed.format());
        return Err(wrong(reason));
    }
    ImportedLearner::new(kind, &bytes, parsed, data.task.clone(), data.features)
        .map_err(|reason| wrong(format!("the model `{name}` of the training command does not fit the data: {reason}")))
}

/// Compares the program's predictions with those of the engine here. Gives how many rows agree: all.
fn reproduce(
    learner: &ImportedLearner,
    predictions: &Predictions,
    data: &TrainingData<'_>,
    log: &Log,
) -> Result<usize, ComponentError> {
    let wrong = |reason: String| failed(Code::JobResult, reason, log);
    let split = predictions.split.as_deref().unwrap_or("train");
    let rows = match (split, &data.validation) {
        ("train", _) => &data.train,
        ("validation", Some(rows)) => rows,
        (other, _) => {
            return Err(wrong(format!("the predictions are of a split `{other}`, which the job does not have")));
        }
    };
    let tolerance = predictions.tolerance.unwrap_or(TOLERANCE).clamp(0.0, TOLERANCE_MAX);
    let width = data.task.columns();
    let count = predictions.values.len().min(ROWS_MAX);
    if count == 0 || predictions.values.len() > rows.rows() {
        let (given, there) = (predictions.values.len(), rows.rows());
        return Err(wrong(format!("there are predictions of {given} rows, and `{split}` has {there}")));
    }
    let wanted: Vec<Vec<f64>> = predictions.values[..count]
        .iter()
        .enumerate()
        .map(|(row, value)| numbers(value, width).map_err(|reason| wrong(format!("prediction {}: {reason}", row + 1))))
        .collect::<Result<_, _>>()?;
    let ours = first_rows(learner, rows, count)?;
    for (row, wanted) in wanted.iter().enumerate() {
        for (column, wanted) in wanted.iter().enumerate() {
            let ours = ours[column][row];
            let agrees = (ours - wanted).abs() <= tolerance * wanted.abs().max(1.0);
            if !agrees {
                let class = data.task.classes().get(column).map_or_else(String::new, |class| format!(" of `{class}`"));
                return Err(failed(
                    Code::SampleMismatch,
                    format!(
                        "the model does not reproduce the predictions of its framework: row {} of `{split}`{class} is \
                         {wanted} there and {ours} here",
                        row + 1
                    ),
                    log,
                )
                .with_hint("was it converted to ONNX exactly? LightGBM and XGBoost hand over files of their own"));
            }
        }
    }
    Ok(count)
}

/// The numbers of one row.
fn numbers(value: &Value, width: usize) -> Result<Vec<f64>, String> {
    let list: Vec<&Value> = match value {
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    };
    if list.len() != width {
        return Err(format!("has {} numbers where {width} are wanted", list.len()));
    }
    let number = |value: &Value| value.as_f64().filter(|number| number.is_finite());
    list.into_iter().map(|value| number(value).ok_or_else(|| format!("is {value}, not a finite number"))).collect()
}

/// The predictions of the first `count` rows, by column.
fn first_rows(learner: &ImportedLearner, rows: &SplitRows<'_>, count: usize) -> Result<Vec<Vec<f64>>, ComponentError> {
    let mut found: Vec<Vec<f64>> = vec![Vec::new(); learner.task().columns()];
    let mut trouble = None;
    let model = tidemill_model::Learner::Imported(learner.clone());
    rows.each_block(|block| {
        let missing = count - found[0].len();
        if missing == 0 || trouble.is_some() {
            return;
        }
        let part = FeatureBlock {
            rows: block.rows.min(missing),
            columns: block.columns.iter().map(|column| column[..block.rows.min(missing)].to_vec()).collect(),
        };
        match model.predict(&part) {
            Ok(columns) => found.iter_mut().zip(columns).for_each(|(all, part)| all.extend(part)),
            Err(error) => trouble = Some(error),
        }
    })?;
    match trouble {
        Some(error) => Err(error.into()),
        None => Ok(found),
    }
}
