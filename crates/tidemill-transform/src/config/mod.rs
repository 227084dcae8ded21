//! What the pipeline file says of a `Transform` step.

mod check;
mod constants;
mod feature;
mod forecast;
mod history;
mod label;
mod params;
mod selection;
mod sets;

pub use constants::Constants;
pub use sets::{FeatureSet, FeatureSets};

pub(crate) use history::{ROWS_DEFAULT, prefix};
pub(crate) use params::TransformParams;
pub(crate) use selection::{AUTO, AutoConfig, Open, OpenEntry, Pattern};
pub(crate) use sets::NoSets;

use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::{LabelSpec, Source, UsedSet};

use crate::steps::Step;

/// A label, and features in the order of the file.
///
/// ```yaml
/// label: { name: big_tip, expression: "tips > fare * 0.2" }   # or { column: tips }
/// features:
///   fare: z_score                                             # one step
///   trip_seconds: [ { impute: median }, z_score ]             # several, first to last
///   trip_miles: numeric                                       # the column as it is
///   miles_bucket: { from: trip_miles, steps: { bucketize: 10 } }   # another feature of the same column
/// ```
///
/// A feature can also be made of a row expression, `{ expression: "trip_miles / fare", steps: z_score }`, and of several
/// columns together, `{ cross: [payment_type, hour], steps: { hash_buckets: 1000 } }` as one text or
/// `{ columns: [fare, miles], steps: { pca: 1 } }` side by side.
///
/// An expression may have numbers of the train split in it: `{ expression: "least(trip_miles, p99)", constants: { p99: { quantile:
/// 0.99 } } }`, or `{ take: mean, of: fare }` with `take` one of `mean`, `median`, `std_dev`, `min`, `max`.
///
/// What came before a row is a feature too: `{ history: sales, steps: { lag: 2w } }` with `history: { time: date }` beside
/// `features`. The label's `horizon` says how old a value must be to be known when predicting; no lag or window may begin
/// within it.
///
/// `forecast: { time: date, horizon: 7d, key: store, known_ahead: [price] }` says that a prediction is made a week before the
/// date of a row. A feature of a value that is not known then is refused, unless it begins a week back.
///
/// `use: taxi_features@2` takes the features of a [`FeatureSet`], `use: [ taxi_features@2, { set: geo@1, without: [zone] } ]`
/// those of several; they come before those of `features`.
///
/// `features: auto` chooses features by what the train split holds, and `"mean *": z_score` makes one of each column of
/// that name.
///
/// With `rank: true` features are ranked by mutual information with the label, in two more scans.
///
/// The label's `target`, unless given the first column of its expression, is what the label is about and unknown when
/// serving, so it can be part of no feature, and neither can the label. The expression's other columns can: the fare is
/// known before the tip.
///
/// The steps are listed in `docs/steps.md`; [`Step`] is what is read of them.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformConfig {
    /// What to predict.
    pub label: LabelSpec,
    /// From what, in the order of the file.
    pub features: Vec<FeatureConfig>,
    /// Whether features are ranked by what they say about the label.
    pub rank: bool,
    /// The feature sets that the first features come from.
    sets: Vec<sets::SetInUse>,
    /// Features that are known once the columns are: those of `auto` and of names with `*`.
    pub(crate) open: Vec<OpenEntry>,
}

/// One feature: where its values come from, and its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureConfig {
    /// The feature's name.
    pub name: String,
    /// Where its values come from; the column of the feature's name unless the file says otherwise.
    ///
    /// In an expression with constants any numbers stand for these: it is complete once they are fitted.
    pub source: Source,
    /// Numbers of the train split that its expression is made with.
    pub constants: Option<Constants>,
    /// First to last.
    pub steps: Vec<Step>,
}

impl FeatureConfig {
    /// The columns that serving needs for it: those of its source and those that hold keys.
    pub fn columns(&self) -> Vec<String> {
        let mut columns = self.source.columns();
        for column in self.steps.iter().filter_map(|step| step.as_fit().key_column()) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        columns
    }

    /// The columns that fitting needs besides: weights, and those of constants.
    pub fn fitting_columns(&self) -> impl Iterator<Item = &String> {
        self.weights().chain(self.constants.iter().flat_map(Constants::columns))
    }

    /// The columns of weights.
    pub fn weights(&self) -> impl Iterator<Item = &String> {
        self.steps.iter().filter_map(|step| step.as_fit().weight_column())
    }
}

impl TransformConfig {
    /// Reads the parameters of a step that uses no feature sets. Everything wrong that can be known without data comes back
    /// at once, each issue at its place.
    pub fn from_params(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        Self::with_sets(params, &NoSets)
    }

    /// As [`from_params`](Self::from_params), with the feature sets that the step may use.
    pub fn with_sets(params: &Value, sets: &dyn FeatureSets) -> Result<Self, Vec<ParamIssue>> {
        check::config(params, sets)
    }

    /// The feature sets that features come from, in the order of the file.
    pub fn sets(&self) -> impl Iterator<Item = &UsedSet> {
        self.sets.iter().map(|set| &set.used)
    }

    /// The same, with all features named.
    pub(crate) fn with_resolved(&self, features: Vec<FeatureConfig>) -> Self {
        Self { features, open: Vec::new(), ..self.clone() }
    }

    /// The place and the message of an error about `path`: features of a set, of `auto` and of a pattern stand elsewhere
    /// in the file.
    pub(crate) fn placed(&self, mut path: Vec<String>, message: String) -> (Vec<String>, String) {
        if let [features, name, ..] = path.as_slice()
            && features == "features"
            && !self.open.is_empty()
            && self.features.iter().all(|feature| feature.name != *name)
        {
            let origin = self.open.iter().find_map(|entry| match &entry.kind {
                Open::Pattern(pattern, _) if pattern.matches(name) => Some(pattern.0.clone()),
                _ => None,
            });
            path = vec![features.clone(), origin.unwrap_or_else(|| AUTO.to_owned())];
        }
        sets::relocate(&self.sets, path, message)
    }
}

/// The feature sets that a step uses, whatever else it says.
pub(crate) fn sets_of(params: &Value, sets: &dyn FeatureSets) -> Result<Vec<UsedSet>, Vec<ParamIssue>> {
    Ok(check::sets_of(params, sets)?.into_iter().map(|set| set.used).collect())
}
