//! Predict: a tensor for each input.

use arrow::array::RecordBatch;

use super::message::{Message, Tensor};
use super::spec::response_spec;
use super::tensor::{fill, shape as read_shape, tensor as output_tensor, tensor_of, tensor_value};
use crate::inference::carrier::{carried, carry, is_carrier};
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::TargetSignature;
use crate::protocol::graph::Inputs;
use crate::protocol::grpc::proto::tensorflow::serving::PredictResponse;
use crate::protocol::tensor::{Assembly, AssemblyError, Output, row_width};
use crate::protocol::tfs::signature::{Method, check as check_signature};

/// Reads the inputs of a `PredictRequest` into the batch to predict, and the requested outputs.
pub(super) fn decode(
    target: &TargetSignature,
    request: &[u8],
    signature: &str,
) -> Result<(RecordBatch, Vec<usize>), RequestError> {
    check_signature(target, Method::Predict, Some(signature))?;
    let request = Message::read(request)?;
    let outputs = outputs(target, &request.output_filter)?;
    if let Some(ports) = &target.graph {
        let mut given = Inputs::new(ports);
        let mut read = Tensor::default();
        for (name, bytes) in &request.inputs {
            read.read(bytes)?;
            let (place, info) = given.find(name)?;
            let value = tensor_value(info, &read).map_err(|error| error.at(&format!("input `{name}`: ")))?;
            given.set(place, value)?;
        }
        return Ok((carry(&ports.inputs, given.finish()?)?, outputs));
    }
    let mut assembly = None;
    let (mut tensor, mut shape) = (Tensor::default(), Vec::new());
    for (name, bytes) in &request.inputs {
        tensor.read(bytes)?;
        read_shape(&tensor, &mut shape).map_err(|error| error.at(&format!("input `{name}`: ")))?;
        let rows = shape.first().copied().unwrap_or(0);
        let added =
            assembly
                .get_or_insert_with(|| Assembly::new(target, rows))
                .add(name, &shape, false, |place, expected| fill(place, &tensor, expected));
        added.map_err(|error| in_words(error, target))?;
    }
    let assembly = assembly.unwrap_or_else(|| Assembly::new(target, 0));
    Ok((assembly.finish().map_err(|error| in_words(error, target))?, outputs))
}

/// TF Serving's messages for inputs that are not in the signature.
fn in_words(error: AssemblyError, target: &TargetSignature) -> RequestError {
    let inputs = target.tensors.input_tensors();
    let names = |optional: bool| {
        let names = inputs.iter().filter(|input| optional || !input.optional).map(|input| input.name);
        names.collect::<Vec<_>>().join(",")
    };
    match error {
        AssemblyError::Unknown { name, reason } => RequestError::invalid(format!(
            "input tensor alias not found in signature: {name}. Inputs expected to be in the set {{{}}}. ({reason})",
            names(true)
        )),
        AssemblyError::Missing { name, datatype, sent, wanted } => RequestError::invalid(format!(
            "input size does not match signature: Missing but required: {name} ({datatype}). Sent: {{{sent}}}. \
             Required: {{{}}}. The model takes: {wanted}",
            names(false)
        )),
        AssemblyError::Other(error) => error,
    }
}

fn outputs(target: &TargetSignature, filter: &[&str]) -> Result<Vec<usize>, RequestError> {
    let tensors = target.tensors.output_tensors();
    let known: Vec<&str> = match &target.graph {
        Some(ports) => ports.output_names(),
        None => tensors.iter().map(|output| output.name).collect(),
    };
    if filter.is_empty() {
        return Ok((0..known.len()).collect());
    }
    let index = |name: &&str| {
        known.iter().position(|output| output == name).ok_or_else(|| {
            let names = &known;
            RequestError::invalid(format!(
                "output tensor alias not found in signature: {name} Outputs expected to be in the set {{{}}}.",
                names.join(",")
            ))
        })
    };
    filter.iter().map(index).collect()
}

/// Writes the response.
pub(super) fn encode(
    target: &TargetSignature,
    response: &InferenceResponse,
    outputs: &[usize],
    signature: &str,
) -> Result<PredictResponse, RequestError> {
    let predictions = &response.predictions;
    let model_spec = Some(response_spec(target, response.version, signature));
    let mut message = PredictResponse { model_spec, ..PredictResponse::default() };
    if let Some(ports) = target.graph.as_ref().filter(|_| is_carrier(predictions)) {
        let tensors = carried(&ports.outputs, predictions, 0)?;
        for &index in outputs {
            let (Some(info), Some(Some(value))) = (ports.outputs.get(index), tensors.get(index)) else { continue };
            message.outputs.insert(info.name.clone(), tensor_of(value));
        }
        return Ok(message);
    }
    let tensors = target.tensors.output_tensors();
    for &index in outputs {
        let (Some(spec), Some(column)) = (tensors.get(index), predictions.columns().get(index)) else { continue };
        let shape = [predictions.num_rows()].into_iter().chain(row_width(column));
        message.outputs.insert(spec.name.to_owned(), output_tensor(Output::of(column)?, shape));
    }
    Ok(message)
}
