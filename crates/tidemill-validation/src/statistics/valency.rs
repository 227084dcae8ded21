//! How many values the examples of a list have.

use arrow::array::{Array, ArrayRef, ListArray, UInt64Array};
use tidemill_core::ValencyStatistics;

use super::numeric::NumericAccumulator;
use super::state::stored;

/// Accumulates the lengths of lists; null lists have none.
#[derive(Debug, Clone, Default)]
pub(crate) struct ValencyAccumulator {
    lengths: NumericAccumulator,
    empty: u64,
    nulls: u64,
    total: u64,
    shortest: Option<u64>,
    longest: u64,
}

stored!(ValencyAccumulator { lengths, empty, nulls, total, shortest, longest });

impl ValencyAccumulator {
    /// Takes in the lengths of `lists`; `nulls` of their values are null.
    pub fn update(&mut self, lists: &ListArray, nulls: u64) {
        let offsets = lists.value_offsets();
        let present = (0..lists.len()).filter(|row| lists.is_valid(*row));
        let lengths: Vec<f64> = present.map(|row| f64::from(offsets[row + 1] - offsets[row])).collect();
        for length in &lengths {
            let length = *length as u64;
            self.total += length;
            self.empty += u64::from(length == 0);
            self.shortest = Some(self.shortest.map_or(length, |shortest| shortest.min(length)));
            self.longest = self.longest.max(length);
        }
        self.nulls += nulls;
        self.lengths.update(&lengths);
    }

    /// Takes in what another accumulator has seen.
    pub fn merge(&mut self, other: &Self) {
        self.lengths.merge(&other.lengths);
        self.empty += other.empty;
        self.nulls += other.nulls;
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
        self.shortest = match (self.shortest, other.shortest) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.lengths.memory()
    }

    /// Fewest and most values of a list, and values altogether.
    pub fn extent(&self) -> (u64, u64, u64) {
        (self.shortest.unwrap_or(0), self.longest, self.total)
    }

    pub fn finish(&self) -> ValencyStatistics {
        let num_values = self.lengths.finish().quantiles;
        ValencyStatistics { num_empty: self.empty, num_null_values: self.nulls, num_values }
    }
}

/// The values of all lists one after the other, and of each value the row of its list.
///
/// What lies under a null list is not part of it.
pub(crate) fn flattened(lists: &ListArray, rows_wanted: bool) -> (ArrayRef, Vec<u32>) {
    let offsets = lists.value_offsets();
    let hidden =
        lists.null_count() > 0 && (0..lists.len()).any(|row| lists.is_null(row) && offsets[row] < offsets[row + 1]);
    let mut rows = Vec::new();
    if rows_wanted || hidden {
        for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
            rows.extend(std::iter::repeat_n(row as u32, (offsets[row + 1] - offsets[row]) as usize));
        }
    }
    if !hidden {
        let (start, end) = (offsets[0] as usize, offsets[lists.len()] as usize);
        return (lists.values().slice(start, end - start), rows);
    }
    let shown = (0..lists.len()).filter(|row| lists.is_valid(*row));
    let indices: UInt64Array =
        shown.flat_map(|row| offsets[row]..offsets[row + 1]).map(|index| Some(index as u64)).collect();
    let values = arrow::compute::take(lists.values(), &indices, None);
    (values.unwrap_or_else(|_| lists.values().slice(0, 0)), rows)
}
