//! Parameters of keyed, text and joint steps, as types.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::params::VocabularyParams;

/// Constants of their own for each value of a column.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ByParams {
    /// The column.
    pub(super) per: Option<String>,
}

/// Several columns of numbers side by side.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnsParams {
    /// Two columns or more.
    pub(super) columns: Vec<String>,
    /// `pca`, alone.
    pub(super) steps: Option<Value>,
}

/// How many buckets, or that and a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `arguments` reads by hand")]
pub(super) enum KeyParams {
    /// By a hash that everybody can compute.
    Buckets(u32),
    /// By a hash under a key.
    Keyed(KeyedParams),
}

/// A hash under a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyedParams {
    /// How many buckets.
    pub(super) buckets: u32,
    /// Both halves of the key of `SipHash-2-4`.
    pub(super) key: Option<[u64; 2]>,
}

/// Two shares of the train split.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuantilesParams {
    /// By default the quartiles, `[0.25, 0.75]`.
    #[serde(default = "quartiles")]
    pub(super) quantiles: [f64; 2],
}

fn quartiles() -> [f64; 2] {
    [0.25, 0.75]
}

/// How the mean label of a value is taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetEncodeParams {
    /// How many rows of the mean of all rows are added to those of a value.
    #[serde(default = "smoothing")]
    pub(super) smoothing: f64,
    /// A row of the train split sees what the rows of the other folds give.
    #[serde(default = "folds")]
    pub(super) folds: u32,
}

fn smoothing() -> f64 {
    10.0
}

fn folds() -> u32 {
    5
}

/// A regular expression and what its matches become.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplaceParams {
    /// The syntax of Rust's `regex` crate.
    pub(super) pattern: String,
    /// `$1` or `${name}` stand for groups.
    #[serde(default)]
    pub(super) with: String,
}

/// A regular expression, or that and a group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `arguments` reads by hand")]
pub(super) enum GroupParams {
    /// The first group, or the whole match where there is none.
    Pattern(String),
    /// By name.
    Named(GroupNamed),
}

/// A regular expression and a group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupNamed {
    /// The syntax of Rust's `regex` crate.
    pub(super) pattern: String,
    /// The number of the group; 0 is the whole match.
    pub(super) group: Option<u32>,
}

/// A regular expression, or none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `arguments_more` reads by hand")]
pub(super) enum PatternParams {
    /// What a token is; by default `\\w+`.
    Pattern(String),
    /// By name.
    Named(PatternNamed),
}

/// A regular expression.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PatternNamed {
    /// What a token is.
    pub(super) pattern: String,
}

/// What stands between tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "it is the schema of what `arguments_more` reads by hand")]
pub(super) struct SeparatorParams(String);

/// Runs of tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum NgramsParams {
    /// Shortest and longest run: `[1, 2]`.
    Range([u32; 2]),
    /// By name.
    Named(NgramsNamed),
}

/// Runs of tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NgramsNamed {
    /// The shortest run.
    pub(super) min: u32,
    /// The longest run.
    pub(super) max: u32,
    /// Between two tokens; by default a space.
    #[serde(default = "space")]
    pub(super) separator: String,
}

fn space() -> String {
    " ".to_owned()
}

/// Which tokens get a column.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BagParams {
    /// At most so many, the most frequent; by default 100.
    pub(super) top_k: Option<u64>,
    /// Only those that occur at least so often.
    pub(super) frequency_threshold: Option<u64>,
    /// Columns for all others, by hash.
    #[serde(default)]
    pub(super) oov_buckets: u32,
    /// No token gets a column of its own; so many columns by hash.
    pub(super) hash_buckets: Option<u32>,
}

/// Which tokens get a column, and what is rare.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TfIdfParams {
    /// At most so many, the most frequent; by default 100.
    pub(super) top_k: Option<u64>,
    /// Only those that occur at least so often.
    pub(super) frequency_threshold: Option<u64>,
    /// 1 + ln((N + 1) / (df + 1)), or without 1 + ln(N / df).
    #[serde(default = "yes")]
    pub(super) smooth: bool,
}

fn yes() -> bool {
    true
}

/// How many directions.
#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "it is the schema of what `arguments_more` reads by hand")]
pub(super) struct PcaParams(u32);

impl From<BagParams> for VocabularyParams {
    fn from(bag: BagParams) -> Self {
        Self {
            top_k: bag.top_k.or(Some(100)),
            frequency_threshold: bag.frequency_threshold,
            oov_buckets: bag.oov_buckets,
            ..Self::default()
        }
    }
}
