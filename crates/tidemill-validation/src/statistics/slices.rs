//! Which rows belong to which slice.

use std::collections::HashMap;
use std::fmt::Write as _;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Schema};
use tidemill_core::{SliceFamily, SliceStatistics};

use super::cross::value;
use super::text::TextAccumulator;
use super::weight::column;
use super::{DatasetAccumulator, StatisticsError, StatisticsOptions};

/// Slices of a family that have statistics of their own.
const SLICES_MAX: usize = 20;
/// Stand between the values of a key, and for one that is missing.
const BETWEEN: char = '\u{1f}';
const MISSING: char = '\u{1e}';

/// The first pass: how many rows each slice of a family has. Exact to 10,000 slices, sketched beyond.
#[derive(Debug)]
pub(super) struct SliceCounter {
    columns: Vec<String>,
    places: Vec<usize>,
    rows: u64,
    keys: TextAccumulator,
}

impl SliceCounter {
    /// Counts by `columns`, which must hold text, whole numbers, or true and false.
    pub fn new(schema: &Schema, columns: &[String]) -> Result<Self, StatisticsError> {
        let places = columns.iter().map(|name| place(schema, name)).collect::<Result<_, _>>()?;
        Ok(Self { columns: columns.to_vec(), places, rows: 0, keys: TextAccumulator::default() })
    }

    pub fn update(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        self.keys.update(&keys(batch, &self.places));
    }

    /// What to accumulate in the second pass, over rows of the columns of `schema`.
    pub fn plan(&self, schema: &Schema, options: &StatisticsOptions) -> Result<SlicePlan, StatisticsError> {
        let counted = self.keys.finish();
        let empty = DatasetAccumulator::with_options(schema, options)?;
        let keys: Vec<String> = counted.top_values.into_iter().take(SLICES_MAX).map(|top| top.value).collect();
        Ok(SlicePlan {
            columns: self.columns.clone(),
            places: self.columns.iter().map(|name| place(schema, name)).collect::<Result<_, _>>()?,
            rows: self.rows,
            num_slices: counted.unique,
            is_estimate: counted.unique_is_estimate,
            index: keys.iter().enumerate().map(|(at, key)| (key.clone(), at)).collect(),
            slices: keys.into_iter().map(|key| (key, empty.clone())).collect(),
        })
    }
}

/// The second pass: the statistics of the slices of the most rows.
#[derive(Debug)]
pub(super) struct SlicePlan {
    columns: Vec<String>,
    places: Vec<usize>,
    rows: u64,
    num_slices: u64,
    is_estimate: bool,
    index: HashMap<String, usize>,
    slices: Vec<(String, DatasetAccumulator)>,
}

impl SlicePlan {
    pub fn update(&mut self, batch: &RecordBatch) {
        let keys = keys(batch, &self.places);
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.slices.len()];
        for (row, key) in keys.iter().enumerate() {
            if let Some(slice) = key.and_then(|key| self.index.get(key)) {
                rows[*slice].push(row as u32);
            }
        }
        for ((_, accumulator), rows) in self.slices.iter_mut().zip(rows) {
            if rows.is_empty() {
                continue;
            }
            // The rows are those of the batch.
            if let Ok(part) = take_record_batch(batch, &UInt32Array::from(rows)) {
                accumulator.update(&part);
            }
        }
    }

    pub fn finish(&self) -> SliceFamily {
        let slices = self.slices.iter().map(|(key, accumulator)| {
            let values: Vec<Option<String>> =
                key.split(BETWEEN).map(|value| (!value.starts_with(MISSING)).then(|| value.to_owned())).collect();
            let mut name = String::new();
            for (column, value) in self.columns.iter().zip(&values) {
                let comma = if name.is_empty() { "" } else { ", " };
                let _ = write!(name, "{comma}{column}={}", value.as_deref().unwrap_or("missing"));
            }
            SliceStatistics { values, statistics: accumulator.finish(&name) }
        });
        let mut slices: Vec<SliceStatistics> = slices.collect();
        // Sketched counts may have ranked them in another order than their rows.
        slices.sort_by_key(|slice| std::cmp::Reverse(slice.statistics.num_examples));
        let shown: u64 = slices.iter().map(|slice| slice.statistics.num_examples).sum();
        SliceFamily {
            columns: self.columns.clone(),
            num_slices: self.num_slices,
            num_slices_is_estimate: self.is_estimate,
            num_examples_not_shown: self.rows - shown,
            slices,
        }
    }
}

fn place(schema: &Schema, name: &str) -> Result<usize, StatisticsError> {
    let index = column(schema, name)?;
    let data_type = schema.field(index).data_type();
    if matches!(data_type, DataType::Utf8 | DataType::Boolean | DataType::Int64 | DataType::Float64) {
        return Ok(index);
    }
    Err(StatisticsError::ColumnType {
        column: name.to_owned(),
        found: data_type.to_string(),
        expected: "slices need single values",
    })
}

/// The key of each row.
fn keys(batch: &RecordBatch, places: &[usize]) -> StringArray {
    let columns: Vec<&ArrayRef> = places.iter().map(|index| batch.column(*index)).collect();
    let mut key = String::new();
    let mut builder = arrow::array::StringBuilder::with_capacity(batch.num_rows(), batch.num_rows() * 8);
    for row in 0..batch.num_rows() {
        key.clear();
        for (at, array) in columns.iter().enumerate() {
            if at > 0 {
                key.push(BETWEEN);
            }
            match value(array, row) {
                Some(text) => key.push_str(&text),
                None => key.push(MISSING),
            }
        }
        builder.append_value(&key);
    }
    builder.finish()
}
