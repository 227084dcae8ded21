//! `ModelInfer`: messages into the batch to predict, predictions into messages.

use arrow::array::RecordBatch;
use tidemill_model::{TensorInfo, TensorValue};

use super::contents::{contents, contents_of, list};
use super::message::{Input, Message};
use crate::inference::carrier::{carried, carry, is_carrier};
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::{GraphPorts, TargetSignature};
use crate::protocol::graph::wire::{fill as fill_tensor, write_binary};
use crate::protocol::graph::{Inputs, TensorBuilder};
use crate::protocol::grpc::proto::inference::ModelInferResponse;
use crate::protocol::grpc::proto::inference::model_infer_response::InferOutputTensor;
use crate::protocol::grpc::tensor_wire::read_shape;
use crate::protocol::oip::rest::{assembly_error, check_output_parameter, check_parameter, output_index};
use crate::protocol::tensor::{Assembly, ColumnWriter, Datatype, Elements, ExpectedElements, Output, row_width};

/// How to respond.
#[derive(Debug)]
pub(super) struct Reply {
    id: String,
    outputs: Vec<usize>,
    /// In the form of the request: binary tensors or typed lists.
    raw: bool,
}

/// Reads the tensors of a request, a `ModelInferRequest`.
pub(super) fn decode(target: &TargetSignature, request: &[u8]) -> Result<(RecordBatch, Reply), RequestError> {
    let Message { id, parameters, inputs, outputs, raw, .. } = Message::read(request)?;
    parameters.iter().try_for_each(|name| check_parameter(name))?;
    let outputs: Vec<usize> = if outputs.is_empty() {
        let count =
            target.graph.as_ref().map_or_else(|| target.tensors.output_tensors().len(), |ports| ports.outputs.len());
        (0..count).collect()
    } else {
        let index = |output: &super::message::RequestedOutput<'_>| {
            output.parameters.iter().try_for_each(|name| check_output_parameter(name))?;
            output_index(target, output.name)
        };
        outputs.iter().map(index).collect::<Result<_, _>>()?
    };
    if !raw.is_empty() && raw.len() != inputs.len() {
        return Err(RequestError::invalid(format!(
            "`raw_input_contents` holds {} tensors, and there are {} inputs",
            raw.len(),
            inputs.len()
        )));
    }
    if let Some(ports) = &target.graph {
        let batch = tensors(ports, &inputs, &raw)?;
        return Ok((batch, Reply { id: id.to_owned(), outputs, raw: !raw.is_empty() }));
    }
    let mut assembly = None;
    let (mut input, mut shape) = (Input::default(), Vec::new());
    for (index, bytes) in inputs.iter().enumerate() {
        input.read(bytes)?;
        read_shape(&input.shape, &mut shape).map_err(|error| error.at(&format!("input `{}`: ", input.name)))?;
        let rows = shape.first().copied().unwrap_or(0);
        let assembly = assembly.get_or_insert_with(|| Assembly::new(target, rows));
        let raw = raw.get(index).copied();
        let only = inputs.len() == 1;
        let added = assembly.add(input.name, &shape, only, |place, expected| fill(&input, raw, expected, place));
        added.map_err(|error| assembly_error(error, target))?;
    }
    let assembly = assembly.unwrap_or_else(|| Assembly::new(target, 0));
    let batch = assembly.finish().map_err(|error| assembly_error(error, target))?;
    Ok((batch, Reply { id: id.to_owned(), outputs, raw: !raw.is_empty() }))
}

/// The tensors of a model of tensors.
fn tensors(ports: &GraphPorts, inputs: &[&[u8]], raw: &[&[u8]]) -> Result<RecordBatch, RequestError> {
    let mut given = Inputs::new(ports);
    let (mut input, mut shape) = (Input::default(), Vec::new());
    for (index, bytes) in inputs.iter().enumerate() {
        input.read(bytes)?;
        let (place, info) = given.find(input.name)?;
        let within = |error: RequestError| error.at(&format!("input `{}`: ", info.name));
        read_shape(&input.shape, &mut shape).map_err(within)?;
        let value = tensor_value(info, &input, &shape, raw.get(index).copied()).map_err(within)?;
        given.set(place, value)?;
    }
    carry(&ports.inputs, given.finish()?)
}

