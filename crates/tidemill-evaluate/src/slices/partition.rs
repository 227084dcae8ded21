//! Divides sorted rows among the slices of a family.

use std::collections::HashMap;

use super::{KeyColumn, SLICE_VALUES_MAX, SliceKey, SliceSpec, SliceTerm};
use crate::EvaluateError;

/// A crossing up to this wide is counted in a table, a wider one in a hash map.
const TABLE_MAX: u64 = 1 << 20;

/// No slice: the row has a value that the specification leaves out.
const NONE: u32 = u32::MAX;

/// The slice of each row, within one family.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// The slices, by the values of their columns, ascending.
    pub keys: Vec<SliceKey>,
    /// For each row of the data the index of its slice in `keys`, or `u32::MAX` for none.
    codes: Vec<u32>,
}

impl Partition {
    /// Positions of each slice's rows in a sorted order, given as row ids. Ascending within each slice.
    pub fn positions(&self, order: impl ExactSizeIterator<Item = u32> + Clone) -> SlicePositions {
        let mut starts = vec![0_u32; self.keys.len() + 1];
        for &code in self.codes.iter().filter(|code| **code != NONE) {
            starts[code as usize + 1] += 1;
        }
        for slice in 1..starts.len() {
            starts[slice] += starts[slice - 1];
        }
        let mut next = starts.clone();
        let mut positions = vec![0; starts[self.keys.len()] as usize];
        for (position, id) in order.enumerate() {
            let code = self.codes[id as usize];
            if code != NONE {
                positions[next[code as usize] as usize] = position as u32;
                next[code as usize] += 1;
            }
        }
        SlicePositions { starts, positions }
    }
}

/// Positions of rows in a sorted order, slice by slice.
#[derive(Debug, Clone, PartialEq)]
pub struct SlicePositions {
    starts: Vec<u32>,
    positions: Vec<u32>,
}

impl SlicePositions {
    /// The positions of the rows of slice number `slice`, ascending.
    pub fn of(&self, slice: usize) -> &[u32] {
        &self.positions[self.starts[slice] as usize..self.starts[slice + 1] as usize]
    }
}

/// Divides `rows` rows among the slices of `spec`. `columns` contains every column that `spec` names.
///
/// Only crossings that occur become slices. More than [`SLICE_VALUES_MAX`] of them is an error.
pub fn partition(spec: &SliceSpec, columns: &[KeyColumn], rows: usize) -> Result<Partition, EvaluateError> {
    let mut keys = vec![SliceKey::overall()];
    let mut codes = vec![0_u32; rows];
    for name in &spec.columns {
        let Some(column) = columns.iter().find(|column| column.name == *name) else {
            return Err(EvaluateError::ColumnNotFound { column: name.clone(), place: "slices", nearest: None });
        };
        let kept: Vec<bool> = column.values.iter().map(|value| spec.keeps(name, value)).collect();
        let width = column.values.len() as u64;
        let crossings = cross(&mut codes, column, &kept, keys.len() as u64 * width);
        if crossings.len() > SLICE_VALUES_MAX {
            return Err(EvaluateError::TooManySlices { columns: spec.columns.join(", "), limit: SLICE_VALUES_MAX });
        }
        keys = crossings
            .iter()
            .map(|crossing| {
                let term =
                    SliceTerm { column: name.clone(), value: column.values[(crossing % width) as usize].clone() };
                SliceKey::new(keys[(crossing / width) as usize].terms().iter().cloned().chain([term]))
            })
            .collect();
    }
    Ok(Partition { keys, codes })
}

/// Crosses `codes` with a column in place and returns the occurring crossings, ascending, each as `old code * width +
/// column code`; the new codes are indexes into them.
fn cross(codes: &mut [u32], column: &KeyColumn, kept: &[bool], combinations: u64) -> Vec<u64> {
    let width = kept.len() as u64;
    let crossing =
        |old: u32, new: u32| (old != NONE && kept[new as usize]).then(|| u64::from(old) * width + u64::from(new));
    let pairs = || codes.iter().zip(&column.codes).filter_map(|(old, new)| crossing(*old, *new));
    if combinations <= TABLE_MAX {
        let mut ranks = vec![NONE; combinations as usize];
        for found in pairs() {
            ranks[found as usize] = 0;
        }
        let occurring: Vec<u64> = (0..combinations).filter(|c| ranks[*c as usize] == 0).collect();
        for (rank, found) in occurring.iter().enumerate() {
            ranks[*found as usize] = rank as u32;
        }
        for (old, new) in codes.iter_mut().zip(&column.codes) {
            *old = crossing(*old, *new).map_or(NONE, |found| ranks[found as usize]);
        }
        return occurring;
    }
    let mut ranks: HashMap<u64, u32> = HashMap::new();
    for found in pairs() {
        ranks.insert(found, 0);
    }
    let mut occurring: Vec<u64> = ranks.keys().copied().collect();
    occurring.sort_unstable();
    for (rank, found) in occurring.iter().enumerate() {
        ranks.insert(*found, rank as u32);
    }
    for (old, new) in codes.iter_mut().zip(&column.codes) {
        *old = crossing(*old, *new).map_or(NONE, |found| ranks[&found]);
    }
    occurring
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slices::SliceValue;

    fn column(name: &str, width: i64, codes: Vec<u32>) -> KeyColumn {
        KeyColumn { name: name.into(), values: (0..width).map(SliceValue::Int).collect(), codes }
    }

    #[test]
    fn crossings_that_occur_become_slices_and_hold_each_row_once() {
        let columns = [column("a", 2, vec![0, 1, 0, 1, 0]), column("b", 3, vec![2, 0, 2, 0, 1])];
        let split = partition(&SliceSpec::over(["a", "b"]), &columns, 5).unwrap();
        let names: Vec<String> = split.keys.iter().map(SliceKey::to_string).collect();
        assert_eq!(names, ["a=0, b=1", "a=0, b=2", "a=1, b=0"]);
        // Rows sorted in reverse: position 0 holds row 4.
        let positions = split.positions((0..5_u32).rev());
        assert_eq!(positions.of(0), [0]);
        assert_eq!(positions.of(1), [2, 4]);
        assert_eq!(positions.of(2), [1, 3]);
    }

    #[test]
    fn wide_crossings_agree_with_narrow_ones() {
        let codes = |m: u32| (0..4_000_u32).map(|i| (i * 7919) % m).collect::<Vec<_>>();
        let narrow = [column("a", 30, codes(30)), column("b", 40, codes(40))];
        let wide = [column("a", 1_500, codes(30)), column("b", 1_500, codes(40))];
        let spec = SliceSpec::over(["a", "b"]);
        assert_eq!(partition(&spec, &narrow, 4_000).unwrap(), partition(&spec, &wide, 4_000).unwrap());
    }

    #[test]
    fn values_left_out_take_their_rows_with_them() {
        let columns = [column("a", 3, vec![0, 1, 2, 1])];
        let spec = SliceSpec { values: [("a".into(), vec![SliceValue::Int(1)])].into(), ..SliceSpec::over(["a"]) };
        let split = partition(&spec, &columns, 4).unwrap();
        assert_eq!(split.keys.len(), 1);
        assert_eq!(split.positions(0..4_u32).of(0), [1, 3]);
    }
}
