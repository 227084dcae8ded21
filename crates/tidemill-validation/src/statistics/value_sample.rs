//! A sample of distinct values that two datasets have in common.

use std::collections::HashMap;

use tidemill_core::ValueSample;

use super::state::{Input, StateError, Stored, word};

/// Values of a finished sample. A sum over thousands of rare values is estimated within about 3 % (one standard error).
const VALUES: usize = 1024;

/// Counts the values with the smallest hashes (Cohen and Kaplan 2007: a bottom-k sample).
///
/// A value whose hash is below the limit has been counted from its first occurrence, because the limit only falls. So
/// counts are exact, and the same rows in any order and in any parts give the same sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SampleAccumulator {
    below: u64,
    counts: HashMap<u64, u64>,
}

impl Default for SampleAccumulator {
    fn default() -> Self {
        Self { below: u64::MAX, counts: HashMap::new() }
    }
}

impl SampleAccumulator {
    #[inline]
    pub fn add(&mut self, hash: u64, count: u64) {
        if hash < self.below {
            *self.counts.entry(hash).or_insert(0) += count;
            if self.counts.len() >= 4 * VALUES {
                self.shrink();
            }
        }
    }

    /// Takes in what another accumulator has seen.
    pub fn merge(&mut self, other: &Self) {
        self.below = self.below.min(other.below);
        let below = self.below;
        self.counts.retain(|hash, _| *hash < below);
        for (hash, count) in &other.counts {
            self.add(*hash, *count);
        }
    }

    /// Keeps the values with the smallest hashes.
    fn shrink(&mut self) {
        if self.counts.len() > VALUES {
            let mut hashes: Vec<u64> = self.counts.keys().copied().collect();
            let (_, limit, _) = hashes.select_nth_unstable(VALUES);
            let limit = *limit;
            self.below = limit;
            self.counts.retain(|hash, _| *hash < limit);
        }
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.counts.capacity() * 18
    }

    pub fn finish(&self) -> ValueSample {
        let mut sample = self.clone();
        sample.shrink();
        let mut counts: Vec<(u64, u64)> = sample.counts.into_iter().collect();
        counts.sort_unstable();
        ValueSample { below: sample.below, counts }
    }
}

/// The sample as it is finished: nothing else matters for what follows.
impl Stored for SampleAccumulator {
    fn store(&self, out: &mut Vec<u8>) {
        let sample = self.finish();
        out.extend_from_slice(&sample.below.to_le_bytes());
        sample.counts.len().store(out);
        for (hash, count) in sample.counts {
            out.extend_from_slice(&hash.to_le_bytes());
            count.store(out);
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let below = word(input)?;
        let length = input.length()?;
        input.expect(length <= VALUES, "a sample of values has too many")?;
        let mut counts = HashMap::new();
        for _ in 0..length {
            let hash = word(input)?;
            let count = u64::load(input)?;
            input.expect(hash < below && count > 0, "a sample of values is out of order")?;
            counts.insert(hash, count);
        }
        input.expect(counts.len() == length, "a value is in a sample twice")?;
        Ok(Self { below, counts })
    }
}

#[cfg(test)]
mod tests {
    use tidemill_core::SplitMix64;

    use super::*;

    fn hash(value: u64) -> u64 {
        SplitMix64::nth(value)
    }

    #[test]
    fn any_order_and_any_parts_give_the_same_sample_with_exact_counts() {
        let rows: Vec<u64> = (0..60_000).map(|row| row * row % 20_011).collect();
        let mut whole = SampleAccumulator::default();
        rows.iter().for_each(|value| whole.add(hash(*value), 1));
        let mut parts = SampleAccumulator::default();
        for part in rows.rchunks(7001) {
            let mut other = SampleAccumulator::default();
            part.iter().for_each(|value| other.add(hash(*value), 1));
            parts.merge(&other);
        }
        let sample = whole.finish();
        assert_eq!(sample, parts.finish());
        assert_eq!(sample.counts.len(), VALUES);
        for (sampled, count) in &sample.counts {
            assert_eq!(*count, rows.iter().filter(|value| hash(**value) == *sampled).count() as u64);
        }
        let (mut bytes, distinct) = (Vec::new(), rows.iter().collect::<std::collections::HashSet<_>>().len());
        assert!((sample.counts.len() as f64 / sample.rate() / distinct as f64 - 1.0).abs() < 0.1);
        parts.store(&mut bytes);
        assert_eq!(SampleAccumulator::load(&mut Input::new(&bytes)).unwrap().finish(), sample);
    }
}
