//! Runs a graph on tensors, with the names, element types and shapes that it declares.

use std::sync::Arc;

use tidemill_model::{Dimension, ModelError, TensorData, TensorInfo, TensorRuntime, TensorValue};

use super::engine::Engine;
use super::ports::{element_type, number_of};
use super::value::{Data, Tensor, datatype};

/// A graph as a model of tensors.
#[derive(Debug)]
pub(super) struct TensorRunner {
    pub(super) engine: Arc<Engine>,
    pub(super) inputs: Vec<TensorInfo>,
    pub(super) outputs: Vec<TensorInfo>,
    /// Why rows may not be joined.
    pub(super) joined: Result<(), String>,
}

impl TensorRuntime for TensorRunner {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    fn run(&self, inputs: Vec<Option<TensorValue>>) -> Result<Vec<TensorValue>, ModelError> {
        let refuse = |reason: String| ModelError::Run { reason };
        let tensors = self.given(inputs).map_err(refuse)?;
        let made = self.engine.run(tensors).map_err(refuse)?;
        made.into_iter().map(value_of).collect::<Result<_, _>>().map_err(refuse)
    }

    fn rows_are_independent(&self) -> Result<(), &str> {
        match &self.joined {
            Ok(()) => Ok(()),
            Err(reason) => Err(reason),
        }
    }
}

impl TensorRunner {
    /// The tensors of a request, with those that it leaves out.
    fn given(&self, inputs: Vec<Option<TensorValue>>) -> Result<Vec<Tensor>, String> {
        let absent: Vec<&TensorInfo> = (self.inputs.iter().zip(&inputs))
            .filter(|(info, value)| value.is_none() && !info.optional)
            .map(|(info, _)| info)
            .collect();
        if !absent.is_empty() || inputs.len() != self.inputs.len() {
            return Err(absent_text(&absent, &self.inputs));
        }
        let rows = inputs.iter().flatten().find_map(|value| value.shape.first().copied()).unwrap_or(1);
        let mut tensors = Vec::with_capacity(inputs.len());
        for (info, value) in self.inputs.iter().zip(inputs) {
            let Some(value) = value else {
                tensors.push(missing(info, rows)?);
                continue;
            };
            let is_list = matches!(value.data, TensorData::List(_) | TensorData::Absent);
            if value.element != info.element && !is_list {
                return Err(format!("`{}` is of {}, and {} is expected", info.name, value.element, info.element));
            }
            if !is_list {
                info.check_shape(&value.shape)?;
            }
            tensors.push(tensor_of(value)?);
        }
        self.check_names(&tensors)?;
        Ok(tensors)
    }

    /// Checks that sizes of one name are equal.
    fn check_names(&self, tensors: &[Tensor]) -> Result<(), String> {
        let mut sizes: Vec<(&str, usize, &str)> = Vec::new();
        for (info, tensor) in self.inputs.iter().zip(tensors).filter(|(info, _)| !info.sequence) {
            for (dimension, size) in info.shape.iter().flatten().zip(&tensor.shape) {
                let Dimension::Named(name) = dimension else { continue };
                match sizes.iter().find(|(other, _, _)| other == name) {
                    Some((_, known, of)) if known != size => {
                        return Err(format!(
                            "the dimension `{name}` is {known} in `{of}` and {size} in `{}`",
                            info.name
                        ));
                    }
                    Some(_) => {}
                    None => sizes.push((name, *size, &info.name)),
                }
            }
        }
        Ok(())
    }
}

/// The message about inputs that a request lacks, with all that there are.
fn absent_text(absent: &[&TensorInfo], all: &[TensorInfo]) -> String {
    let named: Vec<String> = absent.iter().map(|info| format!("`{}`", info.name)).collect();
    let all: Vec<String> =
        all.iter().map(|info| format!("`{}` ({} {})", info.name, info.element, info.shape_text())).collect();
    format!("inputs are missing: {}; the model takes {}", named.join(", "), all.join(", "))
}

/// The tensor of an optional input that a request leaves out: NaN, empty texts, or an absent value.
fn missing(info: &TensorInfo, rows: usize) -> Result<Tensor, String> {
    let Some(shape) = info.shape.as_ref().filter(|shape| !shape.is_empty()) else {
        return Ok(Tensor::vector(Data::Nothing));
    };
    let mut sizes = vec![rows];
    for dimension in &shape[1..] {
        match dimension {
            Dimension::Fixed(size) => sizes.push(*size),
            _ => return Ok(Tensor::vector(Data::Nothing)),
        }
    }
    let count = super::value::elements(&sizes)?;
    let element = number_of(info.element);
    let data = match element {
        datatype::DOUBLE => Data::F64(vec![f64::NAN; count]),
        datatype::STRING => Data::Text(vec![String::new(); count]),
        _ if super::element::is_float(element) => Data::F32(vec![f32::NAN; count]),
        _ => return Err(format!("`{}` is missing, and {} has no missing value", info.name, info.element)),
    };
    Ok(Tensor::new(sizes, data)?.of_element(element))
}

/// The tensor of a value.
pub(super) fn tensor_of(value: TensorValue) -> Result<Tensor, String> {
    let data = match value.data {
        TensorData::F32(values) => Data::F32(values),
        TensorData::F64(values) => Data::F64(values),
        TensorData::Int(values) => Data::Int(values),
        TensorData::Bool(values) => Data::Bool(values),
        TensorData::Text(values) => Data::Text(values),
        TensorData::List(values) => {
            return Ok(Tensor::list(values.into_iter().map(tensor_of).collect::<Result<_, _>>()?));
        }
        TensorData::Absent => return Ok(Tensor::vector(Data::Nothing)),
    };
    Ok(Tensor::new(value.shape, data)?.of_element(number_of(value.element)))
}

/// The value of a tensor.
pub(super) fn value_of(tensor: Tensor) -> Result<TensorValue, String> {
    let element = element_type(tensor.element()).unwrap_or(tidemill_core::ElementType::Fp32);
    let data = match tensor.data {
        Data::F32(values) => TensorData::F32(values),
        Data::F64(values) => TensorData::F64(values),
        Data::Int(values) => TensorData::Int(values),
        Data::Bool(values) => TensorData::Bool(values),
        Data::Text(values) => TensorData::Text(values),
        Data::List(values) => TensorData::List(values.into_iter().map(value_of).collect::<Result<_, _>>()?),
        Data::Nothing => TensorData::Absent,
    };
    Ok(TensorValue { element, shape: tensor.shape, data })
}

/// Values for a measurement; see [`samples`](super::samples).
pub(crate) fn sample_inputs(inputs: &[TensorInfo], rows: usize, open: usize) -> Result<Vec<TensorValue>, String> {
    let tensors = super::samples::sample(inputs, rows, open, super::samples::Fill::Small(7))?;
    tensors.into_iter().map(value_of).collect()
}
