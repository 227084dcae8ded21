//! How the values of categorical columns go with the label.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use rayon::prelude::*;
use tidemill_core::{LabelCount, LiftStatistics, LiftValue};

use super::label::{is_categorical, number, value};
use crate::statistics::StatisticsError;
use crate::statistics::state::{COUNT_MAX, Input, StateError, Stored, stored};
use crate::statistics::weight::column;

/// Values of a column that are counted; a column with more is left out.
const VALUES_MAX: usize = 1000;
/// Values of the label.
const LABELS_MAX: usize = 50;
/// Values listed of a column.
const LISTED: usize = 20;

/// Accumulates how often each value of each categorical column occurs with each value of the label. Exact.
#[derive(Debug, Clone)]
pub(crate) struct Lifts {
    label: String,
    label_index: usize,
    boundaries: Vec<f64>,
    /// Values of the label in the order in which they were first seen.
    labels: Vec<String>,
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    index: usize,
    /// By value: examples by number of the label. `None`: there are too many values.
    counts: Option<HashMap<String, Vec<u64>>>,
}

stored!(Lifts { label, label_index, boundaries, labels, columns } if |it| {
    it.labels.len() <= (LABELS_MAX + 1).max(it.boundaries.len() + 1)
});

impl Stored for Column {
    fn store(&self, out: &mut Vec<u8>) {
        self.name.store(out);
        self.index.store(out);
        let sorted = |counts: &HashMap<String, Vec<u64>>| {
            let mut sorted: Vec<(String, Vec<u64>)> =
                counts.iter().map(|(value, by)| (value.clone(), by.clone())).collect();
            sorted.sort_unstable();
            sorted
        };
        self.counts.as_ref().map(sorted).store(out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let (name, index) = <(String, usize)>::load(input)?;
        let counts = Option::<Vec<(String, Vec<u64>)>>::load(input)?;
        let total = |counts: &Vec<(String, Vec<u64>)>| {
            counts.iter().flat_map(|value| &value.1).fold(0u64, |sum, count| sum.saturating_add(*count))
        };
        let sound = counts.as_ref().is_none_or(|counts| counts.len() <= VALUES_MAX && total(counts) <= COUNT_MAX);
        input.expect(sound, "counts by label are out of order")?;
        Ok(Self { name, index, counts: counts.map(|counts| counts.into_iter().collect()) })
    }
}

impl Lifts {
    /// For every categorical column but the label. A label of numbers is divided at `boundaries`.
    pub fn new(schema: &Schema, label: &str, boundaries: &[f64]) -> Result<Self, StatisticsError> {
        let label_index = column(schema, label)?;
        let data_type = schema.field(label_index).data_type();
        let wrong = |expected| {
            Err(StatisticsError::ColumnType { column: label.to_owned(), found: data_type.to_string(), expected })
        };
        let numeric = matches!(data_type, DataType::Int64 | DataType::Float64);
        if !boundaries.is_empty() && !numeric {
            return wrong("boundaries divide numbers");
        }
        if boundaries.is_empty() && !is_categorical(data_type) {
            return wrong("as a label it needs boundaries that divide it");
        }
        let mut boundaries = boundaries.to_vec();
        boundaries.sort_unstable_by(f64::total_cmp);
        let fields = schema.fields().iter().enumerate();
        let categorical = fields.filter(|(index, field)| *index != label_index && is_categorical(field.data_type()));
        let columns = categorical
            .map(|(index, field)| Column { name: field.name().clone(), index, counts: Some(HashMap::new()) })
            .collect();
        let labels = (0..if boundaries.is_empty() { 0 } else { boundaries.len() + 1 })
            .map(|bucket| range(&boundaries, bucket))
            .collect();
        Ok(Self { label: label.to_owned(), label_index, boundaries, labels, columns })
    }

    /// The label, where it is divided, and the columns.
    pub fn names(&self) -> (&str, &[f64], Vec<&str>) {
        (&self.label, &self.boundaries, self.columns.iter().map(|column| column.name.as_str()).collect())
    }

    pub fn update(&mut self, batch: &RecordBatch) {
        let codes = self.codes(batch.column(self.label_index), batch.num_rows());
        self.columns.par_iter_mut().for_each(|column| column.update(batch.column(column.index), &codes));
    }

    /// The number of the label of each row, where it has one.
    fn codes(&mut self, array: &ArrayRef, rows: usize) -> Vec<Option<u32>> {
        if !self.boundaries.is_empty() {
            let bucket = |x: f64| self.boundaries.partition_point(|boundary| *boundary <= x) as u32;
            return (0..rows).map(|row| number(array, row).map(bucket)).collect();
        }
        let mut known: HashMap<String, u32> =
            self.labels.iter().enumerate().map(|(code, label)| (label.clone(), code as u32)).collect();
        let mut codes = Vec::with_capacity(rows);
        for row in 0..rows {
            let code = value(array, row).and_then(|text| {
                known.get(text.as_ref()).copied().or_else(|| {
                    // One more than is shown is kept, to know that there are too many.
                    (self.labels.len() <= LABELS_MAX).then(|| {
                        let code = self.labels.len() as u32;
                        self.labels.push(text.to_string());
                        known.insert(text.into_owned(), code);
                        code
                    })
                })
            });
            codes.push(code);
        }
        codes
    }

