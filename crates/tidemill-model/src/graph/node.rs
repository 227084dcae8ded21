//! The steps of a feature, with their fitted constants.

use serde::{Deserialize, Serialize};

use super::{DatePart, Keys, Picture, Scalar, Take};

/// One fitted step of a feature.
///
/// A missing value is a null of the raw column or a NaN. Each step says what becomes of it, and of other values
/// that have no natural answer:
///
/// | step | missing gives | other edges |
/// |---|---|---|
/// | `impute` | the constant | |
/// | `z_score` | missing | deviation 0 (a constant column): x − mean |
/// | `min_max` | missing | min = max: sigmoid(x), scaled to the output range; values outside are not clipped |
/// | `bucketize` | missing (TensorFlow Transform: the last bucket) | −∞ and +∞ fall in the first and last bucket |
/// | `vocabulary` | missing | a value not listed: an out-of-vocabulary bucket; missing where there is none |
/// | `categorical` | missing | a value not listed: missing |
/// | `log`, `log1p` | missing | x ≤ 0, or x ≤ −1 for `log1p`: missing |
/// | `clip` | missing | ±∞ become the bounds |
/// | `sqrt` | missing | x < 0: missing |
/// | `power` | missing | x < 0 with a fraction as exponent, 0 with a negative one: missing |
/// | `hash_buckets` | missing | |
/// | `date_part` | missing | text that is no ISO date, years before 1 or after 9999: missing |
/// | `one_hot` | 0 in every column | a code that is missing: 0 in every column |
/// | `cyclic` | missing in both columns | ±∞: missing |
/// | `missing_indicator` | passed on | adds a column: 1 where the value is missing, 0 elsewhere |
/// | `robust` | missing | range 0: x − median |
/// | `gaussian` | missing | scale 0 (a constant column): x − location; ±∞ stay |
/// | `interpolate` | missing | below the first boundary 0, from the last on 1 |
/// | `density` | missing | outside the boundaries 0 |
/// | `by_key` | missing | a key that is missing or was not seen: the constants of all rows |
/// | `project` | missing in every column if any value is | |
/// | `frequency` | missing | a value not seen: 0 |
/// | `target_encode` | its own encoding | a value not seen: the mean of all rows |
/// | `keyed_hash` | missing | |
/// | `lower`, `upper`, `strip`, `regex_replace` | missing | |
/// | `regex_extract` | missing | no match, or the group took no part: missing |
/// | `tokenize`, `split`, `ngrams`, `distinct` | missing | a text without tokens is an empty list |
/// | `word_count` | missing | an empty list: 0 |
/// | `window` | missing where the row has no time or no lists | no value in the window: missing, as a `count` 0 |
/// | `image` | missing in every column | bytes that are no whole picture, or too large a one: missing in every column |
/// | `multi_hot`, `bag_of_words`, `tf_idf` | 0 in every column | a token not listed: an out-of-vocabulary column, or none |
///
/// A column as it is (no step) keeps missing values missing. No step but `impute`, `target_encode` and those that count
/// into columns makes a missing value present.
///
/// `one_hot`, `cyclic`, `project`, `image`, `multi_hot`, `bag_of_words` and `tf_idf` end a feature and give several columns,
/// `missing_indicator` gives one more, the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Node {
    /// A missing value becomes `value`.
    Impute {
        /// Of the column's type. A number with a fraction turns whole numbers into real ones.
        value: Scalar,
    },
    /// (x − mean) / `std_dev`; x − mean where the deviation is 0.
    ZScore {
        /// Mean of the values it was fitted on.
        mean: f64,
        /// Their standard deviation, divided by n.
        std_dev: f64,
    },
    /// (x − min) / (max − min), scaled to the output range.
    MinMax {
        /// Smallest value it was fitted on.
        min: f64,
        /// Largest.
        max: f64,
        /// What `min` becomes.
        output_min: f64,
        /// What `max` becomes.
        output_max: f64,
    },
    /// The number of boundaries that are not above x: bucket i holds b\[i−1\] ≤ x < b\[i\].
    Bucketize {
        /// Strictly ascending.
        boundaries: Vec<f64>,
    },
    /// The position of a value in a list; for others a bucket by hash.
    ///
    /// A value not listed gets `size + xxh3_64(value) % oov_buckets`, where the hash is XXH3 with seed 0 of the
    /// UTF-8 bytes, for whole numbers of their decimal digits.
    Vocabulary {
        /// The values that have a code of their own, in the order of their codes.
        values: Keys,
        /// Buckets for all other values. 0: they are missing.
        oov_buckets: u32,
    },
    /// The position of a value in a list of all values seen in fitting.
    Categorical {
        /// The values in the order of their codes. Absent for buckets and for true and false, which are codes already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        values: Option<Keys>,
    },
    /// Natural logarithm.
    Log,
    /// Natural logarithm of 1 + x.
    Log1p,
    /// The nearest value within bounds.
    Clip {
        /// Low bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// High bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// Square root.
    Sqrt,
    /// x to the power of a constant.
    Power {
        /// The exponent.
        exponent: f64,
    },
    /// `xxh3_64(value) % buckets` for text and whole numbers, hashed as in `vocabulary`.
    HashBuckets {
        /// How many, at least 1.
        buckets: u32,
    },
    /// A part of a time in UTC: of seconds since 1970, or of text such as `2024-02-29T12:30:00+01:00`.
    DatePart {
        /// Which part.
        part: DatePart,
    },
    /// A column for each code: 1 where the value has it, 0 elsewhere.
    OneHot,
    /// The sine and the cosine of 2π · x / period.
    Cyclic {
        /// After so much it starts over; above 0.
        period: f64,
    },
    /// One more column: whether the value is missing here. The value itself is passed on.
    MissingIndicator,
    /// (x − median) / range; x − median where the range is 0.
    Robust {
        /// The middle value it was fitted on.
        median: f64,
        /// The distance of two quantiles, by default the quartiles.
        range: f64,
    },
    /// The standard normal variable that a Tukey hh-distribution made x of (Headrick and Pant 2012): with
    /// u = (x − location) / scale, sign(u) · √(W(h · u²) / h), where W is Lambert's function and h that of u's side;
    /// u itself where h is 0.
    Gaussian {
        /// Where the distribution is centred.
        location: f64,
        /// How wide it is.
        scale: f64,
        /// How heavy its left tail is, from 0 to below 1.
        h_left: f64,
        /// How heavy its right tail is.
        h_right: f64,
    },
    /// The share of boundaries that lie below x, straight lines between them: the first boundary becomes 0, the last 1.
    Interpolate {
        /// Strictly ascending, at least two.
        boundaries: Vec<f64>,
    },
    /// The density of a histogram at x.
    Density {
        /// The histogram's edges, strictly ascending, at least two.
        boundaries: Vec<f64>,
        /// One a bucket, one fewer than boundaries.
        densities: Vec<f64>,
    },
    /// A step with constants of its own for each value of another column.
    ByKey {
        /// The raw column that holds the key.
        column: String,
        /// Keys seen in fitting.
        values: Keys,
        /// By key: `z_score`, `min_max` or `bucketize`.
        nodes: Vec<Node>,
        /// The same step fitted on all rows, for other keys.
        other: Box<Node>,
    },
    /// Values of several columns less their means, projected on directions: a column for each.
    Project {
        /// By column.
        means: Vec<f64>,
        /// By direction: a weight for each column.
        components: Vec<Vec<f64>>,
    },
    /// The share of rows that a value has.
    Frequency {
        /// The values.
        values: Keys,
        /// By value.
        shares: Vec<f64>,
    },
    /// The mean label of a value's rows, drawn towards that of all rows.
    ///
    /// A row of the training split sees the encoding of the fold it belongs to, fitted without that fold, so that its
    /// own label is no part of it: see [`BoundGraph::apply_training`](super::BoundGraph::apply_training).
    TargetEncode {
        /// The values.
        values: Keys,
        /// Fitted on all rows.
        full: Encoding,
        /// By fold, fitted on the rows of the others; not needed at serving.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        folds: Vec<Encoding>,
    },
    /// `siphash_2_4(key, value) % buckets` for text and whole numbers (as decimal digits): nobody without the key can
    /// tell which values share a bucket.
    KeyedHash {
        /// How many, at least 1.
        buckets: u32,
        /// Both halves of the key.
        key: [u64; 2],
    },
    /// Text in lower case, by Unicode.
    Lower,
    /// Text in upper case, by Unicode.
    Upper,
    /// Text without white space at either end.
    Strip,
    /// Every match of a regular expression replaced.
    RegexReplace {
        /// The syntax of the `regex` crate.
        pattern: String,
        /// May hold `$1` or `${name}` for groups, `$$` for a dollar.
        with: String,
    },
    /// The first match of a regular expression.
    RegexExtract {
        /// The syntax of the `regex` crate.
        pattern: String,
        /// Which group; 0 is the whole match.
        group: u32,
    },
    /// The matches of a regular expression as a list of tokens.
    Tokenize {
        /// The syntax of the `regex` crate.
        pattern: String,
    },
    /// The parts between separators, white space at either end taken off, empty ones left out.
    Split {
        /// At least one character.
        separator: String,
    },
    /// Runs of so many neighbouring tokens, joined.
    Ngrams {
        /// The shortest run, at least 1.
        min: u32,
        /// The longest.
        max: u32,
        /// Between two tokens.
        separator: String,
    },
    /// Every token once.
    Distinct,
    /// How many tokens there are.
    WordCount,
    /// A column for each listed token: 1 where the list has it, 0 elsewhere.
    MultiHot {
        /// The tokens.
        values: Keys,
        /// Columns for all others, by hash as in `vocabulary`.
        oov_buckets: u32,
    },
    /// A column for each listed token: how often the list has it.
    BagOfWords {
        /// The tokens.
        values: Keys,
        /// Columns for all others, by hash as in `vocabulary`.
        oov_buckets: u32,
    },
    /// A column for each listed token: its share of the list's tokens, times `idf`.
    TfIdf {
        /// The tokens.
        values: Keys,
        /// By token: how rare it is.
        idf: Vec<f64>,
    },
    /// One number of the values of a history whose age, the time of the row less theirs, is above 0, at least
    /// `from_seconds` and less than `from_seconds + length_seconds`.
    ///
    /// What a window sees depends on ages only, so a history that reaches further, or holds what is too young, gives the
    /// same number.
    Window {
        /// The least age; what was not known yet when predicting is younger.
        from_seconds: u64,
        /// How far the window reaches beyond; no bound: as far as the history does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        length_seconds: Option<u64>,
        /// Which number.
        take: Take,
    },
    /// A picture decoded (PNG, JPEG, GIF, BMP, WebP), resized and normalised: a column for each channel of each pixel.
    Image(Picture),
}

/// What `target_encode` puts in place of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// By value.
    pub encodings: Vec<f64>,
    /// For a missing value.
    pub missing: f64,
    /// For a value not listed.
    pub other: f64,
}
