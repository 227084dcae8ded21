//! One column of any type.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tidemill_core::{BooleanStatistics, CommonStatistics, FeatureStatistics, FeatureType};

use super::bytes::BytesAccumulator;
use super::numeric::NumericAccumulator;
use super::state::{Input, StateError, Stored, stored};
use super::text::TextAccumulator;
use super::valency::{ValencyAccumulator, flattened};
use super::weighted::WeightedColumn;

/// Everything accumulated of one column. Accumulators of the same column merge.
#[derive(Debug, Clone)]
pub(crate) struct ColumnAccumulator {
    name: String,
    feature_type: FeatureType,
    present: u64,
    missing: u64,
    /// For lists, whose `values` are those of all lists.
    valency: Option<Box<ValencyAccumulator>>,
    values: Values,
    weighted: Option<Box<WeightedColumn>>,
}

#[derive(Debug, Clone)]
enum Values {
    Numeric(Box<NumericAccumulator>),
    Text(Box<TextAccumulator>),
    Boolean(BooleanStatistics),
    Bytes(Box<BytesAccumulator>),
    /// A type of which only presence is known.
    Opaque,
}

stored!(ColumnAccumulator { name, feature_type, present, missing, valency, values, weighted } if |it| {
    it.values.are_of(it.feature_type)
});
stored!(BooleanStatistics { num_true, num_false });

/// Types in the order in which a state counts them.
const TYPES: [FeatureType; 5] =
    [FeatureType::Int, FeatureType::Float, FeatureType::String, FeatureType::Bool, FeatureType::Bytes];

impl Stored for FeatureType {
    fn store(&self, out: &mut Vec<u8>) {
        TYPES.iter().position(|feature_type| feature_type == self).unwrap_or_default().store(out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let place = usize::load(input)?;
        TYPES.get(place).copied().ok_or_else(|| input.wrong("a type is unknown"))
    }
}

stored!(enum Values { 0 Opaque, 1 Numeric(numeric), 2 Text(text), 3 Boolean(boolean), 4 Bytes(bytes) }
    else "values are of an unknown kind");

impl ColumnAccumulator {
    /// An empty accumulator for a column, with weighted twins if `weighted`.
    pub fn new(name: &str, data_type: &DataType, weighted: bool) -> Self {
        let (valency, value_type) = match data_type {
            DataType::List(item) => (Some(Box::default()), item.data_type()),
            other => (None, other),
        };
        let (feature_type, values) = Values::of(value_type);
        let weighted = weighted.then(|| Box::new(WeightedColumn::new(value_type)));
        Self { name: name.to_owned(), feature_type, present: 0, missing: 0, valency, values, weighted }
    }

    /// The column as `fare: FLOAT`, by which two accumulators of the same are known.
    pub fn signature(&self) -> String {
        let list = if self.valency.is_some() { "list of " } else { "" };
        let weighted = if self.weighted.is_some() { ", weighted" } else { "" };
        let bare = if matches!(self.values, Values::Opaque) { ", only presence" } else { "" };
        format!("`{}`: {list}{}{bare}{weighted}", self.name, self.feature_type)
    }

    /// Takes in one batch of the column, where examples have weights with those.
    ///
    /// An array of another type than announced counts only as present or missing.
    pub fn update(&mut self, array: &dyn Array, weights: Option<&[f64]>) {
        let missing = array.null_count() as u64;
        self.missing += missing;
        self.present += array.len() as u64 - missing;
        let weights = self.weighted.as_mut().zip(weights);
        let Some(valency) = &mut self.valency else {
            self.values.update(array);
            if let Some((weighted, weights)) = weights {
                weighted.update_presence(array, weights);
                weighted.update_values(array, |row| weights[row], false);
            }
            return;
        };
        let Some(lists) = array.as_list_opt::<i32>() else { return };
        let (values, rows) = flattened(lists, weights.is_some());
        valency.update(lists, values.null_count() as u64);
        self.values.update(&values);
        if let Some((weighted, weights)) = weights {
            weighted.update_presence(array, weights);
            weighted.update_values(&values, |value| weights[rows[value] as usize], true);
        }
    }

