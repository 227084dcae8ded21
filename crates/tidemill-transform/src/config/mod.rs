//! What the pipeline file says of a `Transform` step.

mod arguments;
mod check;
mod params;
mod step;

pub use step::{ImputeWith, Step};

pub(crate) use check::stand_in;
pub(crate) use params::TransformParams;

use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::{LabelSpec, Source};

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
/// columns together, `{ cross: [payment_type, hour], steps: { hash_buckets: 1000 } }`.
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
#[derive(Debug, Clone, PartialEq)]
pub struct TransformConfig {
    /// What to predict.
    pub label: LabelSpec,
    /// From what, in the order of the file.
    pub features: Vec<FeatureConfig>,
}

/// One feature: where its values come from, and its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureConfig {
    /// The feature's name.
    pub name: String,
    /// Where its values come from; the column of the feature's name unless the file says otherwise.
    pub source: Source,
    /// First to last.
    pub steps: Vec<Step>,
}

impl TransformConfig {
    /// Reads the parameters of a step. Everything wrong that can be known without data comes back at once, each
    /// issue at its place.
    pub fn from_params(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        check::config(params)
    }
}
