//! The `ModelSelector` component: of several trained models, the best on the validation rows.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::Schema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, Gate, InputArtifact, InputSource, InputSpec, Outcome,
    OutputSpec, ParamIssue, Properties, StepContext, SummaryTable, Tone, parse_params,
};

/// The inputs, in the order in which equal models win.
const INPUTS: [&str; 8] = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];
/// Metrics of which a larger value is better.
const LARGER_IS_BETTER: [&str; 5] = ["auc", "accuracy", "r2", "ndcg", "map"];

/// Picks the best of several trained models by a metric on the rows that their trainers kept aside.
///
/// ```yaml
/// boosted: { component: Trainer, learner: gradient_boosting }
/// plain:   { component: Trainer, learner: linear, validation: 0.2 }
/// choose:  { component: ModelSelector, inputs: { first: boosted, second: plain } }
/// ```
///
/// The models of the others stay in the store with their lineage. The split that is judged has no part in the choice.
#[derive(Debug, Clone, Copy, Default)]
pub struct ModelSelector;

/// Parameters of a `ModelSelector` step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct SelectorParams {
    /// The metric on the validation rows that decides: `log_loss`, `rmse`, `auc`, `accuracy`, or what early stopping looked
    /// at. By default the loss that every model has.
    metric: Option<String>,
}

