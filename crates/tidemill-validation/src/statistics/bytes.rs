//! What is known of a column of bytes.

use arrow::array::{Array, BinaryArray};
use tidemill_core::BytesStatistics;
use xxhash_rust::xxh3::xxh3_64;

use super::distinct::Distinct;
use super::image::ImageAccumulator;
use super::numeric::NumericAccumulator;
use super::state::stored;

/// Accumulates bytes: lengths, how many are different, how many are text, how many are pictures.
#[derive(Debug, Clone, Default)]
pub(crate) struct BytesAccumulator {
    count: u64,
    total: u64,
    lengths: NumericAccumulator,
    invalid_utf8: u64,
    distinct: Distinct,
    images: ImageAccumulator,
}

stored!(BytesAccumulator { count, total, lengths, invalid_utf8, distinct, images });

impl BytesAccumulator {
    pub fn update(&mut self, array: &BinaryArray) {
        let mut lengths = Vec::with_capacity(array.len());
        for bytes in array.iter().flatten() {
            self.count += 1;
            self.total += bytes.len() as u64;
            lengths.push(bytes.len() as f64);
            self.invalid_utf8 += u64::from(std::str::from_utf8(bytes).is_err());
            self.distinct.add(xxh3_64(bytes));
            self.images.add(bytes);
        }
        self.lengths.update(&lengths);
    }

    /// Takes in what another accumulator has seen.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.total += other.total;
        self.lengths.merge(&other.lengths);
        self.invalid_utf8 += other.invalid_utf8;
        self.distinct.merge(&other.distinct);
        self.images.merge(&other.images);
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.lengths.memory() + self.distinct.memory() + self.images.memory()
    }

    pub fn finish(&self) -> BytesStatistics {
        let lengths = self.lengths.finish();
        let (unique, unique_is_estimate) = self.distinct.count();
        BytesStatistics {
            unique,
            unique_is_estimate,
            avg_num_bytes: if self.count == 0 { 0.0 } else { self.total as f64 / self.count as f64 },
            min_num_bytes: lengths.min as u64,
            max_num_bytes: lengths.max as u64,
            num_bytes: lengths.quantiles,
            invalid_utf8_count: self.invalid_utf8,
            images: self.images.finish(),
        }
    }
}