    /// Takes in what another accumulator of the same columns has seen.
    pub fn merge(&mut self, other: &Self) {
        let code = |label: &String, labels: &mut Vec<String>| {
            labels.iter().position(|known| known == label).or_else(|| {
                (labels.len() <= LABELS_MAX).then(|| {
                    labels.push(label.clone());
                    labels.len() - 1
                })
            })
        };
        let codes: Vec<Option<usize>> = other.labels.iter().map(|label| code(label, &mut self.labels)).collect();
        for (mine, theirs) in self.columns.iter_mut().zip(&other.columns) {
            let Some(counts) = &theirs.counts else {
                mine.counts = None;
                continue;
            };
            for (value, by_label) in counts {
                for (count, code) in by_label.iter().zip(&codes).filter(|(count, _)| **count > 0) {
                    if let Some(code) = code {
                        mine.add(value, *code, *count);
                    }
                }
            }
        }
    }

    /// The columns, and the names of those with too many values; nothing where the label has too many.
    pub fn finish(&self) -> (Vec<LiftStatistics>, Vec<String>) {
        if self.labels.len() > LABELS_MAX {
            return (Vec::new(), self.columns.iter().map(|column| column.name.clone()).collect());
        }
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        if self.boundaries.is_empty() {
            order.sort_by(|a, b| self.labels[*a].cmp(&self.labels[*b]));
        }
        let left_out = self.columns.iter().filter(|column| column.counts.is_none());
        (
            self.columns.iter().filter_map(|column| self.of(column, &order)).collect(),
            left_out.map(|column| column.name.clone()).collect(),
        )
    }

    fn of(&self, column: &Column, order: &[usize]) -> Option<LiftStatistics> {
        let counts: BTreeMap<&String, Vec<u64>> = column
            .counts
            .as_ref()?
            .iter()
            .map(|(value, by)| (value, order.iter().map(|code| by.get(*code).copied().unwrap_or(0)).collect()))
            .collect();
        let labels: Vec<u64> = (0..order.len()).map(|at| counts.values().map(|by: &Vec<u64>| by[at]).sum()).collect();
        let total: u64 = labels.iter().sum();
        if total == 0 {
            return None;
        }
        let of_all = |count: u64| count as f64 / total as f64;
        let lift = |both: u64, value: u64, label: u64| {
            if value == 0 || label == 0 { 0.0 } else { of_all(both) / (of_all(value) * of_all(label)) }
        };
        let mut mutual_information = 0.0;
        let mut values: Vec<LiftValue> = Vec::with_capacity(counts.len());
        for (value, by) in counts {
            let count: u64 = by.iter().sum();
            let lifts: Vec<f64> = by.iter().zip(&labels).map(|(both, label)| lift(*both, count, *label)).collect();
            let terms = by.iter().zip(&lifts).filter(|(both, _)| **both > 0);
            mutual_information += terms.map(|(both, lift)| of_all(*both) * lift.log2()).sum::<f64>();
            values.push(LiftValue { value: value.clone(), count, counts: by, lift: lifts });
        }
        values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        values.truncate(LISTED);
        let named = order
            .iter()
            .zip(&labels)
            .map(|(code, count)| LabelCount { value: self.labels[*code].clone(), count: *count });
        Some(LiftStatistics {
            feature: column.name.clone(),
            label: self.label.clone(),
            count: total,
            // A sum of rounded terms may fall below zero by a hair.
            mutual_information: mutual_information.max(0.0),
            label_values: named.collect(),
            values,
        })
    }
}

impl Column {
    fn update(&mut self, array: &ArrayRef, codes: &[Option<u32>]) {
        for (row, code) in codes.iter().enumerate() {
            if let Some(code) = code
                && let Some(value) = value(array, row)
            {
                self.add(&value, *code as usize, 1);
            }
        }
    }

    fn add(&mut self, value: &str, code: usize, count: u64) {
        let Some(counts) = &mut self.counts else { return };
        let by_label = if let Some(by_label) = counts.get_mut(value) {
            by_label
        } else {
            if counts.len() == VALUES_MAX {
                self.counts = None;
                return;
            }
            counts.entry(value.to_owned()).or_default()
        };
        if by_label.len() <= code {
            by_label.resize(code + 1, 0);
        }
        by_label[code] += count;
    }
}

/// The name of a range between boundaries; each boundary belongs to the range above it.
fn range(boundaries: &[f64], bucket: usize) -> String {
    match (bucket.checked_sub(1).map(|below| boundaries[below]), boundaries.get(bucket)) {
        (None, Some(high)) => format!("below {high}"),
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("{low} and more"),
        (None, None) => String::new(),
    }
}
