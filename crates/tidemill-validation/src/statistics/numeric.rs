//! What is known of a column of numbers.

use arrow::array::{Array, Float64Array, Int64Array};
use tidemill_core::NumericStatistics;

use super::counts::{DISTINCT_NUMBERS_MAX, NumberCounts};
use super::grid::Grid;
use super::histogram;
use super::moments::Moments;
use super::sketch::QuantileSketch;
use super::state::stored;

/// Accumulates numbers.
///
/// Counts, moments and extremes are exact. Distribution is exact up to 4,096 distinct numbers; beyond, equal-width
/// counts stay exact on a grid and ranks come from a sketch that knows its error.
#[derive(Debug, Clone, Default)]
pub(crate) struct NumericAccumulator {
    moments: Moments,
    num_zeros: u64,
    num_negative: u64,
    num_nan: u64,
    num_inf: u64,
    distribution: Distribution,
    /// Finite values of the batch at hand; kept for its memory.
    scratch: Vec<f64>,
}

#[derive(Debug, Clone)]
enum Distribution {
    Exact(NumberCounts),
    Sketched { grid: Grid, sketch: QuantileSketch },
}

stored!(NumericAccumulator {
    moments, num_zeros, num_negative, num_nan, num_inf, distribution; fresh scratch
} if |it| it.distribution.holds(&it.moments));

// Counts, or a grid and a sketch of the same numbers.
stored!(enum Distribution { 0 Exact(counts), 1 Sketched { grid, sketch } } else "numbers are held in an unknown way");

impl Distribution {
    /// Whether it is that of the numbers whose moments are given.
    fn holds(&self, moments: &Moments) -> bool {
        let (range, count) = match self {
            Self::Exact(counts) => {
                let pairs = counts.sorted();
                let range = pairs.first().zip(pairs.last()).map(|(low, high)| (low.0, high.0));
                (range, pairs.iter().map(|pair| pair.1).sum())
            }
            Self::Sketched { grid, sketch } if grid.total() as f64 != sketch.weight() => return false,
            Self::Sketched { grid, .. } => (grid.range(), grid.total()),
        };
        count == moments.count && range.is_none_or(|range| range == (moments.min, moments.max))
    }
}

impl Default for Distribution {
    fn default() -> Self {
        Self::Exact(NumberCounts::default())
    }
}

impl NumericAccumulator {
    pub fn update_floats(&mut self, array: &Float64Array) {
        let mut finite = std::mem::take(&mut self.scratch);
        finite.clear();
        finite.reserve(array.len());
        let mut take = |value: f64| {
            if value.is_finite() {
                finite.push(value);
            } else if value.is_nan() {
                self.num_nan += 1;
            } else {
                self.num_inf += 1;
            }
        };
        if array.null_count() == 0 {
            let values = array.values();
            // A sum of finite values times zero is zero; NaN and infinities make it NaN.
            if values.iter().map(|x| x * 0.0).sum::<f64>() == 0.0 {
                finite.extend_from_slice(values);
            } else {
                values.iter().for_each(|value| take(*value));
            }
        } else {
            array.iter().flatten().for_each(take);
        }
        self.update(&finite);
        self.scratch = finite;
    }

    pub fn update_ints(&mut self, array: &Int64Array) {
        let mut finite = std::mem::take(&mut self.scratch);
        finite.clear();
        if array.null_count() == 0 {
            finite.extend(array.values().iter().map(|value| *value as f64));
        } else {
            finite.extend(array.iter().flatten().map(|value| value as f64));
        }
        self.update(&finite);
        self.scratch = finite;
    }

    /// Takes in a finite value, `count` times over.
    pub fn add(&mut self, value: f64, count: u64) {
        if count == 0 {
            return;
        }
        self.num_zeros += if value == 0.0 { count } else { 0 };
        self.num_negative += if value < 0.0 { count } else { 0 };
        self.moments.merge(&Moments { count, mean: value, m2: 0.0, min: value, max: value });
        self.add_to_distribution(value, count);
    }

    fn add_to_distribution(&mut self, value: f64, count: u64) {
        if let Distribution::Exact(counts) = &mut self.distribution {
            if counts.add(value, count) {
                return;
            }
            self.distribution = spill(counts);
        }
        if let Distribution::Sketched { grid, sketch } = &mut self.distribution {
            grid.add(value, count);
            sketch.add(value, count as f64);
        }
    }

