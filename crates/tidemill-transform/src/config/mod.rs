//! What the pipeline file says of a `Transform` step.

mod arguments;
mod arguments_more;
mod check;
mod choice;
mod constants;
mod duration;
mod history;
mod params;
mod params_more;
mod picture;
mod sets;
mod stand_in;
mod step;

pub use choice::{Choice, Order};
pub use constants::Constants;
pub use sets::{FeatureSet, FeatureSets};
pub use step::{ImputeWith, Step};

pub(crate) use duration::seconds_of_span;
pub(crate) use history::{ROWS_DEFAULT, prefix};
pub(crate) use params::TransformParams;
pub(crate) use sets::NoSets;
pub(crate) use stand_in::stand_in;

use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::{LabelSpec, Source, UsedSet};

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
/// `use: taxi_features@2` takes the features of a [`FeatureSet`], `use: [ taxi_features@2, { set: geo@1, without: [zone] } ]`
/// those of several; they come before those of `features`.
///
/// With `rank: true` features are ranked by mutual information with the label, in two more scans.
///
/// The label's `target`, unless given the first column of its expression, is what the label is about and unknown when
/// serving, so it can be part of no feature, and neither can the label. The expression's other columns can: the fare is
/// known before the tip.
///
/// | step | argument |
/// |---|---|
/// | `numeric`, `identity` | none: the value as it is |
/// | `impute` | `mean`, `median`, `most_frequent`, a number, `{ value: … }`, or `{ with: mean, indicator: true }` |
/// | `z_score`, `log`, `log1p`, `sqrt`, `categorical` | none |
/// | `power` | the exponent |
/// | `min_max` | none, or `{ output_min: 0, output_max: 1 }` |
/// | `bucketize` | a number of buckets by quantiles, or `{ boundaries: [1, 5, 10] }` |
/// | `vocabulary` | none, or any of `{ top_k, frequency_threshold, oov_buckets }` |
/// | `clip` | `{ min, max }`, either or both, or `{ quantiles: [0.01, 0.99] }` |
/// | `hash_buckets` | how many |
/// | `date_part` | `year`, `quarter`, `month`, `week`, `day`, `day_of_year`, `day_of_week`, `hour`, `minute`, `second` |
/// | `one_hot` | as `vocabulary` |
/// | `cyclic` | the period |
/// | `robust` | none, or `{ quantiles: [0.25, 0.75] }` |
/// | `gaussian`, `frequency`, `lower`, `upper`, `strip`, `distinct`, `word_count` | none |
/// | `interpolate` | as `bucketize` |
/// | `density` | a number of buckets |
/// | `target_encode` | none, or any of `{ smoothing, folds }` |
/// | `regex_replace` | `{ pattern, with }` |
/// | `regex_extract` | a pattern, or `{ pattern, group }` |
/// | `tokenize` | none, or a pattern |
/// | `split` | what stands between two parts |
/// | `ngrams` | `[min, max]`, or `{ min, max, separator }` |
/// | `multi_hot`, `bag_of_words` | none, or any of `{ top_k, frequency_threshold, oov_buckets }`, or `{ hash_buckets }` |
/// | `tf_idf` | none, or any of `{ top_k, frequency_threshold, smooth }` |
/// | `pca` | how many directions |
/// | `image` | `{ size: [height, width], channels: rgb, mean: 0, std_dev: 255 }` |
/// | `lag` | a span such as `2w`, how many values back, or `{ age, within }` |
/// | `window` | `{ from, length, take }` with `take` one of `count`, `sum`, `mean`, `min`, `max`, `std_dev`, `first`, `last` |
///
/// `z_score`, `min_max` and `bucketize` take `per: COLUMN` too.
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
        for step in &self.steps {
            if let Step::By { column, .. } = step
                && !columns.contains(column)
            {
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
        self.steps.iter().filter_map(|step| match step {
            Step::Vocabulary(choice) | Step::OneHot(choice) => choice.weight.as_ref(),
            _ => None,
        })
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

    /// Where in the step an error about `path` is told, and how: a feature of a set stands elsewhere.
    pub(crate) fn placed(&self, path: Vec<String>, message: String) -> (Vec<String>, String) {
        sets::relocate(&self.sets, path, message)
    }
}

/// The feature sets that a step uses, whatever else it says.
pub(crate) fn sets_of(params: &Value, sets: &dyn FeatureSets) -> Result<Vec<UsedSet>, Vec<ParamIssue>> {
    Ok(check::sets_of(params, sets)?.into_iter().map(|set| set.used).collect())
}
