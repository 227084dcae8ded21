//! What a step waits for in a scan.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType as ArrowType;
use tidemill_data::stored;
use tidemill_model::{Stage, Tokenizer};

use crate::analyze::{
    Covariance, DISTINCT_MAX, KEYS_MAX, KeyCounts, Keyed, LabelSums, Merge, Moments, NumberCounts, Quantiles, Range,
    TooMany, WordCounts,
};
use crate::config::{Choice, ImputeWith, Order, Step};

/// What a step waits for.
pub(crate) enum Need {
    /// How often values occur, before any numbers are made of them.
    Keys(KeyCounts),
    /// The label by value.
    Labels(LabelSums),
    /// By value: rows, and the sum of a column.
    Weights(Keyed<(u64, f64)>),
    /// Tokens.
    Words(WordCounts),
    Numbers(NumberCounts),
    Summary(Summary),
    /// For each key, and for all rows.
    By(Keyed<Summary>, Summary),
    Covariance(Covariance),
}

/// What is known of numbers.
#[derive(Debug, Clone)]
pub(crate) enum Summary {
    Moments(Moments),
    Range(Range),
    Quantiles(Quantiles),
}

impl Summary {
    fn of(step: &Step) -> Self {
        match step {
            Step::MinMax { .. } => Self::Range(Range::default()),
            Step::Buckets(_)
            | Step::ClipQuantiles { .. }
            | Step::ClipTukey(_)
            | Step::Robust { .. }
            | Step::Gaussian
            | Step::Interpolate(_)
            | Step::Density(_)
            | Step::Impute(ImputeWith::Median) => Self::Quantiles(Quantiles::default()),
            _ => Self::Moments(Moments::default()),
        }
    }

    pub(crate) fn update(&mut self, values: &[f64]) {
        match self {
            Self::Moments(moments) => moments.update(values),
            Self::Range(range) => range.update(values),
            Self::Quantiles(quantiles) => quantiles.update(values),
        }
    }
}

stored!(enum Summary { 0 Moments(moments), 1 Range(range), 2 Quantiles(quantiles) }
    else "numbers are known in an unknown way");

impl Merge for Summary {
    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Moments(moments), Self::Moments(other)) => moments.merge(other),
            (Self::Range(range), Self::Range(other)) => range.merge(other),
            (Self::Quantiles(quantiles), Self::Quantiles(other)) => quantiles.merge(other),
            _ => {}
        }
    }
}

stored!(enum Need {
    0 Keys(keys),
    1 Labels(sums),
    2 Weights(keys),
    3 Words(words),
    4 Numbers(counts),
    5 Summary(summary),
    6 By(keys, all),
    7 Covariance(covariance),
} else "what is waited for is of an unknown kind");

impl Merge for Need {
    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Keys(keys), Self::Keys(other)) => keys.merge(other),
            (Self::Labels(sums), Self::Labels(other)) => sums.merge(other),
            (Self::Weights(keys), Self::Weights(other)) => keys.merge_with(other, |(rows, sum), (other, weight)| {
                *rows += other;
                *sum += weight;
            }),
            (Self::Words(words), Self::Words(other)) => words.merge(other),
            (Self::Numbers(counts), Self::Numbers(other)) => counts.merge(other),
            (Self::Summary(summary), Self::Summary(other)) => summary.merge(other),
            (Self::By(keys, all), Self::By(others, other)) => {
                keys.merge_with(others, Merge::merge);
                all.merge(other);
            }
            (Self::Covariance(covariance), Self::Covariance(other)) => covariance.merge(other),
            _ => {}
        }
    }
}

/// Whether plain counts of values are enough for a choice.
pub(crate) fn is_counted(choice: &Choice) -> bool {
    choice.weight.is_none() && choice.by == Order::Frequency
}

