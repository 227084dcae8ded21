//! The weight of each example.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, Schema};
use tidemill_core::{DatasetWeight, suggest};

use super::StatisticsError;
use super::state::stored;

/// The column of the weights, and what was seen of it.
#[derive(Debug, Clone)]
pub(super) struct WeightColumn {
    name: String,
    index: usize,
    total: f64,
    rows: u64,
    /// The first row without a weight that counts, and what stood there.
    wrong: Option<(u64, String)>,
}

stored!(WeightColumn { name, index, total, rows, wrong } if |it| it.total.is_finite() && it.total >= 0.0);

impl WeightColumn {
    /// The column `name` of `schema`, which must hold numbers.
    pub fn new(schema: &Schema, name: &str) -> Result<Self, StatisticsError> {
        let index = column(schema, name)?;
        let data_type = schema.field(index).data_type();
        if !data_type.is_numeric() {
            return Err(StatisticsError::WeightType { column: name.to_owned(), found: data_type.to_string() });
        }
        Ok(Self { name: name.to_owned(), index, total: 0.0, rows: 0, wrong: None })
    }

    /// The name of the column.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The weights of a batch. What is no weight (nothing, NaN, infinite, below zero) counts as zero and is remembered.
    pub fn take(&mut self, batch: &RecordBatch) -> Vec<f64> {
        let array = batch.column(self.index);
        let value = |row: usize| -> Option<f64> {
            if array.is_null(row) {
                return None;
            }
            let floats = array.as_primitive_opt::<Float64Type>().map(|floats| floats.value(row));
            floats.or_else(|| array.as_primitive_opt::<Int64Type>().map(|ints| ints.value(row) as f64))
        };
        let mut weights = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let weight = value(row);
            let usable = weight.filter(|weight| weight.is_finite() && *weight >= 0.0);
            if usable.is_none() && self.wrong.is_none() {
                let found = weight.map_or_else(|| "nothing".to_owned(), |weight| format!("{weight}"));
                self.wrong = Some((self.rows + row as u64 + 1, found));
            }
            weights.push(usable.unwrap_or(0.0));
        }
        self.rows += batch.num_rows() as u64;
        self.total += weights.iter().sum::<f64>();
        weights
    }

    /// Takes in what another has seen of the same column.
    pub fn merge(&mut self, other: &Self) {
        if self.wrong.is_none() {
            self.wrong = other.wrong.clone().map(|(row, found)| (self.rows + row, found));
        }
        self.rows += other.rows;
        self.total += other.total;
    }

    /// What is wrong with a weight, if anything is.
    pub fn check(&self) -> Result<(), StatisticsError> {
        match &self.wrong {
            None => Ok(()),
            Some((row, found)) => {
                Err(StatisticsError::Weight { column: self.name.clone(), row: *row, found: found.clone() })
            }
        }
    }

    pub fn finish(&self) -> DatasetWeight {
        DatasetWeight { column: self.name.clone(), num_examples: self.total }
    }
}

/// Where the column `name` stands.
pub(super) fn column(schema: &Schema, name: &str) -> Result<usize, StatisticsError> {
    schema.index_of(name).map_err(|_| StatisticsError::Column {
        column: name.to_owned(),
        nearest: suggest(name, schema.fields().iter().map(|field| field.name().as_str())).map(str::to_owned),
    })
}
