//! A `Trainer` whose training commands keep checkpoints and outputs between attempts.

use std::path::{Path, PathBuf};

use schemars::Schema;
use serde_json::{Value, json};
use tidemill_core::{
    Component, ComponentError, ComponentSpec, Expectation, ExternalInput, Outcome, ParamIssue, Promise, StepContext,
};

use super::Trainer;
use crate::command::JobFolder;
use crate::learner::Estimator;

/// A [`Trainer`] that keeps checkpoints and outputs of training commands in a folder.
#[derive(Debug, Clone)]
pub struct KeepingTrainer(PathBuf);

impl Trainer {
    /// The same, with a folder in which training commands keep checkpoints and their output.
    #[must_use]
    pub fn with_jobs(self, folder: PathBuf) -> KeepingTrainer {
        KeepingTrainer(folder)
    }
}

impl Component for KeepingTrainer {
    fn spec(&self) -> ComponentSpec {
        Trainer.spec()
    }

    fn params_schema(&self) -> Schema {
        Trainer.params_schema()
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        Trainer.check(params)
    }

    fn promises(&self, params: &Value) -> Vec<Promise> {
        Trainer.promises(params)
    }

    fn expectations(&self, params: &Value) -> Vec<Expectation> {
        Trainer.expectations(params)
    }

    fn external_inputs(&self, params: &Value, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        Trainer.external_inputs(params, project_dir)
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        super::run(context, Some(&self.0))
    }
}

/// The folder of a training: attempts at the same data with the same parameters and code share their checkpoints.
pub(super) fn folder(
    jobs: &Path,
    context: &StepContext<'_>,
    estimator: &dyn Estimator,
) -> Result<JobFolder, ComponentError> {
    let external = estimator.external_inputs(context.project_dir)?;
    let external: Vec<Value> =
        external.into_iter().map(|input| json!([input.name, input.digest.to_string()])).collect();
    let inputs: Vec<Value> = context.inputs.iter().map(|(key, input)| json!([key, input.digest.to_string()])).collect();
    let training = json!({ "params": context.params, "inputs": inputs, "external": external });
    Ok(JobFolder::new(jobs, context.run, training.to_string().as_bytes()))
}
