//! Tensors as nested lists of JSON.

use serde_json::{Number, Value};
use tidemill_core::ElementType;

use crate::{TensorData, TensorInfo, TensorValue};

/// Deeper nesting is rejected.
const DEPTH_MAX: usize = 64;

impl TensorValue {
    /// The tensor for the input `info` that nested lists of numbers, texts or booleans write. `"NaN"`, `"Infinity"` and
    /// `"-Infinity"` are numbers, which JSON lacks.
    pub fn from_json(info: &TensorInfo, value: &Value) -> Result<Self, String> {
        let element = info.element;
        let data = match element {
            ElementType::Bytes => TensorData::Text(Vec::new()),
            ElementType::Bool => TensorData::Bool(Vec::new()),
            ElementType::Fp64 => TensorData::F64(Vec::new()),
            element if element.is_integer() => TensorData::Int(Vec::new()),
            _ => TensorData::F32(Vec::new()),
        };
        let mut tensor = Self { element, shape: Vec::new(), data };
        let mut shape = value;
        while let Value::Array(items) = shape {
            tensor.shape.push(items.len());
            if tensor.shape.len() > DEPTH_MAX {
                return Err(format!("the lists are nested more than {DEPTH_MAX} deep"));
            }
            match items.first() {
                Some(first) => shape = first,
                None => break,
            }
        }
        let sizes = tensor.shape.clone();
        tensor.push(value, &sizes)?;
        info.check_shape(&tensor.shape)?;
        Ok(tensor)
    }

    fn push(&mut self, value: &Value, shape: &[usize]) -> Result<(), String> {
        let Some((size, inner)) = shape.split_first() else { return self.push_element(value) };
        match value {
            Value::Array(items) if items.len() == *size => items.iter().try_for_each(|item| self.push(item, inner)),
            Value::Array(items) => Err(format!("a list has {} items, and the first of its level {size}", items.len())),
            other => Err(format!("{other} stands where a list of {size} is expected")),
        }
    }

    fn push_element(&mut self, value: &Value) -> Result<(), String> {
        let element = self.element;
        let refuse = || format!("{value} is not a valid {element}");
        let number = || match value {
            Value::String(word) => match word.as_str() {
                "NaN" => Ok(f64::NAN),
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                _ => Err(refuse()),
            },
            value => value.as_f64().ok_or_else(refuse),
        };
        match &mut self.data {
            TensorData::Bool(values) => values.push(value.as_bool().ok_or_else(refuse)?),
            TensorData::Text(values) => values.push(value.as_str().ok_or_else(refuse)?.to_owned()),
            TensorData::F64(values) => values.push(number()?),
            TensorData::F32(values) => {
                let number = number()?;
                if number.is_finite() && (number as f32).is_infinite() {
                    return Err(refuse());
                }
                values.push(number as f32);
            }
            TensorData::Int(values) => {
                let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
                let (least, largest) = element.range().unwrap_or((0, 0));
                let whole = whole.filter(|whole| (least..=largest).contains(whole)).ok_or_else(refuse)?;
                values.push(whole as u64 as i64);
            }
            TensorData::List(_) | TensorData::Absent => return Err(refuse()),
        }
        Ok(())
    }

    /// The tensor as nested lists; numbers that JSON lacks are texts: `"NaN"`.
    pub fn to_json(&self) -> Value {
        if let TensorData::List(tensors) = &self.data {
            return tensors.iter().map(Self::to_json).collect();
        }
        self.nested(&self.shape, 0)
    }

    fn nested(&self, shape: &[usize], from: usize) -> Value {
        let Some((size, inner)) = shape.split_first() else { return self.element_at(from) };
        let width: usize = inner.iter().product();
        (0..*size).map(|at| self.nested(inner, from + at * width)).collect()
    }

    fn element_at(&self, at: usize) -> Value {
        let real = |x: f64| {
            let word = if x.is_nan() {
                "NaN"
            } else if x > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            Number::from_f64(x).map_or_else(|| word.into(), Value::Number)
        };
        match &self.data {
            // The shortest digits that read back as the same 32 bits.
            TensorData::F32(values) => real(values[at].to_string().parse().unwrap_or(f64::from(values[at]))),
            TensorData::F64(values) => real(values[at]),
            TensorData::Int(values) if self.element == ElementType::Uint64 => (values[at] as u64).into(),
            TensorData::Int(values) => values[at].into(),
            TensorData::Bool(values) => values[at].into(),
            TensorData::Text(values) => values[at].clone().into(),
            TensorData::List(_) | TensorData::Absent => Value::Null,
        }
    }
}