impl Need {
    /// What `step` needs of values of `stage`; `key_is_text` tells of the column that holds keys.
    pub(crate) fn of(step: &Step, stage: Stage, key_is_text: bool) -> Self {
        let is_text = stage == Stage::Text;
        let keys = || if is_text { KeyCounts::text() } else { KeyCounts::integers() };
        match step {
            Step::Vocabulary(choice) | Step::OneHot(choice) if choice.by == Order::MutualInformation => {
                Self::Labels(LabelSums::new(is_text, 1))
            }
            Step::Vocabulary(choice) | Step::OneHot(choice) if choice.weight.is_some() => {
                Self::Weights(Keyed::new(is_text, (0, 0.0)))
            }
            Step::Vocabulary(_) | Step::OneHot(_) | Step::Categorical | Step::Frequency => Self::Keys(keys()),
            Step::TargetEncode { folds, .. } => Self::Labels(LabelSums::new(is_text, *folds as usize)),
            Step::MultiHot(_) | Step::BagOfWords(_) | Step::TfIdf { .. } => Self::Words(WordCounts::default()),
            Step::Impute(ImputeWith::MostFrequent) if matches!(stage, Stage::Text | Stage::Int) => Self::Keys(keys()),
            Step::Impute(ImputeWith::MostFrequent) => Self::Numbers(NumberCounts::default()),
            Step::By { step, .. } => {
                let summary = Summary::of(step);
                Self::By(Keyed::new(key_is_text, summary.clone()), summary)
            }
            Step::Pca(_) => {
                let Stage::Vector(columns) = stage else { return Self::Covariance(Covariance::new(0)) };
                Self::Covariance(Covariance::new(columns as usize))
            }
            other => Self::Summary(Summary::of(other)),
        }
    }

    /// Whether it sees values before any numbers are made of them.
    pub(crate) fn sees_keys(&self) -> bool {
        matches!(self, Self::Keys(_) | Self::Labels(_) | Self::Weights(_) | Self::Words(_))
    }

    /// How many different values it has seen, where that is bounded.
    pub(crate) fn distinct(&self) -> usize {
        match self {
            Self::Keys(keys) => keys.distinct(),
            Self::Labels(sums) => sums.distinct(),
            Self::Weights(keys) => keys.len(),
            Self::By(keys, _) => keys.len(),
            Self::Words(words) => words.distinct(),
            Self::Numbers(counts) => counts.distinct(),
            Self::Summary(_) | Self::Covariance(_) => 0,
        }
    }

    /// How many different values are too many for it.
    pub(crate) fn limit(&self) -> u64 {
        if matches!(self, Self::By(..)) { KEYS_MAX } else { DISTINCT_MAX }
    }
}

/// Takes in tokens; a missing text is no document.
pub(crate) fn count_words(counts: &mut WordCounts, column: &ArrayRef, tokenizer: &Tokenizer) -> Result<(), TooMany> {
    if *column.data_type() != ArrowType::Utf8 {
        return Ok(());
    }
    let array = column.as_string::<i32>();
    for row in 0..array.len() {
        if array.is_valid(row) {
            let mut tokens: Vec<Cow<'_, str>> = Vec::new();
            tokenizer.tokens(array.value(row), &mut tokens);
            counts.update(&tokens)?;
        }
    }
    Ok(())
}

/// A column of numbers as weights: a missing one, one that is negative or infinite is 0.
pub(crate) fn weights(column: &ArrayRef) -> Vec<f64> {
    use arrow::datatypes::{Float64Type, Int64Type};
    let sane = |weight: f64| if weight.is_finite() && weight > 0.0 { weight } else { 0.0 };
    match column.data_type() {
        ArrowType::Float64 => {
            column.as_primitive::<Float64Type>().iter().map(|weight| sane(weight.unwrap_or(0.0))).collect()
        }
        ArrowType::Int64 => {
            column.as_primitive::<Int64Type>().iter().map(|weight| sane(weight.unwrap_or(0) as f64)).collect()
        }
        _ => vec![0.0; column.len()],
    }
}
