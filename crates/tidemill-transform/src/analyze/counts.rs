//! How often each value occurs, exactly.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use tidemill_model::{Keys, Scalar};
use tidemill_validation::{StateError, StateInput, Stored, stored};

use super::merge::{Merge, merge_maps};
use super::{DISTINCT_MAX, select_texts, select_wholes};
use crate::steps::Choice;

/// How often each value of a raw column of text or whole numbers occurs.
#[derive(Debug)]
pub(crate) struct KeyCounts {
    keys: KeyMap,
    missing: u64,
}

#[derive(Debug)]
enum KeyMap {
    Text(HashMap<Box<str>, u64>),
    Int(HashMap<i64, u64>),
}

/// Too many different values.
#[derive(Debug)]
pub(crate) struct TooMany;

impl KeyCounts {
    /// For text.
    pub(crate) fn text() -> Self {
        Self { keys: KeyMap::Text(HashMap::new()), missing: 0 }
    }

    /// For whole numbers.
    pub(crate) fn integers() -> Self {
        Self { keys: KeyMap::Int(HashMap::new()), missing: 0 }
    }

    /// Takes in a column.
    pub(crate) fn update(&mut self, column: &ArrayRef) -> Result<(), TooMany> {
        self.missing += column.null_count() as u64;
        match (&mut self.keys, column.data_type()) {
            (KeyMap::Text(counts), DataType::Utf8) => {
                for value in column.as_string::<i32>().iter().flatten() {
                    match counts.get_mut(value) {
                        Some(count) => *count += 1,
                        None => {
                            counts.insert(value.into(), 1);
                        }
                    }
                }
            }
            (KeyMap::Int(counts), DataType::Int64) => {
                for value in column.as_primitive::<Int64Type>().iter().flatten() {
                    *counts.entry(value).or_default() += 1;
                }
            }
            _ => {}
        }
        if self.distinct() as u64 > DISTINCT_MAX { Err(TooMany) } else { Ok(()) }
    }

    /// How many different values there are.
    pub(crate) fn distinct(&self) -> usize {
        match &self.keys {
            KeyMap::Text(counts) => counts.len(),
            KeyMap::Int(counts) => counts.len(),
        }
    }

    /// Counts missing values as `value` from now on, as `impute` does.
    pub(crate) fn fill(&mut self, value: &Scalar) {
        let missing = std::mem::take(&mut self.missing);
        if missing > 0 {
            match (&mut self.keys, value) {
                (KeyMap::Text(counts), Scalar::Text(text)) => {
                    *counts.entry(text.as_str().into()).or_default() += missing;
                }
                (KeyMap::Int(counts), Scalar::Int(value)) => *counts.entry(*value).or_default() += missing,
                _ => {}
            }
        }
    }

    /// The most frequent value; of several the first in the order of [`vocabulary`](Self::vocabulary).
    pub(crate) fn most_frequent(&self) -> Option<Scalar> {
        match self.vocabulary(&Choice { top_k: Some(1), ..Choice::default() }).ok()? {
            Keys::Strings(values) => values.into_iter().next().map(Scalar::Text),
            Keys::Integers(values) => values.into_iter().next().map(Scalar::Int),
        }
    }

    /// The values of `choice`, by how often they occur.
    pub(crate) fn vocabulary(&self, choice: &Choice) -> Result<Keys, String> {
        match &self.keys {
            KeyMap::Text(counts) => {
                select_texts(counts.iter().map(|(key, n)| (key.to_string(), *n, *n as f64)).collect(), choice)
            }
            KeyMap::Int(counts) => select_wholes(counts.iter().map(|(key, n)| (*key, *n, *n as f64)).collect(), choice),
        }
    }

    /// Each value's share of all that are there, ascending by value.
    pub(crate) fn shares(&self) -> (Keys, Vec<f64>) {
        let keys = self.all();
        let count = |at: usize| match (&keys, &self.keys) {
            (Keys::Strings(keys), KeyMap::Text(counts)) => counts.get(keys[at].as_str()).copied().unwrap_or(0),
            (Keys::Integers(keys), KeyMap::Int(counts)) => counts.get(&keys[at]).copied().unwrap_or(0),
            _ => 0,
        };
        let counts: Vec<u64> = (0..keys.len()).map(count).collect();
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let shares = counts.into_iter().map(|count| count as f64 / total).collect();
        (keys, shares)
    }

    /// All values, ascending.
    pub(crate) fn all(&self) -> Keys {
        match &self.keys {
            KeyMap::Text(counts) => {
                let mut values: Vec<String> = counts.keys().map(ToString::to_string).collect();
                values.sort_unstable();
                Keys::Strings(values)
            }
            KeyMap::Int(counts) => {
                let mut values: Vec<i64> = counts.keys().copied().collect();
                values.sort_unstable();
                Keys::Integers(values)
            }
        }
    }
}

