//! One entry under `models:`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BreakerSpec, FallbackSpec, LimitsSpec, is_false};

/// Something that can answer: exactly one of `model`, `path`, `url`, `expression`, `sequence` and `parallel`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// A registered model: `taxi-tips`, `taxi-tips@champion`, `taxi-tips:7`. With `url`, the name of the model there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A folder: of a package, or of versions as TF Serving has them. Relative to the endpoint file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A server that speaks the Open Inference Protocol over HTTP: `http://night.internal:8501`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A row expression over the inputs, and in a sequence over the answers before it: the value of its only output,
    /// which is called `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Models that answer one after the other: each receives the answer of the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Vec<StepSpec>>,
    /// Models that answer at the same time, and how their answers become one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<ParallelSpec>,
    /// Inputs that the model has under other names: its name, and the endpoint's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// Outputs that the model has under other names: the endpoint's name, and its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// Whether it is switched off: rules and splits pass it over, combinations leave its answer out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub off: bool,
    /// Turns its first output into 1 if it is at least this, and 0 if not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// How many requests it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsSpec>,
    /// When it is left alone for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<BreakerSpec>,
    /// What answers in its place if it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Vec<FallbackSpec>>,
}

/// A step of a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// The model.
    pub model: String,
    /// What it receives.
    #[serde(default)]
    pub input: StepInput,
    /// A condition on the answer before: if it does not hold, that answer is the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// What a step of a sequence receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepInput {
    /// The request, and the answers before under their names.
    #[default]
    Both,
    /// The request alone.
    Request,
}

/// Models that answer at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParallelSpec {
    /// The models.
    pub models: Vec<String>,
    /// How their answers become one.
    pub combine: Combination,
    /// For `weighted`: how much each model counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
    /// What happens if some of them fail.
    #[serde(default)]
    pub partial: PartialPolicy,
    /// For `partial: answer`: how many must answer.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub answers_min: usize,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(value: &usize) -> bool {
    *value == 1
}

/// How answers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Combination {
    /// Every answer, each output under the name of its model: `day`, or `day.probability` if models have several.
    Map,
    /// The mean of each output.
    Mean,
    /// The weighted mean of each output, by `weights`.
    Weighted,
    /// For each row, the value that most models give; of two equally frequent ones, the one of the earlier model.
    Vote,
    /// For each row, the name of the model with the highest first output, as the output `model`; its value as `value`.
    Argmax,
    /// The first answer to arrive; the other models are cancelled.
    First,
}

/// What happens if some models of a combination fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartialPolicy {
    /// The request fails.
    #[default]
    Fail,
    /// The answers that there are make the result, if there are `answers_min`. In a `map`, the others are missing.
    Answer,
}

impl ModelSpec {
    /// A registered model under its own reference.
    pub(crate) fn registered(reference: &str) -> Self {
        Self { model: Some(reference.to_owned()), ..Self::default() }
    }

    /// The models that it calls, each with its keys.
    pub(crate) fn steps(&self) -> Vec<(&str, Vec<String>)> {
        let path = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let sequence = self.sequence.iter().flatten().enumerate();
        let sequence = sequence.map(|(at, step)| (step.model.as_str(), path(&["sequence", &at.to_string(), "model"])));
        let parallel = self.parallel.iter().flat_map(|parallel| parallel.models.iter().enumerate());
        let parallel = parallel.map(|(at, model)| (model.as_str(), path(&["parallel", "models", &at.to_string()])));
        sequence.chain(parallel).collect()
    }
}
