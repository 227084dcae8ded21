//! A training command: any program as a learner.
//!
//! The contract is `tidemill.job/1`. The program gets a job file that says where its data is and what to do, tells its
//! progress by lines of JSON, and hands over a model in a format that is executed here, with predictions of its own. These
//! are reproduced before the model is accepted.
//!
//! [`job`] writes the job, [`process`] runs the program within its limits, [`result`] reads what it hands over.

mod data;
mod events;
mod job;
mod kept;
mod process;
mod result;

pub use job::PYTHON_MODULE;
pub use kept::JobFolder;
pub use process::{Program, ProgramReport};

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, Digest, ExternalInput, ParamIssue, TaskKind};
use tidemill_model::Task;

use crate::learner::{Estimator, FittedLearner, Judged, Learner, TrainingData, parse_learner};

/// Any program that trains.
#[derive(Debug, Clone, Copy)]
pub struct CommandLearner;

/// A program that trains a model: the contract `tidemill.job/1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingCommand {
    /// The program and its arguments: `[python, train.py]`. It runs in the folder of the project.
    pub run: Vec<String>,
    /// Parameters for the program, of any type.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Files of the project that the program consists of: when one changes, the step runs again. By default the files that
    /// `run` names.
    #[serde(default)]
    pub code: Option<Vec<PathBuf>>,
    /// More environment variables for the program.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The program reads rows that decide when to stop or between settings. Without them it learns from all rows.
    #[serde(default = "yes")]
    pub validation: bool,
    /// Which columns the program gets: `features`, the rows after the transform, which the model is handed over for; `raw`,
    /// the columns of the examples as they are, without those that the label is about; or `both`.
    #[serde(default)]
    pub data: JobData,
    /// A file of the project that the program may begin with, such as an earlier model. When it changes, the step runs again.
    #[serde(default)]
    pub warm_start: Option<PathBuf>,
    /// Longest run, in seconds.
    #[serde(default = "an_hour")]
    pub timeout_secs: u64,
    /// Largest memory of the program and its children together, in MiB. No limit when absent. Linux only.
    #[serde(default)]
    pub memory_mib: Option<u64>,
    /// Seconds that it has to end itself after it is asked to, before it is killed.
    #[serde(default = "ten")]
    pub grace_secs: u64,
}

/// Which columns a program gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobData {
    /// The rows after the transform.
    #[default]
    Features,
    /// The columns of the examples as they are.
    Raw,
    /// Both, in the same order of rows.
    Both,
}

impl JobData {
    fn has_features(self) -> bool {
        self != Self::Raw
    }

    fn has_raw(self) -> bool {
        self != Self::Features
    }
}

const fn yes() -> bool {
    true
}

const fn an_hour() -> u64 {
    3600
}

const fn ten() -> u64 {
    10
}

impl Learner for CommandLearner {
    fn name(&self) -> &'static str {
        "command"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<TrainingCommand>()
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(parse_learner(params, &[], TrainingCommand::check)?))
    }
}

impl TrainingCommand {
    fn check(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        if self.run.first().is_none_or(|program| program.trim().is_empty()) {
            issues
                .push(ParamIssue::new(["run"], "`run` names no program").with_hint("as in `run: [python, train.py]`"));
        }
        if self.timeout_secs == 0 {
            issues.push(ParamIssue::new(["timeout_secs"], "`timeout_secs` must be 1 or above"));
        }
        let code = self.code.iter().flatten().enumerate();
        let code = code.map(|(at, file)| (vec!["code".to_owned(), at.to_string()], file));
        for (path, file) in code.chain(self.warm_start.iter().map(|file| (vec!["warm_start".to_owned()], file))) {
            if file.is_absolute() || file.components().any(|part| part == Component::ParentDir) {
                let message = format!("`{}` is not a file inside the project", file.display());
                issues.push(ParamIssue::new(path, message));
            }
        }
        issues
    }

    /// The files that the program consists of, and the one that it begins with.
    fn files(&self, project_dir: &Path) -> Vec<PathBuf> {
        let mut files = self.code_files(project_dir);
        files.extend(self.warm_start.clone());
        files
    }

