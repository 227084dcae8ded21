//! Quantiles of a stream in little memory, with an error bound that always holds.

use super::state::{COUNT_MAX, Input, StateError, Stored, word};

/// Values of a level before it is halved.
const LEVEL_VALUES: usize = 2048;

/// A deterministic quantile sketch: the collapsing buffers of Munro and Paterson (1980) with alternating offsets.
///
/// Level `h` holds values that stand for `2^h` values each. A full level is sorted and every second value moves
/// up, which shifts no rank by more than `2^h`; the sketch adds these up, so it knows a bound on its own rank error
/// (`L / 2048` of the values after `L` levels: under 0.5 % at a million values, under 1 % at a thousand million).
///
/// The `datasketches` KLL sketch is smaller, but flips coins from a source seeded anew in each thread, and
/// statistics must be the same bytes each time.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct QuantileSketch {
    /// Keys of values; level 0 in order of arrival, the others sorted.
    levels: Vec<Vec<u64>>,
    /// Which half moved up last, for each level.
    odd: Vec<bool>,
    count: u64,
    /// Bound on the error of any rank, in values.
    error: u64,
}

impl QuantileSketch {
    /// Takes in `values`, all finite.
    pub fn add_all(&mut self, values: &[f64]) {
        if self.levels.is_empty() {
            self.push_level();
        }
        self.count += values.len() as u64;
        let mut rest = values;
        while !rest.is_empty() {
            let room = LEVEL_VALUES - self.levels[0].len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.levels[0].extend(now.iter().map(|value| key(*value)));
            rest = later;
            if self.levels[0].len() == LEVEL_VALUES {
                self.levels[0].sort_unstable();
                self.compact(0);
            }
        }
    }

    /// Takes in `value`, `count` times over.
    pub fn add(&mut self, value: f64, count: u64) {
        // A run of equal values is put straight into the levels of the binary digits of its length.
        let mut level = 0;
        while count >> level > 0 {
            while self.levels.len() <= level {
                self.push_level();
            }
            if (count >> level) & 1 == 1 {
                let key = key(value);
                let values = &mut self.levels[level];
                let at = if level == 0 { values.len() } else { values.partition_point(|other| *other < key) };
                values.insert(at, key);
                self.settle(level);
            }
            level += 1;
        }
        self.count += count;
    }

    /// Takes in another sketch; their errors add up.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.error += other.error;
        for (level, values) in other.levels.iter().enumerate() {
            while self.levels.len() <= level {
                self.push_level();
            }
            if level == 0 {
                self.levels[0].extend_from_slice(values);
            } else {
                self.levels[level] = join(&self.levels[level], values);
            }
            self.settle(level);
        }
    }

    fn push_level(&mut self) {
        self.levels.push(Vec::with_capacity(if self.levels.is_empty() { LEVEL_VALUES } else { 0 }));
        self.odd.push(false);
    }

    /// Compacts `level` if it is full.
    fn settle(&mut self, level: usize) {
        if self.levels[level].len() >= LEVEL_VALUES {
            if level == 0 {
                self.levels[0].sort_unstable();
            }
            self.compact(level);
        }
    }

    /// Moves every second value of a sorted level up, and goes on while the level above is full.
    fn compact(&mut self, level: usize) {
        if self.levels.len() == level + 1 {
            self.push_level();
        }
        let mut values = std::mem::take(&mut self.levels[level]);
        let kept = if values.len() % 2 == 1 { values.pop() } else { None };
        let offset = usize::from(self.odd[level]);
        self.odd[level] = !self.odd[level];
        self.error += 1 << level;
        let risen: Vec<u64> = values.iter().skip(offset).step_by(2).copied().collect();
        values.clear();
        values.extend(kept);
        self.levels[level] = values;
        self.levels[level + 1] = join(&self.levels[level + 1], &risen);
        self.settle(level + 1);
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.levels.iter().map(|level| level.capacity() * size_of::<u64>()).sum()
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bound on the error of any rank, as a share of the values.
    pub fn rank_error(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.error as f64 / self.count as f64 }
    }

    /// Values from low to high, each with how many it stands for; together they stand for all of them.
    pub fn weighted(&self) -> Vec<(f64, u64)> {
        let mut pairs: Vec<(u64, u64)> = self
            .levels
            .iter()
            .enumerate()
            .flat_map(|(level, values)| values.iter().map(move |value| (*value, 1u64 << level)))
            .collect();
        pairs.sort_unstable();
        let mut out: Vec<(f64, u64)> = Vec::with_capacity(pairs.len());
        for (key, weight) in pairs {
            let value = value(key);
            match out.last_mut() {
                Some(last) if last.0 == value => last.1 += weight,
                _ => out.push((value, weight)),
            }
        }
        out
    }
}

