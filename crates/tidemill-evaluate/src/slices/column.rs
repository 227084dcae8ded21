//! The values of a slice column, stored as codes.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};

use super::SliceValue;
use crate::EvaluateError;

/// The most values a slice column may have, and the most slices a crossing may have.
pub const SLICE_VALUES_MAX: usize = 10_000;

/// A column as codes into its sorted values: 4 bytes a row.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyColumn {
    /// The column's name.
    pub name: String,
    /// Its distinct values, ascending, missing last.
    pub values: Vec<SliceValue>,
    /// For each row the index of its value in `values`.
    pub codes: Vec<u32>,
}

/// Collects a column batch by batch.
#[derive(Debug)]
pub struct KeyColumnBuilder {
    name: String,
    place: &'static str,
    values: Vec<SliceValue>,
    texts: HashMap<String, u32>,
    others: HashMap<SliceValue, u32>,
    codes: Vec<u32>,
}

impl KeyColumnBuilder {
    /// An empty column. `place` names the parameter that refers to it, for errors.
    pub fn new(name: impl Into<String>, place: &'static str) -> Self {
        Self {
            name: name.into(),
            place,
            values: Vec::new(),
            texts: HashMap::new(),
            others: HashMap::new(),
            codes: Vec::new(),
        }
    }

    /// Whether a column of this type can form slices.
    pub fn check_type(name: &str, place: &'static str, found: &DataType) -> Result<(), EvaluateError> {
        let reason = match found {
            DataType::Utf8 | DataType::Int64 | DataType::Boolean => return Ok(()),
            DataType::Float64 => "hardly two rows share a fractional number",
            _ => "slices are made of text, whole numbers and booleans",
        };
        Err(EvaluateError::ColumnType { column: name.into(), place, found: found.to_string(), reason })
    }

    /// Adds the cells of one batch.
    pub fn push(&mut self, array: &ArrayRef) -> Result<(), EvaluateError> {
        self.codes.reserve(array.len());
        match array.data_type() {
            DataType::Utf8 => {
                for value in array.as_string::<i32>() {
                    let code = match value {
                        None => self.code_of(SliceValue::Missing)?,
                        Some(text) => match self.texts.get(text) {
                            Some(&code) => code,
                            None => self.new_text(text)?,
                        },
                    };
                    self.codes.push(code);
                }
            }
            DataType::Int64 => {
                for value in array.as_primitive::<Int64Type>() {
                    let code = self.code_of(value.map_or(SliceValue::Missing, SliceValue::Int))?;
                    self.codes.push(code);
                }
            }
            DataType::Boolean => {
                for value in array.as_boolean() {
                    let code = self.code_of(value.map_or(SliceValue::Missing, SliceValue::Bool))?;
                    self.codes.push(code);
                }
            }
            other => Self::check_type(&self.name, self.place, other)?,
        }
        Ok(())
    }

    fn code_of(&mut self, value: SliceValue) -> Result<u32, EvaluateError> {
        if let Some(&code) = self.others.get(&value) {
            return Ok(code);
        }
        let code = self.new_value(value.clone())?;
        self.others.insert(value, code);
        Ok(code)
    }

    fn new_text(&mut self, text: &str) -> Result<u32, EvaluateError> {
        let code = self.new_value(SliceValue::Text(text.to_owned()))?;
        self.texts.insert(text.to_owned(), code);
        Ok(code)
    }

    fn new_value(&mut self, value: SliceValue) -> Result<u32, EvaluateError> {
        if self.values.len() >= SLICE_VALUES_MAX {
            return Err(EvaluateError::TooManySlices { columns: self.name.clone(), limit: SLICE_VALUES_MAX });
        }
        self.values.push(value);
        Ok(self.values.len() as u32 - 1)
    }

    /// The finished column: values are sorted, so that nothing depends on the order of rows.
    pub fn finish(self) -> KeyColumn {
        let mut order: Vec<u32> = (0..self.values.len() as u32).collect();
        order.sort_by(|a, b| self.values[*a as usize].cmp(&self.values[*b as usize]));
        let mut rank = vec![0; order.len()];
        for (position, code) in order.iter().enumerate() {
            rank[*code as usize] = position as u32;
        }
        let mut codes = self.codes;
        for code in &mut codes {
            *code = rank[*code as usize];
        }
        let values = order.iter().map(|code| self.values[*code as usize].clone()).collect();
        KeyColumn { name: self.name, values, codes }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn codes_point_into_sorted_values_with_missing_last() {
        let mut builder = KeyColumnBuilder::new("c", "slices");
        builder.push(&(Arc::new(StringArray::from(vec![Some("b"), None, Some("a")])) as ArrayRef)).unwrap();
        builder.push(&(Arc::new(StringArray::from(vec![Some("a"), Some("b")])) as ArrayRef)).unwrap();
        let column = builder.finish();
        assert_eq!(column.values, [SliceValue::Text("a".into()), SliceValue::Text("b".into()), SliceValue::Missing]);
        assert_eq!(column.codes, [1, 2, 0, 0, 1]);
    }

    #[test]
    fn whole_numbers_and_booleans_are_sorted_as_such() {
        let mut builder = KeyColumnBuilder::new("c", "slices");
        builder.push(&(Arc::new(Int64Array::from(vec![Some(10), Some(-2), None, Some(9)])) as ArrayRef)).unwrap();
        let column = builder.finish();
        assert_eq!(
            column.values,
            [-2, 9, 10].map(SliceValue::Int).into_iter().chain([SliceValue::Missing]).collect::<Vec<_>>()
        );
        let mut builder = KeyColumnBuilder::new("c", "slices");
        builder.push(&(Arc::new(BooleanArray::from(vec![true, false])) as ArrayRef)).unwrap();
        assert_eq!(builder.finish().codes, [1, 0]);
    }

    #[test]
    fn fractions_and_endless_values_are_refused() {
        let mut builder = KeyColumnBuilder::new("fare", "slices");
        let error = builder.push(&(Arc::new(Float64Array::from(vec![1.5])) as ArrayRef)).unwrap_err();
        assert!(error.to_string().contains("`fare`"), "{error}");
        let many = Int64Array::from_iter_values(0..=SLICE_VALUES_MAX as i64);
        let error = KeyColumnBuilder::new("id", "slices").push(&(Arc::new(many) as ArrayRef)).unwrap_err();
        assert_eq!(error.to_string(), "slices of `id` number more than 10000");
    }
}
