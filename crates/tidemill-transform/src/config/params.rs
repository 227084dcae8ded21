//! The parameters of a `Transform` step as types, for reading and for the JSON Schema that editors use.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::feature::FeatureParams;
use super::forecast::ForecastParams;
use super::history::HistoryParams;
use super::label::LabelOrColumn;
use super::selection::AutoParams;
use super::sets::UseParams;

/// Parameters of a `Transform` step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransformParams {
    /// What to predict.
    #[schemars(with = "LabelOrColumn")]
    pub(super) label: Value,
    /// Features kept elsewhere, which come first: a feature set with its version, such as `taxi_features@2`, or several.
    #[serde(rename = "use")]
    #[schemars(with = "Option<UseParams>")]
    pub(super) used: Option<Value>,
    /// Features by name, in order; each is a step or a list of steps over the column of its name. `auto` chooses them by
    /// what the train split holds, a list makes features of the columns that it names.
    #[schemars(with = "Option<FeaturesParams>")]
    pub(super) features: Option<Value>,
    /// Where features of what came before find their columns, which `HistoryGen` makes.
    pub(super) history: Option<HistoryParams>,
    /// What is forecast how long ahead, and which columns are known then. Features of all others must be lags or windows that
    /// begin at the horizon.
    pub(super) forecast: Option<ForecastParams>,
    /// Whether to measure what each feature says about the label, in two more scans.
    #[serde(default)]
    pub(super) rank: bool,
}

/// Features by name, or chosen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what is read by hand, to show every mistake at its place")]
enum FeaturesParams {
    /// `auto`: chosen by what the train split holds.
    Auto(AutoWord),
    /// One or more for each of these columns; `*` stands for any characters, `?` for one.
    Columns(Vec<String>),
    /// By name; a name with `*` or `?` stands for all columns of such a name.
    Named(NamedFeatures),
}

/// `auto`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum AutoWord {
    /// Chosen by what the train split holds.
    Auto,
}

/// Features by name.
#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "see `FeaturesParams`")]
struct NamedFeatures {
    /// Features of all other columns, chosen by what the train split holds.
    auto: Option<AutoParams>,
    /// Features by name.
    #[serde(flatten)]
    named: BTreeMap<String, FeatureParams>,
}
