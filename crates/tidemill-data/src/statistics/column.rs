//! One column of any type.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tidemill_core::{BooleanStatistics, CommonStatistics, FeatureStatistics, FeatureType};

use super::numeric::NumericAccumulator;
use super::text::TextAccumulator;

/// Everything accumulated of one column. Accumulators of the same column merge.
#[derive(Debug, Clone)]
pub(crate) struct ColumnAccumulator {
    name: String,
    feature_type: FeatureType,
    present: u64,
    missing: u64,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    Numeric(Box<NumericAccumulator>),
    Text(Box<TextAccumulator>),
    Boolean(BooleanStatistics),
    /// A type of which only presence is known.
    Opaque,
}

impl ColumnAccumulator {
    /// An empty accumulator for a column.
    pub fn new(name: &str, data_type: &DataType) -> Self {
        let (feature_type, values) = match data_type {
            DataType::Int64 => (FeatureType::Int, Values::Numeric(Box::default())),
            DataType::Float64 => (FeatureType::Float, Values::Numeric(Box::default())),
            DataType::Utf8 => (FeatureType::String, Values::Text(Box::default())),
            DataType::Boolean => (FeatureType::Bool, Values::Boolean(BooleanStatistics::default())),
            _ => (FeatureType::Bytes, Values::Opaque),
        };
        Self { name: name.to_owned(), feature_type, present: 0, missing: 0, values }
    }

    /// Takes in one batch of the column. An array of another type than announced counts only as present or missing.
    pub fn update(&mut self, array: &dyn Array) {
        let missing = array.null_count() as u64;
        self.missing += missing;
        self.present += array.len() as u64 - missing;
        match &mut self.values {
            Values::Numeric(numeric) => {
                if let Some(floats) = array.as_primitive_opt::<Float64Type>() {
                    numeric.update_floats(floats);
                } else if let Some(ints) = array.as_primitive_opt::<Int64Type>() {
                    numeric.update_ints(ints);
                }
            }
            Values::Text(text) => {
                if let Some(array) = array.as_string_opt::<i32>() {
                    text.update(array);
                }
            }
            Values::Boolean(boolean) => {
                if let Some(array) = array.as_boolean_opt() {
                    let trues = array.true_count() as u64;
                    boolean.num_true += trues;
                    boolean.num_false += array.len() as u64 - missing - trues;
                }
            }
            Values::Opaque => {}
        }
    }

    /// Takes in what another accumulator of the same column has seen.
    pub fn merge(&mut self, other: &Self) {
        self.present += other.present;
        self.missing += other.missing;
        match (&mut self.values, &other.values) {
            (Values::Numeric(mine), Values::Numeric(theirs)) => mine.merge(theirs),
            (Values::Text(mine), Values::Text(theirs)) => mine.merge(theirs),
            (Values::Boolean(mine), Values::Boolean(theirs)) => {
                mine.num_true += theirs.num_true;
                mine.num_false += theirs.num_false;
            }
            _ => {}
        }
    }

    /// The statistics of everything seen.
    pub fn finish(&self) -> FeatureStatistics {
        let one = u64::from(self.present > 0);
        let mut out = FeatureStatistics {
            name: self.name.clone(),
            feature_type: self.feature_type,
            common: CommonStatistics {
                num_non_missing: self.present,
                num_missing: self.missing,
                min_num_values: one,
                max_num_values: one,
                avg_num_values: one as f64,
                tot_num_values: self.present,
            },
            numeric: None,
            string: None,
            boolean: None,
        };
        match &self.values {
            Values::Numeric(numeric) => out.numeric = Some(numeric.finish()),
            Values::Text(text) => out.string = Some(text.finish()),
            Values::Boolean(boolean) => out.boolean = Some(*boolean),
            Values::Opaque => {}
        }
        out
    }
}
