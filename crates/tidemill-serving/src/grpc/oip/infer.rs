//! `ModelInfer`: messages into the batch to predict, predictions into messages.

use arrow::array::RecordBatch;
use bytes::Bytes;

use super::contents::{contents, list};
use crate::grpc::proto::inference::model_infer_request::InferInputTensor;
use crate::grpc::proto::inference::model_infer_response::InferOutputTensor;
use crate::grpc::proto::inference::{InferTensorContents, ModelInferRequest, ModelInferResponse};
use crate::oip::{assembly_error, check_output_parameter, check_parameter, output_index};
use crate::request_error::RequestError;
use crate::tensor::{Assembly, Cell, Datatype, Expected, Output, binary_elements, push, row_width};
use crate::versions::LoadedModel;

/// How to answer.
#[derive(Debug)]
pub(super) struct Reply {
    id: String,
    outputs: Vec<usize>,
    /// As the request: tensors in binary or in lists.
    raw: bool,
}

/// Reads the tensors of a request.
pub(super) fn decode(model: &LoadedModel, request: ModelInferRequest) -> Result<(RecordBatch, Reply), RequestError> {
    let ModelInferRequest { id, parameters, inputs, outputs, raw_input_contents: raw, .. } = request;
    parameters.keys().try_for_each(|name| check_parameter(name))?;
    let outputs: Vec<usize> = if outputs.is_empty() {
        (0..model.signature().output_tensors().len()).collect()
    } else {
        let index = |output: &crate::grpc::proto::inference::model_infer_request::InferRequestedOutputTensor| {
            output.parameters.keys().try_for_each(|name| check_output_parameter(name))?;
            output_index(model, &output.name)
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
    let mut assembly = None;
    for (index, input) in inputs.iter().enumerate() {
        let within = |error: RequestError| error.within(&format!("input `{}`: ", input.name));
        let shape = shape(input).map_err(within)?;
        let rows = shape.first().copied().unwrap_or(0);
        let assembly = assembly.get_or_insert_with(|| Assembly::new(model, rows));
        let matrix = if inputs.len() == 1 { assembly.matrix_width(&input.name, &shape) } else { None };
        let added = match matrix {
            Some(width) => assembly.add_matrix(&input.name, width, |expected, push_at| {
                fill(input, raw.get(index), expected, |element, cell| push_at(element, &cell))
            }),
            None => assembly.add(&input.name, &shape, |column, expected| {
                fill(input, raw.get(index), expected, |element, cell| push(column, element, &cell))
            }),
        };
        added.map_err(|error| assembly_error(error, model))?;
    }
    let assembly = assembly.unwrap_or_else(|| Assembly::new(model, 0));
    let batch = assembly.finish().map_err(|error| assembly_error(error, model))?;
    Ok((batch, Reply { id, outputs, raw: !raw.is_empty() }))
}

fn shape(input: &InferInputTensor) -> Result<Vec<u64>, RequestError> {
    let size = |&size: &i64| {
        u64::try_from(size).map_err(|_| RequestError::invalid(format!("the size {size} in the shape is below 0")))
    };
    input.shape.iter().map(size).collect()
}

fn fill(
    input: &InferInputTensor,
    raw: Option<&Bytes>,
    expected: Expected,
    element: impl FnMut(usize, Cell<'_>) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    input.parameters.keys().try_for_each(|name| check_parameter(name))?;
    let datatype: Datatype = input
        .datatype
        .parse()
        .map_err(|()| RequestError::invalid(format!("`{}` is not a datatype of the protocol", input.datatype)))?;
    let elements = expected.elements;
    if let Some(raw) = raw {
        if input.contents.as_ref().is_some_and(|contents| !is_empty(contents)) {
            return Err(RequestError::invalid("`contents` and `raw_input_contents` exclude each other"));
        }
        return binary_elements(raw, datatype, elements, element);
    }
    let empty = InferTensorContents::default();
    let (field, list) = list(input.contents.as_ref().unwrap_or(&empty), datatype)?;
    let given = list.len();
    if given != elements {
        let shape = &input.shape;
        let message = format!("the shape {shape:?} asks for {elements} elements, and `{field}` has {given}");
        return Err(RequestError::invalid(message));
    }
    list.elements(datatype, element)
}

/// Whether no list has elements. Comparing with a message of none would cost more than all else that is done here.
fn is_empty(contents: &InferTensorContents) -> bool {
    let InferTensorContents {
        bool_contents,
        int_contents,
        int64_contents,
        uint_contents,
        uint64_contents,
        fp32_contents,
        fp64_contents,
        bytes_contents,
    } = contents;
    bool_contents.is_empty()
        && int_contents.is_empty()
        && int64_contents.is_empty()
        && uint_contents.is_empty()
        && uint64_contents.is_empty()
        && fp32_contents.is_empty()
        && fp64_contents.is_empty()
        && bytes_contents.is_empty()
}

/// Writes the answer.
pub(super) fn encode(
    model: &LoadedModel,
    predictions: &RecordBatch,
    reply: Reply,
) -> Result<ModelInferResponse, RequestError> {
    let mut response = ModelInferResponse {
        model_name: model.name.clone(),
        model_version: model.version.to_string(),
        id: reply.id,
        ..ModelInferResponse::default()
    };
    let tensors = model.signature().output_tensors();
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
            response.raw_output_contents.push(bytes.into());
        } else {
            tensor.contents = Some(contents(output));
        }
        response.outputs.push(tensor);
    }
    Ok(response)
}
