//! Labels of stored predictions.

use std::collections::HashMap;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use tidemill_core::{LabelSet, shortened};
use tidemill_model::class_name;

use super::builder::{column_index, numbers, numeric_index};
use crate::EvaluateError;

/// The maximum number of label values in a message.
const VALUES_SHOWN: usize = 12;

/// The columns of labels.
pub(super) enum LabelColumns {
    /// One label a row.
    One(usize),
    /// Several labels a row, each true or false.
    Several(Vec<(String, usize)>),
}

impl LabelColumns {
    /// The column called `name`; several if it is a list `a,b`, or stands for the columns `NAME[LABEL]`.
    pub fn find(schema: &Schema, name: &str) -> Result<Self, EvaluateError> {
        if schema.index_of(name).is_err() {
            let listed: Vec<&str> = name.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            if listed.len() > 1 {
                let column = |name: &&str| Ok(((*name).to_owned(), numeric_index(schema, name, "label")?));
                return listed.iter().map(column).collect::<Result<_, EvaluateError>>().map(Self::Several);
            }
            let several = bracketed(schema, name);
            if several.len() > 1 {
                for (_, at) in &several {
                    numeric_index(schema, schema.field(*at).name(), "label")?;
                }
                return Ok(Self::Several(several));
            }
        }
        let index = column_index(schema, name, "label")?;
        if schema.field(index).data_type() != &DataType::Utf8 {
            numeric_index(schema, name, "label")?;
        }
        Ok(Self::One(index))
    }

    pub fn indexes(&self) -> Vec<usize> {
        match self {
            Self::One(at) => vec![*at],
            Self::Several(labels) => labels.iter().map(|(_, at)| *at).collect(),
        }
    }

    /// The labels of a batch as numbers: of several a [`LabelSet`] a row, NaN if one is neither true nor false.
    pub fn read(&self, batch: &RecordBatch, stored: &mut StoredLabels) -> Vec<f64> {
        match self {
            Self::One(at) => stored.read(batch.column(*at)),
            Self::Several(labels) => {
                let columns: Vec<Vec<f64>> = labels.iter().map(|(_, at)| numbers(batch.column(*at))).collect();
                let set = |row: usize| {
                    let is_label = |column: &Vec<f64>| column[row] == 0.0 || column[row] == 1.0;
                    if !columns.iter().all(is_label) {
                        return f64::NAN;
                    }
                    columns.iter().map(|column| column[row] == 1.0).collect::<LabelSet>().value()
                };
                (0..batch.num_rows()).map(set).collect()
            }
        }
    }
}

/// The columns `NAME[INSIDE]`, by what is inside.
pub(super) fn bracketed(schema: &Schema, name: &str) -> Vec<(String, usize)> {
    let inside = |field: &str| Some(field.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
    let fields = schema.fields().iter().enumerate();
    fields.filter_map(|(at, field)| Some((inside(field.name())?, at))).collect()
}

/// Labels as read: numbers, or the numbers of texts.
#[derive(Default)]
pub(super) struct StoredLabels {
    numbers_of_texts: HashMap<String, usize>,
    texts: Vec<String>,
    pub is_text: bool,
}

impl StoredLabels {
    pub fn read(&mut self, column: &ArrayRef) -> Vec<f64> {
        if column.data_type() != &DataType::Utf8 {
            return numbers(column);
        }
        self.is_text = true;
        let number = |text: Option<&str>| {
            let Some(text) = text else { return f64::NAN };
            if let Some(number) = self.numbers_of_texts.get(text) {
                return *number as f64;
            }
            self.texts.push(text.to_owned());
            self.numbers_of_texts.insert(text.to_owned(), self.texts.len() - 1);
            (self.texts.len() - 1) as f64
        };
        column.as_string::<i32>().iter().map(number).collect()
    }

    pub fn name(&self, value: f64) -> String {
        if self.is_text { self.texts[value as usize].clone() } else { class_name(value) }
    }

    /// The values with their names and the number of their rows: numbers by size, text by the alphabet.
    pub fn counts(&self, labels: &[f64]) -> Vec<(f64, String, u64)> {
        let mut counts: HashMap<u64, u64> = HashMap::new();
        for label in labels {
            *counts.entry((label + 0.0).to_bits()).or_default() += 1;
        }
        let named = |(bits, rows)| (f64::from_bits(bits), self.name(f64::from_bits(bits)), rows);
        let mut counts: Vec<(f64, String, u64)> = counts.into_iter().map(named).collect();
        counts.sort_by(|a, b| if self.is_text { a.1.cmp(&b.1) } else { a.0.total_cmp(&b.0) });
        counts
    }
}

/// "no (120), yes (61)".
pub(super) fn shown(counts: &[(f64, String, u64)]) -> String {
    let some = counts.iter().take(VALUES_SHOWN);
    let mut shown: Vec<String> = some.map(|(_, name, rows)| format!("{} ({rows})", shortened(name))).collect();
    if counts.len() > VALUES_SHOWN {
        shown.push(format!("and {} more", counts.len() - VALUES_SHOWN));
    }
    shown.join(", ")
}
