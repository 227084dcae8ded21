//! Numbers of groups: rows with the same value in a column have the same number.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

/// Numbers of groups by their values, in the order in which these come, from 0.
#[derive(Debug, Default)]
pub struct GroupNumbers {
    by_number: HashMap<i64, u32>,
    by_text: HashMap<String, u32>,
}

/// Why the rows of a column are not of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProblem {
    /// A row, from 0, has no value.
    Missing(usize),
    /// The values have no text.
    Type,
}

impl GroupNumbers {
    /// The numbers of the groups of the next rows, by a column of any type whose values have a text.
    pub fn of(&mut self, column: &ArrayRef) -> Result<Vec<u32>, GroupProblem> {
        if let Some(row) = (0..column.len()).find(|row| column.is_null(*row)) {
            return Err(GroupProblem::Missing(row));
        }
        if *column.data_type() == DataType::Int64 {
            let values = column.as_primitive::<Int64Type>().values().iter();
            return Ok(values.map(|value| next(&mut self.by_number, value, |value| *value)).collect());
        }
        let texts = cast(column, &DataType::Utf8).map_err(|_| GroupProblem::Type)?;
        let texts = texts.as_string::<i32>().iter().flatten();
        Ok(texts.map(|text| next(&mut self.by_text, text, str::to_owned)).collect())
    }
}

/// The number of `value`, a new one if it has none.
fn next<K: Borrow<Q> + Hash + Eq, Q: Hash + Eq + ?Sized>(
    numbers: &mut HashMap<K, u32>,
    value: &Q,
    owned: impl FnOnce(&Q) -> K,
) -> u32 {
    if let Some(number) = numbers.get(value) {
        return *number;
    }
    let number = numbers.len() as u32;
    numbers.insert(owned(value), number);
    number
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Int64Array, StringArray};

    use super::*;

    #[test]
    fn equal_values_have_one_number_over_all_batches() {
        let mut groups = GroupNumbers::default();
        let column = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        assert_eq!(groups.of(&column(&["b", "a", "b"])), Ok(vec![0, 1, 0]));
        assert_eq!(groups.of(&column(&["c", "a"])), Ok(vec![2, 1]));
        let mut groups = GroupNumbers::default();
        assert_eq!(groups.of(&(Arc::new(Int64Array::from(vec![7, -1, 7])) as ArrayRef)), Ok(vec![0, 1, 0]));
        let missing = Arc::new(BooleanArray::from(vec![Some(true), None])) as ArrayRef;
        assert_eq!(groups.of(&missing), Err(GroupProblem::Missing(1)));
    }
}
