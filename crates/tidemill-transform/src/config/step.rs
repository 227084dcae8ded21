//! One step of a feature, before fitting.

use serde_json::Value;
use tidemill_core::{ParamIssue, suggest};
use tidemill_model::{DatePart, Node, Scalar, Take};

use super::arguments::{
    bucketize, clip, cyclic, date_part, hash_buckets, impute, min_max, one_hot, one_issue, power, vocabulary, z_score,
};
use super::arguments_more::{
    bag, density, interpolate, ngrams, pca, regex_extract, regex_replace, robust, split, target_encode, tf_idf,
    tokenize,
};
use super::choice::Choice;
use super::history::{lag, window};
use super::picture::image;

/// One step of a feature, before fitting.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The value as it is.
    Numeric,
    /// A missing value becomes this.
    Impute(ImputeWith),
    /// (x − mean) / standard deviation.
    ZScore,
    /// Scaled so that the smallest and largest values become these.
    MinMax {
        /// What the smallest value becomes.
        output_min: f64,
        /// What the largest value becomes.
        output_max: f64,
    },
    /// Buckets of equal share.
    Buckets(u32),
    /// Buckets with these boundaries.
    Boundaries(Vec<f64>),
    /// Codes for frequent values.
    Vocabulary(Choice),
    /// Codes for all values.
    Categorical,
    /// Natural logarithm.
    Log,
    /// Natural logarithm of 1 + x.
    Log1p,
    /// The nearest value within bounds.
    Clip {
        /// Low bound.
        min: Option<f64>,
        /// High bound.
        max: Option<f64>,
    },
    /// The nearest value within bounds at two shares of the data.
    ClipQuantiles {
        /// Share below the low bound.
        low: f64,
        /// Share below the high bound.
        high: f64,
    },
    /// Square root.
    Sqrt,
    /// x to the power of this.
    Power(f64),
    /// Codes by hash, so many.
    HashBuckets(u32),
    /// A part of a time.
    DatePart(DatePart),
    /// A column for each value; with bounds on which values as in [`Vocabulary`](Self::Vocabulary), without any for
    /// all, ascending.
    OneHot(Choice),
    /// Sine and cosine over a period.
    Cyclic(f64),
    /// One more column: whether the value is missing here.
    MissingIndicator,
    /// A node whose constants the file gives.
    Fixed(Node),
    /// The nearest value within so many distances of the quartiles beyond them.
    ClipTukey(f64),
    /// (x − median) / distance of two quantiles.
    Robust {
        /// The share below the lower quantile.
        low: f64,
        /// The share below the upper quantile.
        high: f64,
    },
    /// A standard normal variable.
    Gaussian,
    /// The share of values below, between so many quantiles.
    Interpolate(u32),
    /// The density of a histogram of so many buckets.
    Density(u32),
    /// `z_score`, `min_max` or buckets, for each value of a column apart.
    By {
        /// The column.
        column: String,
        /// The step.
        step: Box<Step>,
    },
    /// The share of rows that have the value.
    Frequency,
    /// The mean label of the rows that have the value.
    TargetEncode {
        /// How many rows of the mean of all rows are added.
        smoothing: f64,
        /// How many folds the train split is cut into.
        folds: u32,
    },
    /// A column of 0 and 1 for each token.
    MultiHot(Choice),
    /// A column of counts for each token.
    BagOfWords(Choice),
    /// A column of weighted shares for each token.
    TfIdf {
        /// Which tokens.
        choice: Choice,
        /// Whether 1 is added to both counts of documents.
        smooth: bool,
    },
    /// Projections on so many directions of most variance.
    Pca(u32),
    /// One number of what came before, before its horizon is known.
    Window {
        /// The least age in seconds; the horizon unless given.
        from: Option<u64>,
        /// How far it reaches beyond, in seconds.
        length: Option<u64>,
        /// Which number.
        take: Take,
    },
}

/// What a missing value becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum ImputeWith {
    /// The mean of the train split.
    Mean,
    /// Its median.
    Median,
    /// Its most frequent value.
    MostFrequent,
    /// A constant.
    Constant(Scalar),
}

