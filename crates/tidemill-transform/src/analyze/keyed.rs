//! Something for each value of a column.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use tidemill_model::Keys;
use tidemill_validation::{StateError, StateInput, Stored};

use super::merge::merge_maps;

/// Something for each value of a column of text or whole numbers, and for missing values.
#[derive(Debug)]
pub(crate) struct Keyed<V> {
    texts: HashMap<Box<str>, V>,
    wholes: HashMap<i64, V>,
    is_text: bool,
    pub(crate) missing: V,
    empty: V,
}

impl<V: Stored> Stored for Keyed<V> {
    fn store(&self, out: &mut Vec<u8>) {
        self.is_text.store(out);
        self.texts.store(out);
        self.wholes.store(out);
        self.missing.store(out);
        self.empty.store(out);
    }

    fn load(input: &mut StateInput<'_>) -> Result<Self, StateError> {
        Ok(Self {
            is_text: Stored::load(input)?,
            texts: Stored::load(input)?,
            wholes: Stored::load(input)?,
            missing: Stored::load(input)?,
            empty: Stored::load(input)?,
        })
    }
}

impl<V: Clone> Keyed<V> {
    /// Takes in what another saw of the rows that follow.
    pub(crate) fn merge_with(&mut self, other: Self, merge: impl Fn(&mut V, V)) {
        merge_maps(&mut self.texts, other.texts, &merge);
        merge_maps(&mut self.wholes, other.wholes, &merge);
        merge(&mut self.missing, other.missing);
    }

    /// For text, or for whole numbers; every value starts as `empty`.
    pub(crate) fn new(is_text: bool, empty: V) -> Self {
        Self { texts: HashMap::new(), wholes: HashMap::new(), is_text, missing: empty.clone(), empty }
    }

    /// Calls `see` for every row with what its value has; a column of another type is skipped.
    pub(crate) fn update(&mut self, column: &ArrayRef, mut see: impl FnMut(usize, &mut V)) {
        match column.data_type() {
            DataType::Utf8 if self.is_text => {
                for (row, value) in column.as_string::<i32>().iter().enumerate() {
                    match value {
                        None => see(row, &mut self.missing),
                        Some(value) => match self.texts.get_mut(value) {
                            Some(found) => see(row, found),
                            None => see(row, self.texts.entry(value.into()).or_insert(self.empty.clone())),
                        },
                    }
                }
            }
            DataType::Int64 if !self.is_text => {
                for (row, value) in column.as_primitive::<Int64Type>().iter().enumerate() {
                    match value {
                        None => see(row, &mut self.missing),
                        Some(value) => see(row, self.wholes.entry(value).or_insert_with(|| self.empty.clone())),
                    }
                }
            }
            _ => (0..column.len()).for_each(|row| see(row, &mut self.missing)),
        }
    }

    /// How many different values there are.
    pub(crate) fn len(&self) -> usize {
        self.texts.len() + self.wholes.len()
    }

    /// What each value has, by value ascending.
    pub(crate) fn sorted(&self) -> (Keys, Vec<&V>) {
        if self.is_text {
            let mut rows: Vec<_> = self.texts.iter().collect();
            rows.sort_unstable_by(|a, b| a.0.cmp(b.0));
            let (keys, values): (Vec<String>, Vec<&V>) = rows.into_iter().map(|(k, v)| (k.to_string(), v)).unzip();
            return (Keys::Strings(keys), values);
        }
        let mut rows: Vec<_> = self.wholes.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| **key);
        let (keys, values): (Vec<i64>, Vec<&V>) = rows.into_iter().map(|(k, v)| (*k, v)).unzip();
        (Keys::Integers(keys), values)
    }
}
