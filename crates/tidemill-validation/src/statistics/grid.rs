//! Exact counts of numbers in cells of equal width, whatever their range turns out to be.

use super::state::{Input, StateError, Stored};

/// Cells at most. An inner edge of a ten-bucket histogram moves by no more than 1/400 of a bucket.
const CELLS_MAX: i64 = 4096;
/// Indexes of cells stay below 2 to this power, so that they are exact in a float.
const INDEX_BITS: i32 = 52;

/// Counts in cells `[i · 2^e, (i + 1) · 2^e)`.
///
/// The width is always the smallest power of two that covers the range seen so far in at most 4,096 cells. When the range
/// grows, neighbouring cells are joined in pairs, which loses nothing: the state depends only on the set of
/// values, so merging is exact, associative and commutative.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Grid {
    exponent: i32,
    /// Index of the first cell.
    first: i64,
    cells: Vec<u64>,
    range: Option<(f64, f64)>,
}

impl Grid {
    /// Counts `values`, all finite and within `min` and `max`.
    pub fn add_all(&mut self, values: &[f64], min: f64, max: f64) {
        if values.is_empty() {
            return;
        }
        self.cover(min, max);
        let scale = power_of_two(-self.exponent);
        for value in values {
            // Scaling by a power of two is exact, so `floor` puts the value into the right cell.
            let index = ((value * scale).floor() as i64 - self.first) as usize;
            self.cells[index] += 1;
        }
    }

    /// Counts one value `count` times.
    pub fn add(&mut self, value: f64, count: u64) {
        self.cover(value, value);
        let index = self.index(value) - self.first;
        self.cells[index as usize] += count;
    }

    /// Takes in the counts of another grid.
    pub fn merge(&mut self, other: &Self) {
        let Some((min, max)) = other.range else { return };
        self.cover(min, max);
        let shift = self.exponent - other.exponent;
        for (offset, count) in other.cells.iter().enumerate().filter(|cell| *cell.1 > 0) {
            let index = shift_right(other.first + offset as i64, shift) - self.first;
            self.cells[index as usize] += count;
        }
    }

    fn index(&self, value: f64) -> i64 {
        (value * power_of_two(-self.exponent)).floor() as i64
    }

    /// Makes room for values from `min` to `max`.
    fn cover(&mut self, min: f64, max: f64) {
        let (low, high) = self.range.map_or((min, max), |range| (range.0.min(min), range.1.max(max)));
        if self.range == Some((low, high)) {
            return;
        }
        let exponent = exponent_for(low, high);
        let scale = power_of_two(-exponent);
        let first = (low * scale).floor() as i64;
        let last = (high * scale).floor() as i64;
        let mut cells = vec![0; (last - first + 1) as usize];
        let shift = exponent - self.exponent;
        for (offset, count) in self.cells.iter().enumerate().filter(|cell| *cell.1 > 0) {
            cells[(shift_right(self.first + offset as i64, shift) - first) as usize] += count;
        }
        *self = Self { exponent, first, cells, range: Some((low, high)) };
    }

    /// The inner edge of the grid nearest to `x`, strictly inside the range, if there is one.
    pub fn snap(&self, x: f64) -> f64 {
        (x * power_of_two(-self.exponent)).round() * power_of_two(self.exponent)
    }

    /// How many values lie below `edge`, which must be a line of the grid.
    pub fn count_below(&self, edge: f64) -> u64 {
        let upto = (self.index(edge) - self.first).clamp(0, self.cells.len() as i64);
        self.cells[..upto as usize].iter().sum()
    }

    /// Smallest and largest value.
    pub fn range(&self) -> Option<(f64, f64)> {
        self.range
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<u64>()
    }

    /// All values.
    pub fn total(&self) -> u64 {
        self.cells.iter().sum()
    }
}

/// The range and the counts: where cells lie follows from the range.
impl Stored for Grid {
    fn store(&self, out: &mut Vec<u8>) {
        self.range.store(out);
        self.cells.store(out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let mut grid = Self::default();
        let range = Option::<(f64, f64)>::load(input)?;
        let cells = Vec::<u64>::load(input)?;
        if let Some((low, high)) = range {
            let sound = low.is_finite() && high.is_finite() && low <= high;
            input.expect(sound, "the range of a grid is out of order")?;
            grid.cover(low, high);
        }
        input.expect(grid.cells.len() == cells.len(), "a grid has another number of cells than its range")?;
        grid.cells = cells;
        Ok(grid)
    }
}

fn shift_right(index: i64, by: i32) -> i64 {
    index >> by.clamp(0, 63)
}

/// `2^exponent` for exponents of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023).clamp(1, 2046) as u64) << 52)
}

/// The smallest exponent whose cells cover `low` to `high`; it never shrinks when the range grows.
fn exponent_for(low: f64, high: f64) -> i32 {
    let largest = low.abs().max(high.abs());
    let magnitude = if largest == 0.0 { -1000 } else { exponent_of(largest) };
    let mut exponent = (magnitude - INDEX_BITS).clamp(-1000, 1000);
    // Half of the difference of the halves cannot overflow.
    let span = high / 2.0 - low / 2.0;
    if span > 0.0 {
        exponent = exponent.max(exponent_of(span) - 11).clamp(-1000, 1011);
    }
    loop {
        let scale = power_of_two(-exponent);
        if (high * scale).floor() - (low * scale).floor() < CELLS_MAX as f64 {
            return exponent;
        }
        exponent += 1;
    }
}

/// The binary exponent of a positive number.
fn exponent_of(x: f64) -> i32 {
    ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(values: &[f64]) -> Grid {
        let mut grid = Grid::default();
        for value in values {
            grid.add(*value, 1);
        }
        grid
    }

    fn block(values: &[f64]) -> Grid {
        let mut grid = Grid::default();
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        grid.add_all(values, min, max);
        grid
    }

    fn finite() -> impl Strategy<Value = f64> {
        prop_oneof![
            Just(0.0),
            Just(f64::MAX),
            Just(f64::MIN),
            Just(5e-324),
            -1e3..1e3,
            proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL,
        ]
    }

    proptest! {
        #[test]
        fn merging_is_exact(a in prop::collection::vec(finite(), 0..40), b in prop::collection::vec(finite(), 0..40)) {
            let whole = grid(&[a.clone(), b.clone()].concat());
            let (mut left, mut right) = (grid(&a), grid(&b));
            let first = left.clone();
            left.merge(&right);
            right.merge(&first);
            prop_assert_eq!(&left, &whole);
            prop_assert_eq!(&right, &whole);
            prop_assert_eq!(block(&[a, b].concat()), whole);
        }

        #[test]
        fn counts_below_a_line_are_exact(values in prop::collection::vec(-50.0..50.0f64, 1..200), at in -50.0..50.0f64) {
            let grid = grid(&values);
            let edge = grid.snap(at);
            prop_assert_eq!(grid.count_below(edge), values.iter().filter(|v| **v < edge).count() as u64);
            prop_assert_eq!(grid.total(), values.len() as u64);
        }
    }
}
