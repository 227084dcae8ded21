//! The parameters as types, for reading and for the JSON Schema that editors use.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_model::{DatePart, Scalar};

use super::choice::Order;
use super::constants::ConstantParams;
use super::history::{HistoryFeatureParams, HistoryParams, LagParams, WindowParams};
use super::params_more::{
    BagParams, ByParams, ColumnsParams, GroupParams, KeyParams, NgramsParams, PatternParams, PcaParams,
    QuantilesParams, ReplaceParams, SeparatorParams, TargetEncodeParams, TfIdfParams,
};
use super::picture::ImageParams;
use super::sets::UseParams;

/// Parameters of a `Transform` step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransformParams {
    /// What to predict.
    pub(super) label: LabelParams,
    /// Features kept elsewhere, which come first: a feature set with its version, such as `taxi_features@2`, or several.
    #[serde(rename = "use")]
    #[schemars(with = "Option<UseParams>")]
    pub(super) used: Option<Value>,
    /// Features by name, in order; each is a step or a list of steps over the column of its name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, FeatureParams>")]
    pub(super) features: Map<String, Value>,
    /// Where features of what came before find their columns, which `HistoryGen` makes.
    pub(super) history: Option<HistoryParams>,
    /// Whether to measure what each feature says about the label, in two more scans.
    #[serde(default)]
    pub(super) rank: bool,
}

/// What to predict: an expression over columns, or a column.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelParams {
    /// What the label is called; the column's name unless given.
    pub(super) name: Option<String>,
    /// How it is computed, in SQL's syntax: `tips > fare * 0.2`.
    pub(super) expression: Option<String>,
    /// The column that holds it.
    pub(super) column: Option<String>,
    /// The columns that are being predicted and so are unknown when serving; the first in the expression unless given.
    pub(super) target: Option<TargetParams>,
    /// How old a value must be to be known when the label is predicted: `14d`. No lag or window begins within it.
    pub(super) horizon: Option<String>,
}

/// A column or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum TargetParams {
    /// One column.
    One(String),
    /// Several columns.
    Several(Vec<String>),
}

/// A step, a list of steps, or steps over another column.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `check` reads by hand, to show every mistake at its place")]
pub(super) enum FeatureParams {
    /// One step.
    One(StepParams),
    /// Several steps, first to last.
    Several(Vec<StepParams>),
    /// Steps over a column of another name.
    From(FromParams),
    /// Steps over the values of a row expression.
    Expression(ExpressionParams),
    /// Steps over the values of several columns together.
    Cross(CrossParams),
    /// Several columns of numbers side by side.
    Columns(ColumnsParams),
    /// What came before in a column.
    History(HistoryFeatureParams),
}

/// Steps over the values of a row expression.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "see `FeatureParams`")]
pub(super) struct ExpressionParams {
    /// Over raw columns, in SQL's syntax: `trip_miles / greatest(trip_seconds, 1)`.
    pub(super) expression: String,
    /// Numbers of the train split by the names that they have in the expression.
    #[schemars(with = "Option<BTreeMap<String, ConstantParams>>")]
    pub(super) constants: Option<Map<String, Value>>,
    /// A step or a list of steps; the values as they are unless given.
    #[schemars(with = "Option<StepsParams>")]
    pub(super) steps: Option<Value>,
}

/// Steps over the values of several columns together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "see `FeatureParams`")]
pub(super) struct CrossParams {
    /// Two columns or more, of text, whole numbers, or true and false.
    pub(super) cross: Vec<String>,
    /// A step or a list of steps over the joined values, which are text.
    #[schemars(with = "StepsParams")]
    pub(super) steps: Option<Value>,
}

/// Steps over a column of another name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "see `FeatureParams`")]
pub(super) struct FromParams {
    /// The column.
    pub(super) from: String,
    /// A step or a list of steps.
    #[schemars(with = "Option<StepsParams>")]
    pub(super) steps: Option<Value>,
}

/// A step or a list of steps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "see `FeatureParams`")]
pub(super) enum StepsParams {
    /// One step.
    One(StepParams),
    /// Several steps, first to last.
    Several(Vec<StepParams>),
}

