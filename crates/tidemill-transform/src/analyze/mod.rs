//! Analyzers: what is counted and summed in a scan.
//!
//! Each takes the values of one column in the order of the rows. Where rows come in spans, each span has an analyzer of its
//! own and they are joined in the order of the spans, so the result depends neither on the number of threads, nor on where
//! batches begin, nor on which spans were seen before.

mod counts;
mod covariance;
mod information;
mod keyed;
mod labelled;
mod merge;
mod moments;
mod quantiles;
mod select;
mod tukey;
mod words;

use tidemill_validation::{StateError, StateInput, Stored};

pub(crate) use counts::{KeyCounts, NumberCounts, TooMany};
pub(crate) use covariance::Covariance;
pub(crate) use information::{Contingency, Information};
pub(crate) use keyed::Keyed;
pub(crate) use labelled::LabelSums;
pub(crate) use merge::Merge;
pub(crate) use moments::Moments;
pub(crate) use quantiles::{Quantiles, Sorted};
pub(crate) use select::{select_texts, select_wholes};
pub(crate) use tukey::fit_tukey;
pub(crate) use words::WordCounts;

/// More different values are not counted: a column of that many names rows.
pub(crate) const DISTINCT_MAX: u64 = 5_000_000;

/// Keys of more different values are not fitted apart.
pub(crate) const KEYS_MAX: u64 = 100_000;

/// Smallest and largest finite value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Range(pub(crate) Option<(f64, f64)>);

impl Range {
    /// Takes in values; those that are not finite are skipped.
    pub(crate) fn update(&mut self, values: &[f64]) {
        for value in values.iter().copied().filter(|value| value.is_finite()) {
            // Adding zero turns −0 into 0, so that the bounds do not depend on which of the two came first.
            let value = value + 0.0;
            self.0 = Some(self.0.map_or((value, value), |(min, max)| (min.min(value), max.max(value))));
        }
    }
}

impl Stored for Range {
    fn store(&self, out: &mut Vec<u8>) {
        self.0.store(out);
    }

    fn load(input: &mut StateInput<'_>) -> Result<Self, StateError> {
        Stored::load(input).map(Self)
    }
}

impl Merge for Range {
    fn merge(&mut self, other: Self) {
        if let Some((min, max)) = other.0 {
            self.update(&[min, max]);
        }
    }
}
