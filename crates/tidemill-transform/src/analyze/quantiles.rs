//! Quantiles: exact by sorting, and by a sketch beyond a bound.

use tidemill_validation::{QuantileSketch, StateError, StateInput, Stored};

use super::Merge;

/// Up to so many values quantiles are exact; they take eight bytes each.
const EXACT_MAX: usize = 1 << 20;
/// The size of the sketch: a rank error of at most 0.12 % at ten million values, a bound that always holds.
const SKETCH_VALUES: usize = 1 << 14;

/// Quantiles of finite values.
#[derive(Debug, Clone)]
pub(crate) enum Quantiles {
    Exact(Vec<f64>),
    /// The sketch of the statistics, which flips no coins: the same values in the same order give the same sketch.
    Sketch(Box<QuantileSketch>),
}

impl Stored for Quantiles {
    fn store(&self, out: &mut Vec<u8>) {
        match self {
            Self::Exact(values) => {
                0u8.store(out);
                values.store(out);
            }
            Self::Sketch(sketch) => {
                1u8.store(out);
                sketch.store(out);
            }
        }
    }

    fn load(input: &mut StateInput<'_>) -> Result<Self, StateError> {
        match u8::load(input)? {
            0 => Stored::load(input).map(Self::Exact),
            1 => Stored::load(input).map(Self::Sketch),
            _ => Err(input.wrong("quantiles are held in an unknown way")),
        }
    }
}

impl Merge for Quantiles {
    fn merge(&mut self, other: Self) {
        match other {
            Self::Exact(values) => self.update(&values),
            Self::Sketch(other) => {
                if let Self::Exact(values) = self {
                    *self = Self::Sketch(Box::new(sketch_of(values)));
                }
                if let Self::Sketch(sketch) = self {
                    sketch.merge(&other);
                }
            }
        }
    }
}

impl Default for Quantiles {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Quantiles {
    /// Takes in values; those that are not finite are skipped.
    pub(crate) fn update(&mut self, values: &[f64]) {
        self.update_up_to(values, EXACT_MAX);
    }

    fn update_up_to(&mut self, values: &[f64], exact_max: usize) {
        for value in values.iter().copied().filter(|value| value.is_finite()) {
            match self {
                Self::Exact(kept) if kept.len() < exact_max => kept.push(value + 0.0),
                Self::Exact(kept) => {
                    let mut sketch = sketch_of(kept);
                    sketch.add_all(&[value]);
                    *self = Self::Sketch(Box::new(sketch));
                }
                Self::Sketch(sketch) => sketch.add_all(&[value]),
            }
        }
    }

    /// Makes ready to be asked.
    pub(crate) fn finish(self) -> Sorted {
        match self {
            Self::Exact(mut values) => {
                values.sort_unstable_by(f64::total_cmp);
                Sorted::All(values)
            }
            Self::Sketch(sketch) => {
                let mut below = 0.0;
                let pairs = sketch.pairs();
                Sorted::Sketched(
                    pairs
                        .into_iter()
                        .map(|(value, weight)| {
                            below += weight;
                            (value, below)
                        })
                        .collect(),
                )
            }
        }
    }
}

fn sketch_of(values: &[f64]) -> QuantileSketch {
    let mut sketch = QuantileSketch::with_size(SKETCH_VALUES);
    sketch.add_all(values);
    sketch
}

/// Quantiles ready to be asked.
pub(crate) enum Sorted {
    /// Every value, ascending.
    All(Vec<f64>),
    /// Values that stand for others, ascending, each with how many it and those below it stand for.
    Sketched(Vec<(f64, f64)>),
}

impl Sorted {
    /// The value that `rank` (0 to 1) of the values lie below: the one at index ⌊rank · n⌋, the last for rank 1.
    /// `None` without values.
    pub(crate) fn at(&self, rank: f64) -> Option<f64> {
        match self {
            Self::All(values) => {
                let index = (rank * values.len() as f64) as usize;
                values.get(index).or(values.last()).copied()
            }
            Self::Sketched(pairs) => {
                let wanted = rank * pairs.last()?.1;
                let index = pairs.partition_point(|(_, upto)| *upto <= wanted);
                pairs.get(index).or(pairs.last()).map(|pair| pair.0)
            }
        }
    }

