//! Builds the tensors of a request, and checks them against what the model takes.

use tidemill_model::{Dimension, TensorData, TensorInfo, TensorValue};

use crate::inference::request_error::RequestError;
use crate::inference::signature::GraphPorts;
use crate::protocol::tensor::Scalar;

/// Integers up to this magnitude are floating-point numbers without loss.
const INTEGER_EXACT_MAX: i128 = 1 << 53;

/// The elements of one tensor, as they are read.
pub(crate) struct TensorBuilder<'a> {
    pub(crate) info: &'a TensorInfo,
    data: TensorData,
}

impl<'a> TensorBuilder<'a> {
    pub(crate) fn new(info: &'a TensorInfo) -> Self {
        use tidemill_core::ElementType;
        let data = match info.element {
            ElementType::Bytes => TensorData::Text(Vec::new()),
            ElementType::Bool => TensorData::Bool(Vec::new()),
            ElementType::Fp64 => TensorData::F64(Vec::new()),
            element if element.is_integer() => TensorData::Int(Vec::new()),
            _ => TensorData::F32(Vec::new()),
        };
        Self { info, data }
    }

    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// Appends an element, if the type of the input has it.
    pub(crate) fn push(&mut self, scalar: &Scalar<'_>) -> Result<(), String> {
        let element = self.info.element;
        let refuse = |value: &dyn std::fmt::Display| Err(format!("{value} is not a valid {element}"));
        match (&mut self.data, scalar) {
            (TensorData::Bool(values), Scalar::Bool(value)) => values.push(*value),
            (TensorData::Text(values), Scalar::Text(value)) => values.push(value.clone().into_owned()),
            (TensorData::Text(_), Scalar::Bytes(_)) => return Err("it is not UTF-8".to_owned()),
            (TensorData::Int(values), Scalar::Integer(value)) => {
                let (least, largest) = element.range().unwrap_or((0, 0));
                if !(least..=largest).contains(value) {
                    return refuse(value);
                }
                // Numbers of `UINT64` are stored as their bits.
                values.push(*value as u64 as i64);
            }
            (TensorData::Int(values), Scalar::Float(value)) => {
                let (least, largest) = element.range().unwrap_or((0, 0));
                let whole = *value as i128;
                if value.fract() != 0.0 || !value.is_finite() || !(least..=largest).contains(&whole) {
                    return refuse(value);
                }
                values.push(whole as u64 as i64);
            }
            (TensorData::F64(values), Scalar::Float(value)) => values.push(*value),
            (TensorData::F64(values), Scalar::Integer(value)) if value.abs() <= INTEGER_EXACT_MAX => {
                values.push(*value as f64);
            }
            (TensorData::F32(values), Scalar::Float(value)) => {
                let narrowed = *value as f32;
                let over = element == tidemill_core::ElementType::Fp16 && narrowed.abs() > 65_519.0;
                if value.is_finite() && (narrowed.is_infinite() || over) {
                    return refuse(value);
                }
                values.push(narrowed);
            }
            (TensorData::F32(values), Scalar::Integer(value)) if value.abs() <= INTEGER_EXACT_MAX => {
                if element == tidemill_core::ElementType::Fp16 && value.abs() > 65_519 {
                    return refuse(value);
                }
                values.push(*value as f32);
            }
            (_, Scalar::Missing) if self.info.optional => return self.push_missing(1),
            (_, Scalar::Missing) => return Err(format!("null is given, and {element} is expected")),
            (_, Scalar::Bool(value)) => return refuse(value),
            (_, Scalar::Integer(value)) => return refuse(value),
            (_, Scalar::Float(value)) => return refuse(value),
            (_, Scalar::Text(value)) => return refuse(&format!("the text `{value}`")),
            (_, Scalar::Bytes(_)) => return refuse(&"a text"),
        }
        Ok(())
    }

    /// Appends elements that are missing: NaN, or empty texts.
    pub(crate) fn push_missing(&mut self, count: usize) -> Result<(), String> {
        match &mut self.data {
            TensorData::F32(values) => values.extend(std::iter::repeat_n(f32::NAN, count)),
            TensorData::F64(values) => values.extend(std::iter::repeat_n(f64::NAN, count)),
            TensorData::Text(values) => values.extend(std::iter::repeat_n(String::new(), count)),
            _ => return Err(format!("{} has no missing value", self.info.element)),
        }
        Ok(())
    }