const NAMES: [&str; 41] = [
    "numeric",
    "identity",
    "impute",
    "z_score",
    "min_max",
    "bucketize",
    "vocabulary",
    "categorical",
    "log",
    "log1p",
    "clip",
    "sqrt",
    "power",
    "hash_buckets",
    "date_part",
    "one_hot",
    "cyclic",
    "robust",
    "gaussian",
    "interpolate",
    "density",
    "frequency",
    "target_encode",
    "lower",
    "upper",
    "strip",
    "regex_replace",
    "regex_extract",
    "tokenize",
    "split",
    "ngrams",
    "distinct",
    "word_count",
    "multi_hot",
    "bag_of_words",
    "tf_idf",
    "pca",
    "lag",
    "window",
    "image",
    "scale_to_gaussian",
];

impl Step {
    /// Reads one item of a list: a name, or a name with its argument. It is one step, or `impute` and its indicator.
    /// Issues are relative to the item.
    pub(super) fn parse(value: &Value) -> Result<Vec<Self>, Vec<ParamIssue>> {
        let (name, argument) = match value {
            Value::String(name) => (name.as_str(), &Value::Null),
            Value::Object(object) => match (object.iter().next(), object.len()) {
                (Some((name, argument)), 1) => (name.as_str(), argument),
                _ => {
                    return one_issue(
                        "a step has one name; write several steps as a list: `[ { impute: median }, z_score ]`",
                    );
                }
            },
            _ => {
                return one_issue(
                    "a step is a name such as `z_score`, or a name with an argument such as `{ bucketize: 10 }`",
                );
            }
        };
        let step = Self::named(name, argument);
        // The place of an issue in an argument lies below the name.
        step.map_err(|issues| {
            let below = value.is_object() && NAMES.contains(&name);
            let place = |mut issue: ParamIssue| {
                if below {
                    issue.path.insert(0, name.to_owned());
                }
                issue
            };
            issues.into_iter().map(place).collect()
        })
    }

    fn named(name: &str, argument: &Value) -> Result<Vec<Self>, Vec<ParamIssue>> {
        let none = |step: Self| {
            let is_empty = argument.is_null() || argument.as_object().is_some_and(serde_json::Map::is_empty);
            if is_empty { Ok(step) } else { one_issue(format!("`{name}` takes no argument")) }
        };
        let step = match name {
            "numeric" | "identity" => none(Self::Numeric),
            "z_score" => z_score(argument),
            "categorical" => none(Self::Categorical),
            "log" => none(Self::Log),
            "log1p" => none(Self::Log1p),
            "impute" => return impute(argument),
            "min_max" => min_max(argument),
            "bucketize" => bucketize(argument),
            "vocabulary" => vocabulary(argument),
            "clip" => clip(argument),
            "sqrt" => none(Self::Sqrt),
            "power" => power(argument),
            "hash_buckets" => hash_buckets(argument),
            "date_part" => date_part(argument),
            "one_hot" => one_hot(argument),
            "cyclic" => cyclic(argument),
            "robust" => robust(argument),
            "gaussian" | "scale_to_gaussian" => none(Self::Gaussian),
            "interpolate" => interpolate(argument),
            "density" => density(argument),
            "frequency" => none(Self::Frequency),
            "target_encode" => target_encode(argument),
            "lower" => none(Self::Fixed(Node::Lower)),
            "upper" => none(Self::Fixed(Node::Upper)),
            "strip" => none(Self::Fixed(Node::Strip)),
            "regex_replace" => regex_replace(argument),
            "regex_extract" => regex_extract(argument),
            "tokenize" => tokenize(argument),
            "split" => split(argument),
            "ngrams" => ngrams(argument),
            "distinct" => none(Self::Fixed(Node::Distinct)),
            "word_count" => none(Self::Fixed(Node::WordCount)),
            "multi_hot" => bag(argument).map(Self::MultiHot),
            "bag_of_words" => bag(argument).map(Self::BagOfWords),
            "tf_idf" => tf_idf(argument),
            "pca" => pca(argument),
            "lag" => lag(argument),
            "window" => window(argument),
            "image" => image(argument),
            _ => {
                let issue = ParamIssue::new(Vec::<String>::new(), format!("`{name}` is not a step"));
                Err(vec![issue.with_hint(match suggest(name, NAMES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("steps: {}", NAMES.join(", ")),
                })])
            }
        };
        step.map(|step| vec![step])
    }
}