/// The error, and level by level which half moved up last and the keys.
impl Stored for QuantileSketch {
    fn store(&self, out: &mut Vec<u8>) {
        self.error.store(out);
        (self.levels.len() as u64).store(out);
        for (values, odd) in self.levels.iter().zip(&self.odd) {
            odd.store(out);
            (values.len() as u64).store(out);
            for key in values {
                out.extend_from_slice(&key.to_le_bytes());
            }
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let mut sketch = Self { error: u64::load(input)?, ..Self::default() };
        let levels = input.length()?;
        input.expect(levels <= COUNT_MAX.ilog2() as usize, "a sketch has too many levels")?;
        for level in 0..levels {
            sketch.push_level();
            sketch.odd[level] = bool::load(input)?;
            let length = input.length()?;
            for _ in 0..length {
                sketch.levels[level].push(word(input)?);
            }
            let values = &sketch.levels[level];
            let sound = values.len() < LEVEL_VALUES
                && values.iter().all(|key| value(*key).is_finite())
                && (level == 0 || values.is_sorted());
            input.expect(sound, "a level of a sketch is out of order")?;
            sketch.count += (values.len() as u64) << level;
        }
        input.expect(sketch.count <= COUNT_MAX, "a count is too large")?;
        Ok(sketch)
    }
}

/// Two sorted runs as one.
fn join(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut out = Vec::with_capacity((a.len() + b.len()).max(LEVEL_VALUES));
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let take_a = a[i] <= b[j];
        out.push(if take_a { a[i] } else { b[j] });
        i += usize::from(take_a);
        j += usize::from(!take_a);
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

/// An integer that sorts as the number does.
fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Largest distance between the true ranks and the sketch's, in values, over every value of the sketch.
    fn worst_rank_error(sketch: &QuantileSketch, values: &[f64]) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut below = 0u64;
        let mut worst = 0.0f64;
        for (value, weight) in sketch.weighted() {
            let rank = sorted.partition_point(|other| *other < value) as f64;
            worst = worst.max((rank - below as f64).abs());
            below += weight;
        }
        assert_eq!(below, values.len() as u64, "weights add up to the number of values");
        worst
    }

    #[test]
    fn a_million_values_stay_within_the_stated_error() {
        let mut state = 1u64;
        let values: Vec<f64> = (0..1_000_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                ((state >> 33) as f64).ln()
            })
            .collect();
        let mut sketch = QuantileSketch::default();
        values.chunks(65_536).for_each(|chunk| sketch.add_all(chunk));
        assert!(sketch.rank_error() < 0.005, "{}", sketch.rank_error());
        assert!(worst_rank_error(&sketch, &values) <= sketch.error as f64);
    }

    proptest! {
        #[test]
        fn merged_sketches_stay_within_the_stated_error(
            parts in prop::collection::vec(prop::collection::vec(-1000i32..1000, 0..6000), 1..5),
            runs in prop::collection::vec((-1000i32..1000, 0u64..5000), 0..5),
        ) {
            let mut merged = QuantileSketch::default();
            let mut all = Vec::new();
            for part in &parts {
                let values: Vec<f64> = part.iter().map(|v| f64::from(*v)).collect();
                let mut sketch = QuantileSketch::default();
                sketch.add_all(&values);
                merged.merge(&sketch);
                all.extend(values);
            }
            for (value, count) in runs {
                merged.add(f64::from(value), count);
                all.extend(std::iter::repeat_n(f64::from(value), count as usize));
            }
            prop_assert!(worst_rank_error(&merged, &all) <= merged.error as f64);
        }

        #[test]
        fn keys_sort_as_numbers_do(a in proptest::num::f64::NORMAL, b in proptest::num::f64::NORMAL) {
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b));
            prop_assert_eq!(value(key(a)), a);
        }
    }
}