    /// Appends many numbers at once, if they are of the type of the input.
    pub(crate) fn push_singles(&mut self, numbers: impl Iterator<Item = f32>) -> bool {
        match &mut self.data {
            TensorData::F32(values) if self.info.element == tidemill_core::ElementType::Fp32 => {
                values.extend(numbers);
                true
            }
            _ => false,
        }
    }

    /// The tensor of this shape. Elements of a row that the model takes in more dimensions may be given flat.
    pub(crate) fn finish(self, shape: Vec<usize>) -> Result<TensorValue, String> {
        let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
        if count != Some(self.data.len()) {
            return Err(format!("the shape {shape:?} does not fit {} elements", self.data.len()));
        }
        let shape = unfolded(self.info, shape);
        self.info.check_shape(&shape)?;
        Ok(TensorValue { element: self.info.element, shape, data: self.data })
    }
}

/// The shape that the model takes, if one of rows of as many elements is given.
fn unfolded(info: &TensorInfo, shape: Vec<usize>) -> Vec<usize> {
    let Some(declared) = info.shape.as_ref().filter(|declared| declared.len() > 1 && shape.len() != declared.len())
    else {
        return shape;
    };
    let fixed: Option<Vec<usize>> = declared[1..]
        .iter()
        .map(|dimension| match dimension {
            Dimension::Fixed(size) => Some(*size),
            Dimension::Named(_) | Dimension::Open => None,
        })
        .collect();
    match (fixed, shape.first()) {
        (Some(fixed), Some(rows)) if fixed.iter().product::<usize>() == shape[1..].iter().product::<usize>() => {
            [*rows].into_iter().chain(fixed).collect()
        }
        _ => shape,
    }
}

/// The inputs of a request, by name.
pub(crate) struct Inputs<'a> {
    ports: &'a GraphPorts,
    values: Vec<Option<TensorValue>>,
    sent: Vec<String>,
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(ports: &'a GraphPorts) -> Self {
        Self { ports, values: vec![None; ports.inputs.len()], sent: Vec::new() }
    }

    /// The place and the description of the input `name`.
    pub(crate) fn find(&self, name: &str) -> Result<(usize, &'a TensorInfo), RequestError> {
        let ports = self.ports;
        let found = ports.inputs.iter().enumerate().find(|(_, info)| info.name == name);
        found.ok_or_else(|| {
            RequestError::invalid(format!("unexpected input `{name}`; the model takes {}", described(&ports.inputs)))
        })
    }

    pub(crate) fn set(&mut self, at: usize, value: TensorValue) -> Result<(), RequestError> {
        let name = &self.ports.inputs[at].name;
        if self.values[at].replace(value).is_some() {
            return Err(RequestError::invalid(format!("input `{name}` is given twice")));
        }
        self.sent.push(name.clone());
        Ok(())
    }

    /// All inputs; an error names every one that is missing, and all that there are.
    pub(crate) fn finish(self) -> Result<Vec<Option<TensorValue>>, RequestError> {
        let absent: Vec<String> = (self.ports.inputs.iter().zip(&self.values))
            .filter(|(info, value)| value.is_none() && !info.optional)
            .map(|(info, _)| format!("`{}`", info.name))
            .collect();
        if absent.is_empty() {
            return Ok(self.values);
        }
        Err(RequestError::invalid(format!(
            "inputs are missing: {}; sent: [{}]; the model takes {}",
            absent.join(", "),
            self.sent.join(", "),
            described(&self.ports.inputs)
        )))
    }
}

/// All inputs, with their types and shapes.
fn described(infos: &[TensorInfo]) -> String {
    let one = |info: &TensorInfo| {
        let optional = if info.optional { ", optional" } else { "" };
        format!("`{}` ({} {}{optional})", info.name, info.element, info.shape_text())
    };
    infos.iter().map(one).collect::<Vec<_>>().join(", ")
}