/// One step of a feature.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = bare_names)]
#[allow(dead_code, reason = "see `FeatureParams`")]
pub(super) enum StepParams {
    /// The value as it is.
    Numeric,
    /// The value as it is.
    Identity,
    /// (x − mean) / standard deviation.
    ZScore(ByParams),
    /// Natural logarithm.
    Log,
    /// Natural logarithm of 1 + x.
    Log1p,
    /// A code for each value seen in training.
    Categorical,
    /// A value for missing ones.
    Impute(ImputeParams),
    /// Scaled to a range.
    MinMax(MinMaxParams),
    /// The bucket a number falls into.
    Bucketize(BucketizeParams),
    /// A code for each frequent value.
    Vocabulary(VocabularyParams),
    /// The nearest value within bounds.
    Clip(ClipParams),
    /// Square root.
    Sqrt,
    /// x to the power of a constant.
    Power(f64),
    /// A code by hash, below so many.
    HashBuckets(KeyParams),
    /// A part of a time in UTC, of seconds since 1970 or of ISO text.
    DatePart(DatePart),
    /// A column of 0 and 1 for each value.
    OneHot(VocabularyParams),
    /// Sine and cosine over a period.
    Cyclic(f64),
    /// (x − median) / distance of the quartiles.
    Robust(QuantilesParams),
    /// A standard normal variable, by Tukey's hh-distribution.
    Gaussian,
    /// The share of the train split that lies below, straight lines between boundaries.
    Interpolate(BucketizeParams),
    /// The density of a histogram of so many buckets.
    Density(u32),
    /// The share of rows that have the value.
    Frequency,
    /// The mean label of the rows that have the value.
    TargetEncode(TargetEncodeParams),
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
    /// No white space at either end.
    Strip,
    /// Matches of a regular expression replaced.
    RegexReplace(ReplaceParams),
    /// The first match of a regular expression.
    RegexExtract(GroupParams),
    /// The matches of a regular expression as a list of tokens.
    Tokenize(PatternParams),
    /// The parts between separators as a list of tokens.
    Split(SeparatorParams),
    /// Runs of neighbouring tokens.
    Ngrams(NgramsParams),
    /// Every token once.
    Distinct,
    /// How many tokens there are.
    WordCount,
    /// A column of 0 and 1 for each token.
    MultiHot(BagParams),
    /// A column of counts for each token.
    BagOfWords(BagParams),
    /// A column for each token: its share of the list's, weighted by how rare it is.
    TfIdf(TfIdfParams),
    /// Projections on the directions of most variance, so many.
    Pca(PcaParams),
    /// A value of so long ago, or so many values back.
    Lag(LagParams),
    /// One number of the values in a window of time before the row.
    Window(WindowParams),
    /// A picture decoded, resized and normalised.
    Image(ImageParams),
}

/// How a missing value is filled in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "see `FeatureParams`")]
pub(super) enum ImputeParams {
    /// By a value fitted on the train split.
    Fitted(ImputeMethod),
    /// By a number.
    Number(f64),
    /// By name.
    Named(ImputeNamed),
}

/// A value fitted on the train split.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ImputeMethod {
    /// The mean.
    Mean,
    /// The median.
    Median,
    /// The most frequent value.
    MostFrequent,
}

/// By name, which leaves room for an indicator.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImputeNamed {
    /// A number, text, true or false, of the column's type.
    pub(super) value: Option<Scalar>,
    /// A value fitted on the train split.
    pub(super) with: Option<ImputeMethod>,
    /// Whether to add a column that is 1 where the value was missing, 0 elsewhere.
    #[serde(default)]
    pub(super) indicator: bool,
}

/// The range that a column is scaled to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MinMaxParams {
    /// What the smallest value becomes.
    #[serde(default)]
    pub(super) output_min: f64,
    /// What the largest value becomes.
    #[serde(default = "one")]
    pub(super) output_max: f64,
    /// A column: for each of its values the bounds are fitted apart.
    pub(super) per: Option<String>,
}

fn one() -> f64 {
    1.0
}

/// A number of buckets, or where they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "see `FeatureParams`")]
pub(super) enum BucketizeParams {
    /// So many buckets of equal share of the train split.
    Buckets(u32),
    /// By name.
    Named(BucketizeNamed),
}

/// One of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BucketizeNamed {
    /// So many buckets of equal share of the train split.
    pub(super) buckets: Option<u32>,
    /// Where one bucket ends and the next begins, ascending.
    pub(super) boundaries: Option<Vec<f64>>,
    /// A column: for each of its values the boundaries are fitted apart.
    pub(super) per: Option<String>,
}

/// Which values get a code of their own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VocabularyParams {
    /// These, in the order of their codes, whatever the data has: text, or whole numbers.
    pub(super) values: Option<Vec<Scalar>>,
    /// At most so many, the most frequent.
    pub(super) top_k: Option<u64>,
    /// Only those that occur at least so often.
    pub(super) frequency_threshold: Option<u64>,
    /// Buckets for all other values; without any they are missing.
    #[serde(default)]
    pub(super) oov_buckets: u32,
    /// Only as many, the most frequent, as this share of the rows has: 0.95.
    pub(super) coverage: Option<f64>,
    /// A column of numbers that are summed up in place of counting rows.
    pub(super) weight: Option<String>,
    /// What decides the order: how often a value occurs, or how much it says about the label.
    #[serde(default)]
    pub(super) by: Order,
    /// Values that get the first codes whether they occur or not.
    #[serde(default)]
    pub(super) reserved: Vec<Scalar>,
}

/// Bounds, given or fitted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClipParams {
    /// Low bound.
    pub(super) min: Option<f64>,
    /// High bound.
    pub(super) max: Option<f64>,
    /// Bounds at these shares of the train split: `[0.01, 0.99]`.
    pub(super) quantiles: Option<[f64; 2]>,
    /// Bounds so many distances of the quartiles beyond them, by Tukey 1.5.
    pub(super) tukey: Option<f64>,
}

/// Steps whose argument may be left out can also be written as a bare name.
fn bare_names(schema: &mut schemars::Schema) {
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.push(serde_json::json!({ "type": "string", "enum": [
            "min_max", "vocabulary", "one_hot", "z_score", "robust", "target_encode", "tokenize", "ngrams", "multi_hot",
            "bag_of_words", "tf_idf", "split",
        ] }));
    }
}
