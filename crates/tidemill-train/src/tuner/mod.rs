//! The `Tuner` component: the parameters of a learner that do best on the validation rows.

mod blend;
mod clock;
mod hyperparameters;
mod journal;
mod judged;
mod latency;
mod objective;
mod params;
mod predictions;
mod run;
mod score;
mod search;
mod tables;

use std::path::Path;

use serde_json::Value;
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, Expectation, ExternalInput, Gate, InputSpec, Outcome,
    OutputSpec, ParamIssue, Promise, StepContext,
};

pub use hyperparameters::{EnsembleFound, Hyperparameters};
pub use journal::read_trials;
use judged::JudgedRows;
use params::TunerParams;
pub use search::{learner_of, search_space};

use crate::learner::Estimator;
use crate::trainer::{Aside, Prepared, Trainer};

/// Searches the parameters of a learner that do best on the validation rows.
///
/// ```yaml
/// tune:  { component: Tuner, learner: gradient_boosting, budget: 10m }
/// train: { component: Trainer, inputs: { hyperparameters: tune } }
/// ```
///
/// The rows that are judged have no part in the search. Finished trials are kept as they come: a search that was killed or
/// cancelled goes on where it was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tuner;

impl Component for Tuner {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "Tuner".into(),
            version: 1,
            about: "Searches the parameters of a learner that do best on the validation rows.".into(),
            inputs: vec![
                InputSpec::required("examples", ArtifactType::Examples),
                InputSpec::required("transform", ArtifactType::TransformGraph),
            ],
            outputs: vec![OutputSpec::new("hyperparameters", ArtifactType::Hyperparameters)],
            gate: Gate::Open,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        params::schema()
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        TunerParams::parse(params).err().unwrap_or_default()
    }

    fn promises(&self, params: &Value) -> Vec<Promise> {
        let Ok(parsed) = TunerParams::parse(params) else { return Vec::new() };
        let values = parsed.search.learners().into_iter().map(str::to_owned).collect();
        let tuned = Promise { topic: Promise::TUNED_LEARNER, about: "the learner", values };
        Trainer.promises(&parsed.of_trainer).into_iter().chain([tuned]).collect()
    }

    fn expectations(&self, params: &Value) -> Vec<Expectation> {
        let Ok(parsed) = TunerParams::parse(params) else { return Vec::new() };
        let of_trainer = Trainer.expectations(&parsed.of_trainer);
        of_trainer.into_iter().filter(|expectation| expectation.topic != Promise::TUNED_LEARNER).collect()
    }

    fn external_inputs(&self, params: &Value, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let parsed = TunerParams::parse(params)?;
        let mut inputs = Vec::new();
        for chosen in parsed.search.chosen(&parsed.trainer)? {
            inputs.extend(chosen.estimator.external_inputs(project_dir)?);
        }
        Ok(inputs)
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params = TunerParams::parse(context.params)?;
        let chosen = params.search.chosen(&params.trainer)?;
        let learners: Vec<(&'static str, &dyn Estimator)> =
            chosen.iter().map(|chosen| (chosen.name, &*chosen.estimator)).collect();
        let folds = params.keys.folds.map(|folds| (folds, params.keys.repeats.unwrap_or(1)));
        let mut prepared = Prepared::read(
            context,
            &params.trainer,
            &learners,
            if folds.is_some() { Aside::Never } else { Aside::Always },
        )?;
        let mut judged = None;
        if let Some((count, repeats)) = folds {
            judged = JudgedRows::folds(&prepared, &params.trainer, count, repeats)?;
            if judged.is_none() {
                let mut warnings = std::mem::take(&mut prepared.warnings);
                prepared = Prepared::read(context, &params.trainer, &learners, Aside::Always)?;
                warnings.push(
                    "rows are split by time, or too few for folds: trials are judged on rows kept aside instead"
                        .to_owned(),
                );
                prepared.warnings = warnings;
            }
        }
        if judged.is_none() && prepared.rows().1 == 0 {
            let message = "there are no validation rows to compare trials on";
            let hint = "name a split for them: `validation: NAME`";
            return Err(ComponentError::new(Code::Params, message).with_hint(hint));
        }
        let judged = judged.unwrap_or_else(|| JudgedRows::aside(&prepared));
        run::search(context, &params, &prepared, &judged, &learners)
    }
}