    /// Takes in what another accumulator of the same column has seen.
    pub fn merge(&mut self, other: &Self) {
        self.present += other.present;
        self.missing += other.missing;
        if let (Some(mine), Some(theirs)) = (&mut self.valency, &other.valency) {
            mine.merge(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.weighted, &other.weighted) {
            mine.merge(theirs);
        }
        self.values.merge(&other.values);
    }

    /// Bytes held, about; without what is weighted.
    pub fn memory(&self) -> usize {
        let values = match &self.values {
            Values::Numeric(numeric) => numeric.memory(),
            Values::Text(text) => text.memory(),
            Values::Bytes(bytes) => bytes.memory(),
            Values::Boolean(_) | Values::Opaque => 0,
        };
        size_of::<Self>() + self.name.len() + values + self.valency.as_ref().map_or(0, |valency| valency.memory())
    }

    /// The statistics of everything seen.
    pub fn finish(&self) -> FeatureStatistics {
        let one = u64::from(self.present > 0);
        let (fewest, most, total) = self.valency.as_ref().map_or((one, one, self.present), |valency| valency.extent());
        let common = CommonStatistics {
            num_non_missing: self.present,
            num_missing: self.missing,
            min_num_values: fewest,
            max_num_values: most,
            avg_num_values: if self.present == 0 { 0.0 } else { total as f64 / self.present as f64 },
            tot_num_values: total,
        };
        let mut out = FeatureStatistics::new(self.name.clone(), self.feature_type, common);
        out.valency = self.valency.as_ref().map(|valency| valency.finish());
        out.weighted = self.weighted.as_ref().map(|weighted| weighted.finish());
        match &self.values {
            Values::Numeric(numeric) => out.numeric = Some(numeric.finish()),
            Values::Text(text) => {
                out.string = Some(text.finish());
                (out.time, out.language) = text.meaning();
            }
            Values::Boolean(boolean) => out.boolean = Some(*boolean),
            Values::Bytes(bytes) => out.bytes = Some(bytes.finish()),
            Values::Opaque => {}
        }
        out
    }
}

impl Values {
    /// An empty accumulator for values of a type, and what the type is called.
    fn of(data_type: &DataType) -> (FeatureType, Self) {
        match data_type {
            DataType::Int64 => (FeatureType::Int, Self::Numeric(Box::default())),
            DataType::Float64 => (FeatureType::Float, Self::Numeric(Box::default())),
            DataType::Utf8 => (FeatureType::String, Self::Text(Box::default())),
            DataType::Boolean => (FeatureType::Bool, Self::Boolean(BooleanStatistics::default())),
            DataType::Binary => (FeatureType::Bytes, Self::Bytes(Box::default())),
            _ => (FeatureType::Bytes, Self::Opaque),
        }
    }

    /// Whether values of a type are accumulated like this.
    fn are_of(&self, feature_type: FeatureType) -> bool {
        match self {
            Self::Numeric(_) => matches!(feature_type, FeatureType::Int | FeatureType::Float),
            Self::Text(_) => feature_type == FeatureType::String,
            Self::Boolean(_) => feature_type == FeatureType::Bool,
            Self::Bytes(_) | Self::Opaque => feature_type == FeatureType::Bytes,
        }
    }

    fn update(&mut self, array: &dyn Array) {
        match self {
            Self::Numeric(numeric) => {
                if let Some(floats) = array.as_primitive_opt::<Float64Type>() {
                    numeric.update_floats(floats);
                } else if let Some(ints) = array.as_primitive_opt::<Int64Type>() {
                    numeric.update_ints(ints);
                }
            }
            Self::Text(text) => {
                if let Some(array) = array.as_string_opt::<i32>() {
                    text.update(array);
                }
            }
            Self::Boolean(boolean) => {
                if let Some(array) = array.as_boolean_opt() {
                    let trues = array.true_count() as u64;
                    boolean.num_true += trues;
                    boolean.num_false += (array.len() - array.null_count()) as u64 - trues;
                }
            }
            Self::Bytes(bytes) => {
                if let Some(array) = array.as_binary_opt::<i32>() {
                    bytes.update(array);
                }
            }
            Self::Opaque => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Numeric(mine), Self::Numeric(theirs)) => mine.merge(theirs),
            (Self::Text(mine), Self::Text(theirs)) => mine.merge(theirs),
            (Self::Bytes(mine), Self::Bytes(theirs)) => mine.merge(theirs),
            (Self::Boolean(mine), Self::Boolean(theirs)) => {
                mine.num_true += theirs.num_true;
                mine.num_false += theirs.num_false;
            }
            _ => {}
        }
    }
}
