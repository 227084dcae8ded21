//! What the order and the repetitions of values say about a table.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use tidemill_core::Failure;
use tidemill_core::calendar::Moment;
use tidemill_data::Table;

use super::LabelDraft;

/// Different values of a column that are counted.
const COUNTED_MAX: usize = 1 << 20;
/// A column of at most so many values is worth slicing by.
const SLICE_VALUES_MAX: usize = 10;

/// What is known of the columns of text and whole numbers.
#[derive(Debug)]
pub(super) struct ColumnFacts {
    pub(super) rows: u64,
    pub(super) columns: Vec<ColumnFact>,
}

/// What is known of one column.
#[derive(Debug)]
pub(super) struct ColumnFact {
    pub(super) name: String,
    pub(super) missing: u64,
    is_text: bool,
    /// Rows by value.
    counts: HashMap<u64, u32>,
    is_full: bool,
    /// Values that are dates or times.
    dates: u64,
    /// The first and the last time.
    pub(super) range: Option<(String, String)>,
    before: Option<f64>,
    rises: bool,
    falls: bool,
}

impl ColumnFacts {
    /// Reads the columns that may name groups or times.
    pub(super) fn read(table: &Table, label: &LabelDraft) -> Result<Self, Failure> {
        let schema = table.schema();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .filter(|field| matches!(field.data_type(), DataType::Utf8 | DataType::Int64 | DataType::Boolean))
            .map(|field| field.name().as_str())
            .filter(|name| *name != label.column)
            .collect();
        let mut columns: Vec<ColumnFact> = names.iter().map(|name| ColumnFact::new(name)).collect();
        let mut rows = 0;
        // A table needs a column, even if none is asked for.
        let read: Vec<&str> = if names.is_empty() { vec![label.column.as_str()] } else { names };
        let hasher = RandomState::new();
        for batch in table.select(&read)?.read()? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            for column in &mut columns {
                if let Some(array) = batch.column_by_name(&column.name).cloned() {
                    column.update(&*array, &hasher);
                }
            }
        }
        Ok(Self { rows, columns })
    }

    /// Columns of few values, the one with the fewest first.
    pub(super) fn slices(&self) -> Vec<String> {
        let mut found: Vec<(&ColumnFact, usize)> =
            self.columns.iter().filter_map(|column| Some((column, column.distinct()?))).collect();
        found.retain(|(column, distinct)| column.is_text && (2..=SLICE_VALUES_MAX).contains(distinct));
        found.sort_by_key(|(_, distinct)| *distinct);
        found.into_iter().map(|(column, _)| column.name.clone()).collect()
    }
}

impl ColumnFact {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            missing: 0,
            is_text: false,
            counts: HashMap::new(),
            is_full: false,
            dates: 0,
            range: None,
            before: None,
            rises: true,
            falls: true,
        }
    }

    fn update(&mut self, array: &dyn Array, hasher: &RandomState) {
        self.missing += array.null_count() as u64;
        match array.data_type() {
            DataType::Utf8 => {
                self.is_text = true;
                for text in array.as_string::<i32>().iter().flatten() {
                    self.add(hasher.hash_one(text));
                    self.add_time(text);
                }
            }
            DataType::Int64 => {
                array.as_primitive::<Int64Type>().iter().flatten().for_each(|number| self.add(number as u64));
            }
            _ => array.as_boolean().iter().flatten().for_each(|truth| self.add(u64::from(truth))),
        }
    }

    fn add(&mut self, value: u64) {
        if self.counts.len() < COUNTED_MAX {
            *self.counts.entry(value).or_default() += 1;
        } else if let Some(count) = self.counts.get_mut(&value) {
            *count += 1;
        } else {
            self.is_full = true;
        }
    }

    fn add_time(&mut self, text: &str) {
        if !(self.rises || self.falls) {
            return;
        }
        let Some(moment) = Moment::parse(text) else {
            (self.rises, self.falls) = (false, false);
            return;
        };
        self.dates += 1;
        if let Some(before) = self.before {
            self.rises &= moment.seconds >= before;
            self.falls &= moment.seconds <= before;
        }
        self.before = Some(moment.seconds);
        match &mut self.range {
            Some((_, last)) => text.clone_into(last),
            none => *none = Some((text.to_owned(), text.to_owned())),
        }
    }

    /// Different values; `None` where there are too many to count.
    pub(super) fn distinct(&self) -> Option<usize> {
        (!self.is_full).then_some(self.counts.len())
    }

    /// Whether the rows are in the order of these times.
    pub(super) fn is_timeline(&self) -> bool {
        self.dates > 0 && self.missing == 0 && (self.rises != self.falls)
    }

    /// The first and the last time of a timeline.
    pub(super) fn times(&self) -> Option<(String, String)> {
        let (first, last) = self.range.clone()?;
        Some(if self.rises { (first, last) } else { (last, first) })
    }
}
