//! Divides the values of a column into a few bins for conditions.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::Condition;
use crate::slices::SliceValue;

/// The most bins of a column in the search.
const BINS_MAX: usize = 50;
/// Whole numbers with up to this many values get one bin per value, others get quantiles.
const WHOLE_VALUES_MAX: usize = 32;
/// Ranges that numbers are divided into.
const QUANTILES: usize = 10;
/// A column of text with more values than this identifies rows rather than describing them.
const TEXTS_MAX: usize = 10_000;

/// One bin.
#[derive(Debug, Clone, PartialEq)]
enum Bin {
    /// One value.
    Value(SliceValue),
    /// Numbers from this on, up to where the next bin begins.
    From(f64),
    /// Values too rare for bins of their own.
    Rare,
}

/// A column divided into bins.
#[derive(Debug, Clone, PartialEq)]
pub struct FinderColumn {
    /// The column's name.
    pub name: String,
    bins: Vec<Bin>,
    /// How many bins at the front are in numeric order.
    ordered: usize,
    codes: Vec<u8>,
}

/// Some neighbouring bins: `low..high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BinRange {
    pub low: u8,
    pub high: u8,
}

impl BinRange {
    pub fn contains(self, code: u8) -> bool {
        self.low <= code && code < self.high
    }

    pub fn is_within(self, other: Self) -> bool {
        other.low <= self.low && self.high <= other.high
    }
}

impl FinderColumn {
    /// The value of row `row` of the sample, if its bin has one value and is not a range.
    pub fn value(&self, row: usize) -> Option<&SliceValue> {
        match &self.bins[self.codes[row] as usize] {
            Bin::Value(value) => Some(value),
            Bin::From(_) | Bin::Rare => None,
        }
    }

    pub(super) fn codes(&self) -> &[u8] {
        &self.codes
    }

    pub(super) fn width(&self) -> usize {
        self.bins.len()
    }

    /// All rows.
    pub(super) fn all_bins(&self) -> BinRange {
        BinRange { low: 0, high: self.bins.len() as u8 }
    }

    /// Every condition that the search tries on this column: each bin, and for numbers also everything below or from
    /// some bin on.
    pub(super) fn bin_ranges(&self) -> Vec<BinRange> {
        let single = (0..self.bins.len())
            .filter(|bin| self.bins[*bin] != Bin::Rare)
            .map(|bin| BinRange { low: bin as u8, high: bin as u8 + 1 });
        let end = self.ordered as u8;
        let below = (2..end).map(|high| BinRange { low: 0, high });
        let from = (1..end.saturating_sub(1)).map(move |low| BinRange { low, high: end });
        single.chain(below).chain(from).collect()
    }

    pub(super) fn condition(&self, literal: BinRange) -> Condition {
        let (low, high) = (literal.low as usize, literal.high as usize);
        let column = self.name.clone();
        if let (1, Bin::Value(value)) = (high - low, &self.bins[low]) {
            return Condition::Equals { column, equals: value.clone() };
        }
        let edge = |bin: usize| match self.bins.get(bin) {
            Some(Bin::From(edge)) => Some(*edge),
            Some(Bin::Value(SliceValue::Int(value))) => Some(*value as f64),
            _ => None,
        };
        Condition::Range {
            column,
            at_least: if low == 0 { None } else { edge(low) },
            below: if high >= self.ordered { None } else { edge(high) },
        }
    }
}

#[derive(Debug)]
enum Cells {
    Numbers { values: Vec<f64>, whole: bool },
    Categories { names: Vec<SliceValue>, texts: HashMap<String, u32>, codes: Vec<u32> },
}

/// Collects the sampled cells of a column, batch by batch.
#[derive(Debug)]
pub struct FinderColumnBuilder {
    name: String,
    cells: Option<Cells>,
}

/// The first codes of every column of categories.
const MISSING: u32 = 0;
const FALSE: u32 = 1;
const TRUE: u32 = 2;

impl FinderColumnBuilder {
    /// An empty column of type `kind`.
    pub fn new(name: impl Into<String>, kind: &DataType) -> Self {
        let cells = match kind {
            DataType::Int64 => Some(Cells::Numbers { values: Vec::new(), whole: true }),
            DataType::Float64 => Some(Cells::Numbers { values: Vec::new(), whole: false }),
            DataType::Utf8 | DataType::Boolean => Some(Cells::Categories {
                names: vec![SliceValue::Missing, SliceValue::Bool(false), SliceValue::Bool(true)],
                texts: HashMap::new(),
                codes: Vec::new(),
            }),
            _ => None,
        };
        Self { name: name.into(), cells }
    }