    /// Takes in finite values.
    pub fn update(&mut self, values: &[f64]) {
        let moments = Moments::of(values);
        self.num_zeros += values.iter().map(|x| u64::from(*x == 0.0)).sum::<u64>();
        self.num_negative += values.iter().map(|x| u64::from(*x < 0.0)).sum::<u64>();
        self.moments.merge(&moments);
        let mut rest = values;
        if let Distribution::Exact(counts) = &mut self.distribution {
            let counted = counts.add_all(rest);
            rest = &rest[counted..];
            if !rest.is_empty() {
                self.distribution = spill(counts);
            }
        }
        if let Distribution::Sketched { grid, sketch } = &mut self.distribution
            && !rest.is_empty()
        {
            grid.add_all(rest, moments.min, moments.max);
            sketch.add_all(rest);
        }
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        let held = match &self.distribution {
            Distribution::Exact(counts) => counts.memory(),
            Distribution::Sketched { grid, sketch } => grid.memory() + sketch.memory(),
        };
        size_of::<Self>() + held + self.scratch.capacity() * size_of::<f64>()
    }

    /// Takes in what another accumulator has seen.
    pub fn merge(&mut self, other: &Self) {
        self.moments.merge(&other.moments);
        self.num_zeros += other.num_zeros;
        self.num_negative += other.num_negative;
        self.num_nan += other.num_nan;
        self.num_inf += other.num_inf;
        match &other.distribution {
            Distribution::Exact(theirs) => self.merge_counts(theirs),
            Distribution::Sketched { grid: their_grid, sketch: their_sketch } => {
                if let Distribution::Exact(counts) = &self.distribution {
                    self.distribution = spill(counts);
                }
                if let Distribution::Sketched { grid, sketch } = &mut self.distribution {
                    grid.merge(their_grid);
                    sketch.merge(their_sketch);
                }
            }
        }
    }

    fn merge_counts(&mut self, theirs: &NumberCounts) {
        for (value, count) in theirs.sorted() {
            self.add_to_distribution(value, count);
        }
    }

    /// The statistics; `None` where no value was seen at all.
    pub fn finish(&self) -> NumericStatistics {
        let moments = &self.moments;
        let mut out = NumericStatistics {
            num_zeros: self.num_zeros,
            num_negative: self.num_negative,
            num_nan: self.num_nan,
            num_inf: self.num_inf,
            ..NumericStatistics::default()
        };
        if moments.count == 0 {
            out.distinct = Some(0);
            return out;
        }
        (out.mean, out.std_dev) = (moments.mean, moments.std_dev());
        (out.min, out.max) = (moments.min + 0.0, moments.max + 0.0);
        match &self.distribution {
            Distribution::Exact(counts) => {
                let pairs = histogram::weights(counts.sorted());
                out.distinct = Some(pairs.len() as u64);
                out.median = histogram::median(&pairs);
                out.histogram = histogram::equal_width(&pairs, out.min, out.max);
                out.quantiles = histogram::equal_share(&pairs, out.min, out.max, histogram::BUCKETS);
                out.fine = (&histogram::equal_share(&pairs, out.min, out.max, histogram::FINE_BUCKETS)).into();
            }
            Distribution::Sketched { grid, sketch } => {
                let pairs = sketch.pairs();
                out.rank_error = sketch.rank_error();
                out.median = histogram::median(&pairs);
                out.histogram = histogram::equal_width_grid(grid, moments);
                out.quantiles = histogram::equal_share(&pairs, out.min, out.max, histogram::BUCKETS);
                out.fine = (&histogram::equal_share(&pairs, out.min, out.max, histogram::FINE_BUCKETS)).into();
            }
        }
        out
    }
}

/// The sketched form of exact counts.
fn spill(counts: &NumberCounts) -> Distribution {
    let (mut grid, mut sketch) = (Grid::default(), QuantileSketch::default());
    let pairs = counts.sorted();
    debug_assert!(pairs.len() <= DISTINCT_NUMBERS_MAX);
    for (value, count) in pairs {
        grid.add(value, count);
        sketch.add(value, count as f64);
    }
    Distribution::Sketched { grid, sketch }
}