    fn code_files(&self, project_dir: &Path) -> Vec<PathBuf> {
        match &self.code {
            Some(files) => files.clone(),
            None => {
                let named = self.run.iter().skip(1).map(PathBuf::from);
                named.filter(|file| file.is_relative() && project_dir.join(file).is_file()).collect()
            }
        }
    }
}

impl Estimator for TrainingCommand {
    fn tasks(&self) -> &'static [TaskKind] {
        &[TaskKind::Binary, TaskKind::MultiClass, TaskKind::Regression]
    }

    fn params(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn needs_validation(&self) -> bool {
        self.validation
    }

    fn external_inputs(&self, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let digest = |file: PathBuf| {
            let path = project_dir.join(&file);
            let bytes = std::fs::read(&path).map_err(|error| {
                let message = format!("cannot read `{}`, a file of the training command", path.display());
                let hint = if self.warm_start.as_ref() == Some(&file) {
                    "`warm_start` names a file of the project; leave it out for the first training"
                } else {
                    "`code` lists the files of the project that the command consists of"
                };
                let error = ComponentError {
                    source: Some(Box::new(error)),
                    ..ComponentError::new(Code::SourceNotFound, message)
                };
                error.with_hint(hint)
            })?;
            Ok(ExternalInput {
                name: file.display().to_string(),
                digest: Digest::from_bytes(blake3::hash(&bytes).as_bytes()),
            })
        };
        self.files(project_dir).into_iter().map(digest).collect()
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        let scratch = job::Scratch::new()?;
        data.progress.phase("writing the data of the job");
        let job = job::write(self, data, &scratch)?;
        data.progress.phase("training command");
        let ended = process::run(self, data, &scratch, &job)?;
        data.progress.phase("checking the model");
        let handed_over = result::read(data, &scratch, &ended)?;
        if let Some(kept) = data.job {
            kept.done();
        }

        let learner = tidemill_model::Learner::Imported(handed_over.learner);
        let predict = |block: &tidemill_model::FeatureBlock| Ok(learner.predict(block)?);
        let judged = Judged::new(&predict, data)?;
        let mut facts = Map::new();
        facts.insert("model_format".to_owned(), json!(learner.kind()));
        facts.insert("reproduced_rows".to_owned(), json!(handed_over.reproduced));
        if let Some(environment) = handed_over.environment {
            facts.insert("environment".to_owned(), environment);
        }
        if !ended.metrics.is_empty() {
            facts.insert("reported".to_owned(), json!(ended.metrics));
        }
        let mut properties = Map::from_iter([("model_format".to_owned(), json!(learner.kind()))]);
        properties.extend(ended.log.path().map(|path| ("log".to_owned(), json!(path))));
        let mut warnings = ended.warnings;
        warnings.extend(handed_over.warnings);
        Ok(FittedLearner {
            train_metrics: judged.train,
            validation_metrics: judged.validation,
            properties,
            facts,
            importance: None,
            headline: format!(
                "{} model{}, {} of its predictions reproduced",
                title(learner.kind()),
                judged.headline,
                handed_over.reproduced
            ),
            warnings,
            learner,
        })
    }
}

/// What a format is called.
fn title(kind: &str) -> &'static str {
    match kind {
        "lightgbm" => "LightGBM",
        "xgboost" => "XGBoost",
        _ => "ONNX",
    }
}

/// What went wrong with a command.
fn failed(code: Code, message: impl Into<String>, log: &process::Log) -> ComponentError {
    let tail = log.tail();
    let mut error = ComponentError::new(code, message);
    if !tail.is_empty() {
        error.source = Some(Box::new(process::LogTail { tail, file: log.path() }));
    }
    error
}

/// The name of a task in a job file, with its classes.
fn task_of(task: &Task) -> Value {
    json!({ "kind": task.kind().name(), "classes": task.classes(), "columns": task.columns() })
}

/// How long to wait between two looks at a running program.
const PAUSE: Duration = Duration::from_millis(25);