    /// Adds the cells of `rows` (positions in the batch).
    pub fn push(&mut self, array: &ArrayRef, rows: &[usize]) {
        match (&mut self.cells, array.data_type()) {
            (Some(Cells::Numbers { values, .. }), DataType::Int64) => {
                let array = array.as_primitive::<Int64Type>();
                values.extend(rows.iter().map(
                    |row| {
                        if array.is_null(*row) { f64::NAN } else { array.value(*row) as f64 }
                    },
                ));
            }
            (Some(Cells::Numbers { values, .. }), DataType::Float64) => {
                let array = array.as_primitive::<Float64Type>();
                values.extend(rows.iter().map(|row| if array.is_null(*row) { f64::NAN } else { array.value(*row) }));
            }
            (Some(Cells::Categories { codes, .. }), DataType::Boolean) => {
                let array = array.as_boolean();
                codes.extend(rows.iter().map(|row| match (array.is_null(*row), array.value(*row)) {
                    (true, _) => MISSING,
                    (false, false) => FALSE,
                    (false, true) => TRUE,
                }));
            }
            (Some(Cells::Categories { names, texts, codes }), DataType::Utf8) => {
                let array = array.as_string::<i32>();
                for &row in rows {
                    if array.is_null(row) {
                        codes.push(MISSING);
                        continue;
                    }
                    let text = array.value(row);
                    let code = texts.get(text).copied().unwrap_or_else(|| {
                        let code = names.len() as u32;
                        names.push(SliceValue::Text(text.to_owned()));
                        texts.insert(text.to_owned(), code);
                        code
                    });
                    codes.push(code);
                }
                if names.len() > TEXTS_MAX {
                    self.cells = None;
                }
            }
            _ => self.cells = None,
        }
    }

    /// The binned column, or `None` if it is not searchable: one value only, or too many.
    pub fn finish(self) -> Option<FinderColumn> {
        let column = match self.cells? {
            Cells::Numbers { values, whole } => numbers(self.name, &values, whole),
            Cells::Categories { names, codes, .. } => categories(self.name, names, &codes),
        };
        (column.bins.len() > 1).then_some(column)
    }
}

fn numbers(name: String, values: &[f64], whole: bool) -> FinderColumn {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let missing = sorted.len() < values.len();
    let mut distinct: Vec<f64> = sorted.clone();
    distinct.dedup();
    // The start of each bin; the first one includes everything below the second.
    let (edges, mut bins): (Vec<f64>, Vec<Bin>) = if whole && distinct.len() <= WHOLE_VALUES_MAX {
        let bins = distinct.iter().map(|value| Bin::Value(SliceValue::Int(*value as i64))).collect();
        (distinct, bins)
    } else {
        let mut edges: Vec<f64> =
            (0..QUANTILES).filter_map(|q| sorted.get(q * sorted.len() / QUANTILES).copied()).collect();
        edges.dedup();
        let bins = edges.iter().map(|edge| Bin::From(*edge)).collect();
        (edges, bins)
    };
    let ordered = bins.len();
    if missing {
        bins.push(Bin::Value(SliceValue::Missing));
    }
    let code = |value: &f64| {
        if value.is_nan() { ordered } else { edges.partition_point(|edge| edge <= value).saturating_sub(1) }
    };
    let codes = values.iter().map(|value| code(value) as u8).collect();
    FinderColumn { name, bins, ordered, codes }
}

fn categories(name: String, names: Vec<SliceValue>, codes: &[u32]) -> FinderColumn {
    let mut counts = vec![0_u64; names.len()];
    for code in codes {
        counts[*code as usize] += 1;
    }
    let mut order: Vec<usize> = (0..names.len()).filter(|code| counts[*code] > 0).collect();
    // The most frequent first; among equals by value, so that nothing depends on the order of rows.
    order.sort_by(|a, b| counts[*b].cmp(&counts[*a]).then_with(|| names[*a].cmp(&names[*b])));
    let kept = order.len().min(BINS_MAX);
    let mut bins: Vec<Bin> = order[..kept].iter().map(|code| Bin::Value(names[*code].clone())).collect();
    if order.len() > kept {
        bins.push(Bin::Rare);
    }
    let mut rank = vec![kept as u8; names.len()];
    for (position, code) in order[..kept].iter().enumerate() {
        rank[*code] = position as u8;
    }
    let codes = codes.iter().map(|code| rank[*code as usize]).collect();
    FinderColumn { name, bins, ordered: 0, codes }
}
