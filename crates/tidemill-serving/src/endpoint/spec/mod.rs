//! The keys of an endpoint file.
//!
//! The types here say what may be written; `check` says what makes sense without any model. Reading YAML, and the
//! positions of mistakes, belong to the caller.

mod caching;
mod check;
mod model;
mod protection;
mod reference;
mod rollout;
mod route;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::{DataType, ParamIssue, parse_params_partly};

pub use caching::{ByteSize, CacheSpec, FeatureSpec, MissingKey, PredictionCacheSpec};
pub use model::{Combination, ModelSpec, ParallelSpec, PartialPolicy, StepInput, StepSpec};
pub use protection::{BreakerSpec, FallbackSpec, LimitsSpec};
pub use reference::{ModelReference, ReferenceVersion};
pub use rollout::{GuardsSpec, LimitGuard, OnFail, RateGuard, RolloutSpec, WithinGuard};
pub use route::{Day, HeaderMatch, RuleSpec, ShadowSpec, TimeWindow};

/// The format of endpoint files that this version reads.
pub const FORMAT: u32 = 1;

/// An endpoint: a name that clients use like a model's, and what answers for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    /// Format of this file: 1.
    pub version: u32,
    /// The name that clients use, as a model's. It takes precedence over a model of the same name.
    pub endpoint: String,
    /// What the endpoint is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it serves production: then `owner`, `slo` and `log` are required.
    #[serde(default, skip_serializing_if = "is_false")]
    pub production: bool,
    /// Who answers for it: a person or a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The day on which it should be reviewed again: `2027-03-01`. After it, `check` and `status` warn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_by: Option<String>,
    /// What clients may rely on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<SloSpec>,
    /// Units of inputs and outputs, for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub units: BTreeMap<String, String>,
    /// Inputs that no model takes: units of splits, columns of conditions and keys of features, with their types.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, InputType>")]
    pub inputs: BTreeMap<String, DataType>,
    /// What can answer, by a name of your own.
    pub models: BTreeMap<String, ModelSpec>,
    /// Which of them answers a row: the first rule whose conditions hold. The last rule has none. May be left out if
    /// there is one model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<RuleSpec>,
    /// Raises the share of a candidate step by step, as long as guards hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutSpec>,
    /// Models that receive copies of requests, and whose answers are only compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadow: Vec<ShadowSpec>,
    /// What answers if a model fails, in this order; for models without a `fallback` of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<FallbackSpec>,
    /// When a failing model is left alone for a while; for models without a `circuit_breaker` of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<BreakerSpec>,
    /// How many requests each model takes; for models without `limits` of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsSpec>,
    /// What is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheSpec>,
    /// Inputs that are looked up by a key in a table, if a request lacks them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, FeatureSpec>,
    /// The log of requests and answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSpec>,
}

/// The types of inputs, named as in the Open Inference Protocol.
#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "describes another crate's type in the JSON Schema")]
enum InputType {
    /// True or false.
    Bool,
    /// Whole numbers.
    Int64,
    /// Numbers.
    Fp64,
    /// Text.
    Bytes,
}

/// What clients may rely on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SloSpec {
    /// 99 of 100 requests are answered within this time, in milliseconds.
    pub latency_p99_ms: f64,
    /// The share of requests that are answered, in percent: `99.9`.
    pub availability: f64,
}

/// The log of requests and answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogSpec {
    /// The folder of its files. Without it, requests are in the log that the server was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The share of requests that is logged, from 0 to 1.
    #[serde(default = "one")]
    pub sample: f64,
    /// Columns that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl EndpointSpec {
    /// Reads an endpoint; everything wrong with it, each at its keys.
    pub fn parse(value: &Value) -> Result<Self, Vec<ParamIssue>> {
        let (spec, mut issues) = parse_params_partly::<Self>(value);
        if let Some(spec) = &spec {
            tidemill_core::add_issues(&mut issues, check::check(spec));
        }
        match spec {
            Some(spec) if issues.is_empty() => Ok(spec),
            _ => Err(issues),
        }
    }

    /// The same endpoint with paths that are relative to `folder`.
    pub fn based_at(mut self, folder: &Path) -> Self {
        let based = |path: &mut PathBuf| *path = folder.join(&*path);
        self.models.values_mut().filter_map(|model| model.path.as_mut()).for_each(based);
        self.features.values_mut().map(|feature| &mut feature.from).for_each(based);
        self.log.iter_mut().filter_map(|log| log.folder.as_mut()).for_each(based);
        self
    }

    /// All models by name: those under `models`, and the references to registered models that stand for themselves.
    pub fn all_models(&self) -> BTreeMap<String, ModelSpec> {
        let mut all = self.models.clone();
        for (name, _) in self.uses() {
            if !all.contains_key(name) && ModelReference::is_explicit(name) {
                all.insert(name.to_owned(), ModelSpec::registered(name));
            }
        }
        all
    }

    /// Every place where a model is named, with its keys.
    pub(crate) fn uses(&self) -> Vec<(&str, Vec<String>)> {
        let mut uses: Vec<(&str, Vec<String>)> = Vec::new();
        for (at, rule) in self.route.iter().enumerate() {
            let place = |key: &str| vec!["route".to_owned(), at.to_string(), key.to_owned()];
            uses.extend(rule.to.as_deref().map(|to| (to, place("to"))));
            for arm in rule.split.iter().flatten().map(|(arm, _)| arm) {
                uses.push((arm, [place("split"), vec![arm.clone()]].concat()));
            }
        }
        for (at, shadow) in self.shadow.iter().enumerate() {
            uses.push((&shadow.to, vec!["shadow".to_owned(), at.to_string(), "to".to_owned()]));
        }
        fallback_uses(&self.fallback, &[], &mut uses);
        for (name, model) in &self.models {
            let place = ["models".to_owned(), name.clone()];
            fallback_uses(model.fallback.as_deref().unwrap_or_default(), &place, &mut uses);
            for (step, path) in model.steps() {
                uses.push((step, [&place[..], &path].concat()));
            }
        }
        uses
    }

    /// The model whose name, version and kind stand for the endpoint: the one that the last rule leads to, or the
    /// heaviest of its split.
    pub fn primary(&self) -> Option<&str> {
        let Some(last) = self.route.last() else { return self.models.keys().next().map(String::as_str) };
        let heaviest = || {
            let arms = last.split.as_ref()?.iter();
            arms.max_by(|a, b| a.1.total_cmp(b.1).then_with(|| b.0.cmp(a.0))).map(|(name, _)| name.as_str())
        };
        last.to.as_deref().or_else(heaviest)
    }

    /// The JSON Schema of endpoint files.
    pub fn json_schema() -> Value {
        let mut schema = schemars::schema_for!(Self).to_value();
        schema["title"] = "Tidemill endpoint".into();
        schema
    }
}

fn fallback_uses<'a>(fallback: &'a [FallbackSpec], place: &[String], uses: &mut Vec<(&'a str, Vec<String>)>) {
    for (at, item) in fallback.iter().enumerate() {
        if let Some(model) = item.model() {
            uses.push((model, [place, &["fallback".to_owned(), at.to_string()]].concat()));
        }
    }
}

#[cfg(test)]
mod tests;