    /// The boundaries of `buckets` buckets of equal share: below boundary i lie ⌊i · n / buckets⌋ values, fewer where
    /// values repeat. Boundaries that coincide are one.
    pub(crate) fn boundaries(&self, buckets: u32) -> Vec<f64> {
        let mut boundaries: Vec<f64> = (1..u64::from(buckets))
            .filter_map(|i| match self {
                Self::All(values) => {
                    values.get((u128::from(i) * values.len() as u128 / u128::from(buckets)) as usize).copied()
                }
                Self::Sketched(_) => self.at(i as f64 / f64::from(buckets)),
            })
            .collect();
        boundaries.dedup();
        boundaries
    }

    /// Values that stand for all of them, ascending and each for as many: all where they are kept.
    pub(crate) fn sample(&self) -> Vec<f64> {
        const POINTS: u32 = 4096;
        match self {
            Self::All(values) => values.clone(),
            Self::Sketched(_) => {
                (0..POINTS).filter_map(|i| self.at((f64::from(i) + 0.5) / f64::from(POINTS))).collect()
            }
        }
    }

    /// The quantile of linear interpolation between the two nearest values (type 7 of Hyndman and Fan 1996, the default
    /// of numpy). `None` without values.
    pub(crate) fn between(&self, rank: f64) -> Option<f64> {
        match self {
            Self::All(values) => {
                let place = rank * values.len().checked_sub(1)? as f64;
                let (low, part) = (place.floor() as usize, place.fract());
                let (a, b) = (*values.get(low)?, *values.get(low + 1).or(values.last())?);
                Some(a + (b - a) * part)
            }
            Self::Sketched(_) => self.at(rank),
        }
    }

    /// The middle value, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> Option<f64> {
        match self {
            Self::All(values) => {
                let upper = *values.get(values.len() / 2)?;
                if values.len() % 2 == 1 {
                    Some(upper)
                } else {
                    Some(f64::midpoint(values[values.len() / 2 - 1], upper))
                }
            }
            Self::Sketched(_) => self.at(0.5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(values: &[f64]) -> Sorted {
        let mut quantiles = Quantiles::default();
        quantiles.update(values);
        quantiles.finish()
    }

    #[test]
    fn buckets_of_distinct_values_have_equal_shares() {
        let values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(exact(&values).boundaries(4), [25.0, 50.0, 75.0]);
        assert_eq!(exact(&[1.0, 1.0, 1.0, 2.0]).boundaries(4), [1.0, 2.0]);
        assert!(exact(&[]).boundaries(10).is_empty());
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(exact(&[3.0, 1.0, 2.0]).median(), Some(2.0));
        assert_eq!(exact(&[4.0, 1.0, 2.0, 3.0, f64::NAN]).median(), Some(2.5));
        assert_eq!(exact(&[]).median(), None);
    }

    #[test]
    fn the_sketch_stays_close_and_is_the_same_each_time() {
        let values: Vec<f64> = (0..100_000_u64).map(|i| (i * 7919 % 100_003) as f64).collect();
        let sketched = || {
            let mut quantiles = Quantiles::default();
            quantiles.update_up_to(&values, 1000);
            assert!(matches!(quantiles, Quantiles::Sketch(_)));
            quantiles.finish().boundaries(10)
        };
        for (sketched, exact) in sketched().iter().zip(exact(&values).boundaries(10)) {
            assert!((sketched - exact).abs() < 100.0, "{sketched} is not near {exact}");
        }
        assert_eq!(sketched(), sketched());
    }
}
