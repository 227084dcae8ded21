//! The job file, and the folder that a job runs in.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidemill_core::{Code, ComponentError};
use tidemill_model::FeatureKind;

use super::{TrainingCommand, data, task_of};
use crate::learner::TrainingData;

/// The contract.
pub(super) const FORMAT: &str = "tidemill.job/1";
/// The Python module that speaks the contract; it stands beside the job, so that nothing needs installing.
/// The Python module `tidemill`, for the programs of jobs and components.
pub const PYTHON_MODULE: &str = include_str!("../../../../python/tidemill/__init__.py");

/// The folder of a job, which is gone when this is dropped.
pub(super) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(super) fn new() -> Result<Self, ComponentError> {
        let folder = tempfile::Builder::new().prefix("tidemill-job-").tempdir();
        Ok(Self(folder.map_err(|error| io("cannot make a folder for the job", error))?))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The folder for the model.
    pub(super) fn out(&self) -> PathBuf {
        self.path().join("out")
    }

    /// The file that events are written to.
    pub(super) fn events(&self) -> PathBuf {
        self.path().join("events.jsonl")
    }

    /// The folder of the Python module.
    pub(super) fn python(&self) -> PathBuf {
        self.path().join("python")
    }
}

pub(super) fn io(doing: &str, error: std::io::Error) -> ComponentError {
    ComponentError { source: Some(Box::new(error)), ..ComponentError::new(Code::Io, doing) }
}

/// Writes the data and the job file. Gives the job.
pub(super) fn write(
    command: &TrainingCommand,
    data: &TrainingData<'_>,
    scratch: &Scratch,
) -> Result<Value, ComponentError> {
    let failed = |error| io("cannot write the job", error);
    let checkpoints = match data.job {
        Some(kept) => kept.checkpoints()?,
        None => scratch.path().join("checkpoints"),
    };
    for folder in [scratch.out(), checkpoints.clone(), scratch.python().join("tidemill")] {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(scratch.python().join("tidemill/__init__.py"), PYTHON_MODULE).map_err(failed)?;
    std::fs::write(scratch.events(), b"").map_err(failed)?;
    let has_checkpoints = std::fs::read_dir(&checkpoints).map_err(failed)?.next().is_some();
    let mut splits = serde_json::Map::new();
    for (name, rows) in [("train", Some(&data.train)), ("validation", data.validation.as_ref())] {
        if let Some(rows) = rows {
            let folder = scratch.path().join("data").join(name);
            splits.insert(name.to_owned(), data::write(&folder, data.features, rows, command.data)?);
        }
    }
    let columns: Vec<Value> = data
        .features
        .iter()
        .map(|feature| match feature.kind {
            FeatureKind::Numeric => json!({ "name": feature.name, "kind": "number", "type": "f64" }),
            FeatureKind::Categorical { cardinality } => {
                json!({ "name": feature.name, "kind": "category", "type": "i64", "cardinality": cardinality })
            }
        })
        .collect();
    let job = json!({
        "format": FORMAT,
        "task": task_of(data.task),
        "label": data::LABEL,
        "weight": data.train.weights().map(|_| data::WEIGHT),
        "columns": columns,
        "splits": splits,
        "parameters": command.params,
        "resumed": has_checkpoints,
        "warm_start": command.warm_start.as_ref().map(|file| absolute(&data.project_dir.join(file))),
        "seed": data.seed,
        "threads": rayon::current_num_threads(),
        "limits": { "wall_secs": command.timeout_secs, "memory_mib": command.memory_mib },
        "outputs": {
            "result": scratch.out().join("result.json"),
            "model": scratch.out(),
            "checkpoints": checkpoints,
        },
    });
    let text = serde_json::to_vec_pretty(&job).unwrap_or_default();
    std::fs::write(scratch.path().join("job.json"), text).map_err(failed)?;
    Ok(job)
}

/// The path from the root: a program may change its folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The environment of the program, beside the one of this process. Variables of `SageMaker`'s script mode are among them, so
/// that a script written for it finds its folders and parameters.
pub(super) fn environment(scratch: &Scratch, job: &Value) -> Vec<(String, String)> {
    let path = |path: PathBuf| path.display().to_string();
    let threads = rayon::current_num_threads().to_string();
    let parameters = &job["parameters"];
    let mut python = path(scratch.python());
    if let Ok(others) = std::env::var("PYTHONPATH") {
        python = format!("{python}:{others}");
    }
    let mut variables = vec![
        ("TIDEMILL_JOB".to_owned(), path(scratch.path().join("job.json"))),
        ("TIDEMILL_EVENTS".to_owned(), path(scratch.events())),
        ("TIDEMILL_OUT".to_owned(), path(scratch.out())),
        ("TIDEMILL_THREADS".to_owned(), threads.clone()),
        ("PYTHONPATH".to_owned(), python),
        ("PYTHONUNBUFFERED".to_owned(), "1".to_owned()),
        ("PYTHONHASHSEED".to_owned(), (job["seed"].as_u64().unwrap_or(0) % u64::from(u32::MAX)).to_string()),
        ("SM_MODEL_DIR".to_owned(), path(scratch.out())),
        ("SM_OUTPUT_DATA_DIR".to_owned(), path(scratch.out())),
        ("SM_CHANNEL_TRAIN".to_owned(), path(scratch.path().join("data/train"))),
        ("SM_HPS".to_owned(), parameters.to_string()),
        ("SM_NUM_CPUS".to_owned(), threads.clone()),
        ("SM_NUM_GPUS".to_owned(), "0".to_owned()),
    ];
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"] {
        variables.push((name.to_owned(), threads.clone()));
    }
    if job["splits"].get("validation").is_some() {
        let folder = path(scratch.path().join("data/validation"));
        variables.push(("SM_CHANNEL_VALIDATION".to_owned(), folder.clone()));
        variables.push(("SM_CHANNEL_EVAL".to_owned(), folder));
    }
    for (name, value) in parameters.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        variables.push((format!("SM_HP_{}", name.to_uppercase().replace('-', "_")), text));
    }
    variables
}
