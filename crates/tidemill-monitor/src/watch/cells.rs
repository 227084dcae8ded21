//! The cells in which a monitor counts the values of a column.
//!
//! They are made of the reference once and stay the same for all windows of a version, so that counts are exact, small
//! and add up.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde::{Deserialize, Serialize};

/// Cells of numbers, about.
const NUMBERS: usize = 20;
/// Most values of text with a cell of their own.
const TEXTS: usize = 50;

/// How values fall into cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cells {
    /// The cell of a number is the count of edges below it: the first reaches to the first edge, including it.
    Numbers {
        /// Rising.
        edges: Vec<f64>,
        /// The least and the greatest number of the reference.
        extent: [f64; 2],
    },
    /// A cell for each of these values, and one for all others.
    Texts {
        /// The most frequent first.
        values: Vec<String>,
        /// The reference has no other value.
        all: bool,
    },
    /// False, true.
    Booleans,
    /// Values that are only counted as present or missing.
    Opaque,
}

impl Cells {
    /// Cells with about as many of these numbers each. A number that many rows have gets a cell of its own.
    pub fn of_numbers(mut values: Vec<f64>) -> Self {
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        let extent = [values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0)];
        let full = values.len() as f64 / NUMBERS as f64;
        let (mut edges, mut open): (Vec<f64>, usize) = (Vec::new(), 0);
        for run in values.chunk_by(|a, b| a == b) {
            let value = run[0];
            if run.len() as f64 >= full {
                if open > 0 {
                    edges.push(value.next_down());
                }
                edges.push(value);
                open = 0;
                continue;
            }
            open += run.len();
            if open as f64 >= full {
                edges.push(value);
                open = 0;
            }
        }
        // Nothing of the reference is above the last edge: what is there gets a cell all the same.
        edges.dedup();
        Self::Numbers { edges, extent }
    }

    /// A cell for each of the most frequent values.
    pub fn of_texts(counts: HashMap<String, u64>) -> Self {
        let mut counted: Vec<(String, u64)> = counts.into_iter().collect();
        counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let all = counted.len() <= TEXTS;
        counted.truncate(TEXTS);
        Self::Texts { values: counted.into_iter().map(|(value, _)| value).collect(), all }
    }

    /// How many cells there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Numbers { edges, .. } => edges.len() + 1,
            Self::Texts { values, .. } => values.len() + 1,
            Self::Booleans => 2,
            Self::Opaque => 0,
        }
    }

    /// The cell of the value of a row; `None` if it has none.
    pub fn cell_of(&self, array: &dyn Array, row: usize) -> Option<usize> {
        if array.is_null(row) {
            return None;
        }
        match (self, array.data_type()) {
            (Self::Numbers { edges, .. }, DataType::Float64) => {
                let value = array.as_primitive::<Float64Type>().value(row);
                value.is_finite().then(|| edges.partition_point(|edge| *edge < value))
            }
            (Self::Numbers { edges, .. }, DataType::Int64) => {
                let value = array.as_primitive::<Int64Type>().value(row) as f64;
                Some(edges.partition_point(|edge| *edge < value))
            }
            (Self::Texts { values, .. }, DataType::Utf8) => {
                let value = array.as_string::<i32>().value(row);
                Some(values.iter().position(|known| known == value).unwrap_or(values.len()))
            }
            (Self::Booleans, DataType::Boolean) => Some(usize::from(array.as_boolean().value(row))),
            _ => None,
        }
    }

    /// The name of a cell: `12.5 to 14`, `Cash`.
    pub fn name(&self, cell: usize) -> String {
        match self {
            Self::Numbers { edges, .. } => {
                match (cell.checked_sub(1).and_then(|below| edges.get(below)), edges.get(cell)) {
                    (None, Some(high)) => format!("up to {}", short(*high)),
                    (Some(low), Some(high)) if low.next_up() == *high || low == high => short(*high),
                    (Some(low), Some(high)) => format!("{} to {}", short(*low), short(*high)),
                    (Some(low), None) => format!("above {}", short(*low)),
                    (None, None) => "all".to_owned(),
                }
            }
            Self::Texts { values, .. } => values.get(cell).cloned().unwrap_or_else(|| "other values".to_owned()),
            Self::Booleans => if cell == 0 { "false" } else { "true" }.to_owned(),
            Self::Opaque => String::new(),
        }
    }
}

/// A number with four digits that count.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_numbers_have_cells_of_their_own_and_others_share() {
        let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
        values.extend(std::iter::repeat_n(500.5, 1000));
        let cells = Cells::of_numbers(values);
        let Cells::Numbers { edges, extent } = &cells else { panic!("{cells:?}") };
        assert_eq!(*extent, [0.0, 999.0]);
        assert!(edges.is_sorted() && edges.len() > 10 && edges.len() < 24, "{edges:?}");
        let at = edges.iter().position(|edge| *edge == 500.5).unwrap();
        assert_eq!(cells.name(at), "500.5");
        assert_eq!(Cells::of_numbers(Vec::new()).count(), 1);
        assert_eq!(Cells::of_numbers(vec![3.0; 9]).count(), 2);
    }

    #[test]
    fn frequent_texts_have_cells_and_the_rest_is_one() {
        let counts = (0..60).map(|n| (format!("v{n}"), 100 - n)).collect();
        let cells = Cells::of_texts(counts);
        assert_eq!((cells.count(), cells.name(0), cells.name(50)), (51, "v0".into(), "other values".into()));
        assert!(matches!(cells, Cells::Texts { all: false, .. }));
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(0.0, "0"), (12.5, "12.5"), (1234.56, "1235"), (0.000_123_45, "0.0001234"), (-3.0, "-3")]
        {
            assert_eq!(short(value), text);
        }
    }
}
