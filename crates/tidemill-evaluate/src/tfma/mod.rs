//! TensorFlow Model Analysis: its `EvalConfig`, as text (`.pbtxt`) or as JSON, becomes parameters of the `Evaluator`.

mod classes;
mod convert;
mod json;

use std::path::{Path, PathBuf};

use tidemill_core::{Code, Coded, Task};
use tidemill_proto::analysis::EvalConfig;
use tidemill_proto::text::from_text;

use crate::EvaluatorParams;

/// Why a file is not an `EvalConfig` that can be run.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {problem}", file.display())]
pub struct EvalConfigError {
    file: PathBuf,
    problem: String,
    hint: Option<String>,
}

impl Coded for EvalConfigError {
    fn code(&self) -> Code {
        Code::Params
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// What is wrong with a part of the configuration, and what to do.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    message: String,
    hint: Option<String>,
}

impl Problem {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An `EvalConfig` as parameters.
#[derive(Debug)]
pub struct ConvertedEvalConfig {
    /// The parameters.
    pub params: EvaluatorParams,
    /// `label_key` of the model.
    pub label: Option<String>,
    /// `prediction_key` of the candidate.
    pub prediction: Option<String>,
    /// `prediction_key` of the baseline.
    pub baseline: Option<String>,
    /// What was left out, or is computed in another way.
    pub notes: Vec<String>,
}

/// Whether a file is an `EvalConfig` by its name: `.pbtxt`, `.textproto` or `.json`.
pub fn is_eval_config(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("pbtxt" | "textproto" | "prototxt" | "json"))
}

/// Reads an `EvalConfig` for a model of `task`. `file` is for messages.
pub fn read_eval_config(file: &Path, text: &str, task: &Task) -> Result<ConvertedEvalConfig, EvalConfigError> {
    let fail =
        |problem: Problem| EvalConfigError { file: file.to_owned(), problem: problem.message, hint: problem.hint };
    let text = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => json::as_text(&value).map_err(fail)?,
        Err(error) if text.trim_start().starts_with('{') => return Err(fail(Problem::new(error.to_string()))),
        Err(_) => text.to_owned(),
    };
    let config: EvalConfig = from_text("tensorflow_model_analysis.EvalConfig", &text)
        .map_err(|error| fail(Problem::new(error.to_string())))?;
    convert::convert(&config, task).map_err(fail)
}