fn tensor_value(
    info: &TensorInfo,
    input: &Input<'_>,
    shape: &[u64],
    raw: Option<&[u8]>,
) -> Result<TensorValue, RequestError> {
    input.parameters.iter().try_for_each(|name| check_parameter(name))?;
    let shape: Vec<usize> = shape.iter().map(|size| usize::try_from(*size).unwrap_or(usize::MAX)).collect();
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    let count = count.ok_or_else(|| RequestError::invalid(format!("the shape {shape:?} is too large")))?;
    info.check_shape(&shape).map_err(RequestError::invalid)?;
    let datatype: Datatype = input
        .datatype
        .parse()
        .map_err(|()| RequestError::invalid(format!("`{}` is not a datatype of the protocol", input.datatype)))?;
    let mut builder = TensorBuilder::new(info);
    match raw {
        Some(_) if !input.contents.is_empty() => {
            return Err(RequestError::invalid("`contents` and `raw_input_contents` exclude each other"));
        }
        Some(raw) => fill_tensor(&mut builder, Elements::Binary(raw), datatype, count)?,
        None => {
            let (field, list) = list(&input.contents, datatype)?;
            if list.len() != count {
                let message =
                    format!("the shape {shape:?} asks for {count} elements, and `{field}` has {}", list.len());
                return Err(RequestError::invalid(message));
            }
            fill_tensor(&mut builder, Elements::List(list), datatype, count)?;
        }
    }
    builder.finish(shape).map_err(RequestError::invalid)
}

/// The tensors of a response.
fn encode_tensors(
    ports: &GraphPorts,
    response: &InferenceResponse,
    reply: &Reply,
    message: &mut ModelInferResponse,
) -> Result<(), RequestError> {
    let tensors = carried(&ports.outputs, &response.predictions, 0)?;
    for index in &reply.outputs {
        let (Some(info), Some(Some(value))) = (ports.outputs.get(*index), tensors.get(*index)) else { continue };
        let mut tensor = InferOutputTensor {
            name: info.name.clone(),
            datatype: value.element.oip_name().to_owned(),
            shape: value.shape.iter().map(|size| *size as i64).collect(),
            ..InferOutputTensor::default()
        };
        // Numbers of 16 bits have no list, so they are raw, and then all tensors are.
        let has_list = |value: &TensorValue| !matches!(value.element.oip_name(), "FP16" | "BF16");
        if reply.raw || !tensors.iter().flatten().all(has_list) {
            let mut bytes = Vec::new();
            write_binary(&mut bytes, value);
            message.raw_output_contents.push(bytes.into());
        } else {
            tensor.contents = Some(contents_of(value));
        }
        message.outputs.push(tensor);
    }
    Ok(())
}

fn fill(
    input: &Input<'_>,
    raw: Option<&[u8]>,
    expected: ExpectedElements,
    place: &mut ColumnWriter<'_>,
) -> Result<(), RequestError> {
    input.parameters.iter().try_for_each(|name| check_parameter(name))?;
    let datatype: Datatype = input
        .datatype
        .parse()
        .map_err(|()| RequestError::invalid(format!("`{}` is not a datatype of the protocol", input.datatype)))?;
    let elements = expected.elements;
    if let Some(raw) = raw {
        if !input.contents.is_empty() {
            return Err(RequestError::invalid("`contents` and `raw_input_contents` exclude each other"));
        }
        return Elements::Binary(raw).put(datatype, elements, place);
    }
    let (field, list) = list(&input.contents, datatype)?;
    let given = list.len();
    if given != elements {
        let shape = &input.shape;
        let message = format!("the shape {shape:?} asks for {elements} elements, and `{field}` has {given}");
        return Err(RequestError::invalid(message));
    }
    Elements::List(list).put(datatype, elements, place)
}

/// Writes the response.
pub(super) fn encode(
    target: &TargetSignature,
    response: &InferenceResponse,
    reply: Reply,
) -> Result<ModelInferResponse, RequestError> {
    let predictions = &response.predictions;
    let mut message = ModelInferResponse {
        model_name: target.name.clone(),
        model_version: response.version.map(|version| version.to_string()).unwrap_or_default(),
        id: reply.id.clone(),
        ..ModelInferResponse::default()
    };
    if let Some(ports) = target.graph.as_ref().filter(|_| is_carrier(predictions)) {
        encode_tensors(ports, response, &reply, &mut message)?;
        return Ok(message);
    }
    let tensors = target.tensors.output_tensors();
    for index in reply.outputs {
        let (Some(spec), Some(column)) = (tensors.get(index), predictions.columns().get(index)) else { continue };
        let output = Output::of(column)?;
        let mut tensor = InferOutputTensor {
            name: spec.name.to_owned(),
            datatype: spec.datatype.oip_name().to_owned(),
            shape: [predictions.num_rows()].into_iter().chain(row_width(column)).map(|size| size as i64).collect(),
            ..InferOutputTensor::default()
        };
        if reply.raw {
            let mut bytes = Vec::new();
            output.write_binary(&mut bytes)?;
            message.raw_output_contents.push(bytes.into());
        } else {
            tensor.contents = Some(contents(output));
        }
        message.outputs.push(tensor);
    }
    Ok(message)
}