impl Component for ModelSelector {
    fn spec(&self) -> ComponentSpec {
        let input = |key: &'static str| InputSpec::optional(key, ArtifactType::Model).from(InputSource::Named);
        ComponentSpec {
            name: "ModelSelector".into(),
            version: 1,
            about: "Picks the best of several trained models by a metric on their validation rows.".into(),
            inputs: INPUTS.into_iter().map(input).collect(),
            outputs: vec![OutputSpec::new("model", ArtifactType::Model)],
            gate: Gate::Open,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> Schema {
        schemars::schema_for!(SelectorParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        parse_params::<SelectorParams>(params).err().unwrap_or_default()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params: SelectorParams = parse_params(context.params)?;
        let candidates: Vec<Candidate<'_>> = INPUTS
            .iter()
            .filter_map(|key| Some((*key, context.inputs.get(*key)?)))
            .map(|(key, artifact)| Candidate::read(key, artifact))
            .collect::<Result<_, _>>()?;
        if candidates.len() < 2 {
            let message = if candidates.is_empty() {
                "there is no model to choose from"
            } else {
                "there is only one model to choose from"
            };
            let hint = "name the steps that train them: `inputs: { first: STEP, second: STEP }`";
            return Err(ComponentError::new(Code::Params, message).with_hint(hint));
        }
        let metric = match &params.metric {
            Some(metric) => metric.clone(),
            None => common_loss(&candidates)?,
        };
        let values: Vec<f64> = candidates.iter().map(|candidate| candidate.value(&metric)).collect::<Result<_, _>>()?;
        let better = |a: f64, b: f64| if larger_is_better(&metric) { a > b } else { a < b };
        let best = (1..values.len()).fold(0, |best, at| if better(values[at], values[best]) { at } else { best });
        let chosen = &candidates[best];
        copy(&chosen.artifact.path, context.output("model"))?;

        let row = |(at, candidate): (usize, &Candidate<'_>)| {
            let tone = if at == best { Tone::Good } else { Tone::Plain };
            let rows = candidate.rows().map_or_else(|| "–".to_owned(), tidemill_core::grouped);
            (tone, vec![candidate.key.to_owned(), candidate.learner().to_owned(), format!("{:.4}", values[at]), rows])
        };
        let mut warnings = Vec::new();
        if candidates.iter().any(|candidate| candidate.rows() != candidates[0].rows()) {
            warnings.push(
                "the models were not compared on the same validation rows: give their trainers the same `validation` and `seed`"
                    .to_owned(),
            );
        }
        let mut properties: Properties = chosen.artifact.properties.clone();
        properties.insert("chosen_of".to_owned(), candidates.len().into());
        Ok(Outcome {
            properties: BTreeMap::from([("model".to_owned(), properties)]),
            headline: format!(
                "`{}` ({}): validation {metric} {:.4}, the best of {}",
                chosen.key,
                chosen.learner(),
                values[best],
                candidates.len()
            ),
            tables: vec![SummaryTable {
                title: "Models".to_owned(),
                columns: ["model", "learner", &format!("validation {metric}"), "rows"].map(str::to_owned).to_vec(),
                rows: candidates.iter().enumerate().map(row).collect(),
            }],
            warnings,
            ..Outcome::default()
        })
    }
}

/// Whether a larger value of the metric is a better one; `ndcg@5` is better as `ndcg` is.
pub(crate) fn larger_is_better(metric: &str) -> bool {
    LARGER_IS_BETTER.contains(&metric.split('@').next().unwrap_or(metric))
}

/// A model to choose from.
struct Candidate<'a> {
    key: &'static str,
    artifact: &'a InputArtifact,
    manifest: Value,
}

impl<'a> Candidate<'a> {
    fn read(key: &'static str, artifact: &'a InputArtifact) -> Result<Self, ComponentError> {
        let file = artifact.path.join("model.json");
        let broken = |reason: String| {
            ComponentError::new(Code::PackageInvalid, format!("the model `{key}` cannot be read: {reason}"))
        };
        let bytes = std::fs::read(&file).map_err(|error| broken(error.to_string()))?;
        let manifest = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        Ok(Self { key, artifact, manifest })
    }

    fn learner(&self) -> &str {
        let params = self.manifest["learner"]["params"].as_object();
        params.and_then(|params| params.keys().next()).map_or("a model", String::as_str)
    }

    fn metrics(&self) -> &Value {
        &self.manifest["training"]["metrics"]["validation"]
    }

    fn rows(&self) -> Option<u64> {
        self.manifest["training"]["rows"]["validation"].as_u64()
    }

    fn value(&self, metric: &str) -> Result<f64, ComponentError> {
        if let Some(value) = self.metrics()[metric].as_f64() {
            return Ok(value);
        }
        let Some(known) = self.metrics().as_object() else {
            let message = format!("the model `{}` ({}) was trained without validation rows", self.key, self.learner());
            let hint = "give its `Trainer` some: `validation: 0.2`";
            return Err(ComponentError::new(Code::Params, message).with_hint(hint));
        };
        let known: Vec<String> = known.keys().map(|name| format!("`{name}`")).collect();
        let message = format!("the model `{}` ({}) has no validation metric `{metric}`", self.key, self.learner());
        Err(ComponentError::new(Code::Params, message).with_hint(format!("it has {}", known.join(", "))))
    }
}

/// The loss of the task, which every learner reports, where each has it.
fn common_loss(candidates: &[Candidate<'_>]) -> Result<String, ComponentError> {
    let has = |metric: &&str| candidates.iter().all(|candidate| candidate.metrics()[*metric].is_number());
    if let Some(metric) = ["log_loss", "rmse"].iter().find(|metric| has(metric)) {
        return Ok((*metric).to_owned());
    }
    let first = candidates[0].metrics().as_object().and_then(|metrics| metrics.keys().find(|name| has(&name.as_str())));
    match first {
        Some(metric) => Ok(metric.clone()),
        None => candidates.iter().try_for_each(|candidate| candidate.value("log_loss").map(|_| ())).and_then(|()| {
            Err(ComponentError::new(Code::Params, "the models have no validation metric in common")
                .with_hint("name one that all have: `metric: NAME`"))
        }),
    }
}

/// Copies the files of a package.
fn copy(from: &Path, to: &Path) -> Result<(), ComponentError> {
    let failed = |error| ComponentError {
        source: Some(Box::new(error)),
        ..ComponentError::new(Code::Io, "cannot copy the chosen model")
    };
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            std::fs::create_dir(&target).map_err(failed)?;
            copy(&entry.path(), &target)?;
        } else {
            // The files of an artifact are read-only; those of a new one become so when it is complete.
            std::fs::write(&target, std::fs::read(entry.path()).map_err(failed)?).map_err(failed)?;
        }
    }
    Ok(())
}
