//! The weighted twins of one column.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tidemill_core::{WeightedBooleanStatistics, WeightedStatistics};

use super::numbers::WeightedNumbers;
use super::texts::WeightedTexts;
use crate::statistics::state::stored;

/// Accumulates one column with the weights of its examples.
#[derive(Debug, Clone)]
pub(crate) struct WeightedColumn {
    present: f64,
    missing: f64,
    values: f64,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Numeric(Box<WeightedNumbers>),
    Text(Box<WeightedTexts>),
    Boolean(WeightedBooleanStatistics),
    Opaque,
}

stored!(WeightedColumn { present, missing, values, kind });
stored!(WeightedBooleanStatistics { num_true, num_false });

stored!(enum Kind { 0 Opaque, 1 Numeric(numbers), 2 Text(texts), 3 Boolean(boolean) }
    else "weighted values are of an unknown kind");

impl WeightedColumn {
    /// An empty accumulator for values of a type.
    pub fn new(values: &DataType) -> Self {
        let kind = match values {
            DataType::Int64 | DataType::Float64 => Kind::Numeric(Box::default()),
            DataType::Utf8 => Kind::Text(Box::default()),
            DataType::Boolean => Kind::Boolean(WeightedBooleanStatistics::default()),
            _ => Kind::Opaque,
        };
        Self { present: 0.0, missing: 0.0, values: 0.0, kind }
    }

    /// Takes in which examples of a batch have the column.
    pub fn update_presence(&mut self, array: &dyn Array, weights: &[f64]) {
        if array.null_count() == 0 {
            self.present += weights.iter().sum::<f64>();
            return;
        }
        for (row, weight) in weights.iter().enumerate() {
            *(if array.is_null(row) { &mut self.missing } else { &mut self.present }) += weight;
        }
    }

    /// Takes in values, each with a weight. Null values of a list count as values of it.
    pub fn update_values(&mut self, array: &dyn Array, weight: impl Fn(usize) -> f64, nulls_count: bool) {
        let rows = 0..array.len();
        self.values += rows.clone().filter(|row| nulls_count || array.is_valid(*row)).map(&weight).sum::<f64>();
        let rows = rows.filter(|row| array.is_valid(*row));
        match &mut self.kind {
            Kind::Numeric(numbers) => {
                if let Some(floats) = array.as_primitive_opt::<Float64Type>() {
                    rows.for_each(|row| numbers.add(floats.value(row), weight(row)));
                } else if let Some(ints) = array.as_primitive_opt::<Int64Type>() {
                    rows.for_each(|row| numbers.add(ints.value(row) as f64, weight(row)));
                }
                numbers.settle();
            }
            Kind::Text(texts) => {
                if let Some(array) = array.as_string_opt::<i32>() {
                    rows.for_each(|row| texts.add(array.value(row), weight(row)));
                }
            }
            Kind::Boolean(boolean) => {
                if let Some(array) = array.as_boolean_opt() {
                    rows.for_each(|row| {
                        *(if array.value(row) { &mut boolean.num_true } else { &mut boolean.num_false }) += weight(row);
                    });
                }
            }
            Kind::Opaque => {}
        }
    }

    /// Takes in what another accumulator of the same column has seen.
    pub fn merge(&mut self, other: &Self) {
        self.present += other.present;
        self.missing += other.missing;
        self.values += other.values;
        match (&mut self.kind, &other.kind) {
            (Kind::Numeric(mine), Kind::Numeric(theirs)) => mine.merge(theirs),
            (Kind::Text(mine), Kind::Text(theirs)) => mine.merge(theirs),
            (Kind::Boolean(mine), Kind::Boolean(theirs)) => {
                mine.num_true += theirs.num_true;
                mine.num_false += theirs.num_false;
            }
            _ => {}
        }
    }

    pub fn finish(&self) -> WeightedStatistics {
        let mut out = WeightedStatistics {
            num_non_missing: self.present,
            num_missing: self.missing,
            avg_num_values: if self.present > 0.0 { self.values / self.present } else { 0.0 },
            tot_num_values: self.values,
            ..WeightedStatistics::default()
        };
        match &self.kind {
            Kind::Numeric(numbers) => out.numeric = Some(numbers.finish()),
            Kind::Text(texts) => out.string = Some(texts.finish()),
            Kind::Boolean(boolean) => out.boolean = Some(*boolean),
            Kind::Opaque => {}
        }
        out
    }
}
