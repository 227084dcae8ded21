//! What a scan collects for one step.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use tidemill_model::Tokenizer;
use tidemill_validation::stored;

use crate::analyze::{
    Covariance, DISTINCT_MAX, KEYS_MAX, KeyCounts, Keyed, LabelSums, Merge, Moments, NumberCounts, Quantiles, Range,
    TooMany, WordCounts,
};

/// What a scan collects for one step.
pub(crate) enum Analyzer {
    /// How often values occur, before any numbers are made of them.
    Counts(KeyCounts),
    /// The label by value.
    Labels(LabelSums),
    /// By value: rows, and the sum of a column.
    Weights(Keyed<(u64, f64)>),
    /// Tokens.
    Words(WordCounts),
    Numbers(NumberCounts),
    Summary(Summary),
    /// For each key, and for all rows.
    ByKey(Keyed<Summary>, Summary),
    Covariance(Covariance),
}

/// A summary of numbers.
#[derive(Debug, Clone)]
pub(crate) enum Summary {
    Moments(Moments),
    Range(Range),
    Quantiles(Quantiles),
}

impl Summary {
    pub(crate) fn moments() -> Self {
        Self::Moments(Moments::default())
    }

    pub(crate) fn range() -> Self {
        Self::Range(Range::default())
    }

    pub(crate) fn quantiles() -> Self {
        Self::Quantiles(Quantiles::default())
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
    else "a summary of numbers is of an unknown kind");

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

stored!(enum Analyzer {
    0 Counts(counts),
    1 Labels(sums),
    2 Weights(keys),
    3 Words(words),
    4 Numbers(counts),
    5 Summary(summary),
    6 ByKey(keys, all),
    7 Covariance(covariance),
} else "an analyzer is of an unknown kind");

impl Merge for Analyzer {
    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Counts(counts), Self::Counts(other)) => counts.merge(other),
            (Self::Labels(sums), Self::Labels(other)) => sums.merge(other),
            (Self::Weights(keys), Self::Weights(other)) => keys.merge_with(other, |(rows, sum), (other, weight)| {
                *rows += other;
                *sum += weight;
            }),
            (Self::Words(words), Self::Words(other)) => words.merge(other),
            (Self::Numbers(counts), Self::Numbers(other)) => counts.merge(other),
            (Self::Summary(summary), Self::Summary(other)) => summary.merge(other),
            (Self::ByKey(keys, all), Self::ByKey(others, other)) => {
                keys.merge_with(others, Merge::merge);
                all.merge(other);
            }
            (Self::Covariance(covariance), Self::Covariance(other)) => covariance.merge(other),
            _ => {}
        }
    }
}

impl Analyzer {
    /// Whether it sees values before any numbers are made of them.
    pub(crate) fn sees_raw_values(&self) -> bool {
        matches!(self, Self::Counts(_) | Self::Labels(_) | Self::Weights(_) | Self::Words(_))
    }

    /// How many different values it has seen, where that is bounded.
    pub(crate) fn distinct(&self) -> usize {
        match self {
            Self::Counts(counts) => counts.distinct(),
            Self::Labels(sums) => sums.distinct(),
            Self::Weights(keys) => keys.len(),
            Self::ByKey(keys, _) => keys.len(),
            Self::Words(words) => words.distinct(),
            Self::Numbers(counts) => counts.distinct(),
            Self::Summary(_) | Self::Covariance(_) => 0,
        }
    }

    /// How many different values it can take.
    pub(crate) fn limit(&self) -> u64 {
        if matches!(self, Self::ByKey(..)) { KEYS_MAX } else { DISTINCT_MAX }
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