stored!(KeyCounts { keys, missing });
stored!(enum KeyMap { 0 Int(counts), 1 Text(counts) } else "keys are of an unknown kind");

impl Merge for KeyCounts {
    fn merge(&mut self, other: Self) {
        self.missing += other.missing;
        match (&mut self.keys, other.keys) {
            (KeyMap::Text(counts), KeyMap::Text(others)) => merge_maps(counts, others, |a, b| *a += b),
            (KeyMap::Int(counts), KeyMap::Int(others)) => merge_maps(counts, others, |a, b| *a += b),
            _ => {}
        }
    }
}

/// Numbers as such: what the map has for keys are their bits.
impl Stored for NumberCounts {
    fn store(&self, out: &mut Vec<u8>) {
        let mut counts: Vec<(u64, u64)> = self.0.iter().map(|(bits, count)| (*bits, *count)).collect();
        counts.sort_unstable();
        counts.into_iter().map(|(bits, count)| (f64::from_bits(bits), count)).collect::<Vec<_>>().store(out);
    }

    fn load(input: &mut StateInput<'_>) -> Result<Self, StateError> {
        let counts: Vec<(f64, u64)> = Stored::load(input)?;
        Ok(Self(counts.into_iter().map(|(number, count)| (number.to_bits(), count)).collect()))
    }
}

impl Merge for NumberCounts {
    fn merge(&mut self, other: Self) {
        merge_maps(&mut self.0, other.0, |a, b| *a += b);
    }
}

impl NumberCounts {
    /// How many different values there are.
    pub(crate) fn distinct(&self) -> usize {
        self.0.len()
    }
}

/// How often each number occurs.
#[derive(Debug, Default)]
pub(crate) struct NumberCounts(HashMap<u64, u64>);

impl NumberCounts {
    /// Takes in values; those that are not finite are skipped.
    pub(crate) fn update(&mut self, values: &[f64]) -> Result<(), TooMany> {
        for value in values.iter().copied().filter(|value| value.is_finite()) {
            *self.0.entry((value + 0.0).to_bits()).or_default() += 1;
        }
        if self.0.len() as u64 > DISTINCT_MAX { Err(TooMany) } else { Ok(()) }
    }

    /// The most frequent number, the smallest of several.
    pub(crate) fn most_frequent(&self) -> Option<f64> {
        let best = |a: (f64, u64), b: (f64, u64)| {
            if b.1 > a.1 || (b.1 == a.1 && b.0 < a.0) { b } else { a }
        };
        self.0.iter().map(|(bits, count)| (f64::from_bits(*bits), *count)).reduce(best).map(|(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn words() -> KeyCounts {
        let mut counts = KeyCounts::text();
        let column: ArrayRef =
            Arc::new(StringArray::from(vec![Some("b"), Some("a"), Some("c"), None, Some("c"), Some("")]));
        counts.update(&column).unwrap();
        counts
    }

    #[test]
    fn a_vocabulary_is_by_count_then_reverse_lexicographic() {
        let strings = |values: &[&str]| Keys::Strings(values.iter().map(ToString::to_string).collect());
        let vocabulary = |top_k, frequency_threshold| {
            words().vocabulary(&Choice { top_k, frequency_threshold, ..Choice::default() }).unwrap()
        };
        assert_eq!(vocabulary(None, None), strings(&["c", "b", "a", ""]));
        assert_eq!(vocabulary(Some(2), None), strings(&["c", "b"]));
        assert_eq!(vocabulary(None, Some(2)), strings(&["c"]));
        assert_eq!(words().all(), strings(&["", "a", "b", "c"]));
    }

    #[test]
    fn missing_values_count_as_what_they_are_filled_with() {
        let mut counts = words();
        counts.fill(&Scalar::Text("a".into()));
        let choice = Choice { top_k: Some(2), ..Choice::default() };
        assert_eq!(counts.vocabulary(&choice).unwrap(), Keys::Strings(vec!["c".into(), "a".into()]));
        let (_, shares) = counts.shares();
        assert_eq!(shares, [1.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0, 2.0 / 6.0]);
    }

    #[test]
    fn whole_numbers_tie_by_their_digits() {
        let mut counts = KeyCounts::integers();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![10, 9, 9, 10, 2]));
        counts.update(&column).unwrap();
        assert_eq!(counts.vocabulary(&Choice::default()).unwrap(), Keys::Integers(vec![9, 10, 2]));
        assert_eq!(counts.all(), Keys::Integers(vec![2, 9, 10]));
        assert_eq!(counts.most_frequent(), Some(Scalar::Int(9)));
    }

    #[test]
    fn the_most_frequent_number_is_the_smallest_of_several() {
        let mut counts = NumberCounts::default();
        counts.update(&[2.0, 1.0, f64::NAN, 1.0, 2.0, -0.0]).unwrap();
        assert_eq!(counts.most_frequent(), Some(1.0));
    }
}
