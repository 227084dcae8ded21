//! The response to an infer request.

use super::request::Reply;
use crate::inference::carrier::{carried, is_carrier};
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::{GraphPorts, TargetSignature};
use crate::protocol::graph::json::write_nested;
use crate::protocol::graph::wire::write_binary;
use crate::protocol::json::write;
use crate::protocol::tensor::{Output, row_width};
use crate::protocol::tfs::rest::flat_values;

/// Writes a response. Returns the body and, if it ends with binary tensors, how many of its bytes are JSON.
pub(crate) fn encode(
    target: &TargetSignature,
    response: &InferenceResponse,
    reply: &Reply,
) -> Result<(Vec<u8>, Option<usize>), RequestError> {
    if let Some(ports) = target.graph.as_ref().filter(|_| is_carrier(&response.predictions)) {
        return encode_tensors(target, ports, response, reply);
    }
    let predictions = &response.predictions;
    let rows = predictions.num_rows();
    let tensors = target.tensors.output_tensors();
    let mut out = Vec::with_capacity(128 + 20 * rows);
    let mut binary = Vec::new();
    write_head(&mut out, target, response, reply);
    let all = || (0..predictions.num_columns()).map(|index| (index, reply.binary)).collect();
    let wanted: Vec<(usize, bool)> = reply.outputs.clone().unwrap_or_else(all);
    let mut failed = None;
    write::list(&mut out, wanted, |out, (index, as_binary)| {
        let (Some(tensor), Some(column)) = (tensors.get(index), predictions.columns().get(index)) else { return };
        out.extend_from_slice(b"{\"name\":");
        write::string(out, tensor.name);
        out.extend_from_slice(b",\"datatype\":\"");
        out.extend_from_slice(tensor.datatype.oip_name().as_bytes());
        out.extend_from_slice(b"\",\"shape\":[");
        write::integer(out, rows as u64);
        if let Some(width) = row_width(column) {
            out.push(b',');
            write::integer(out, width as u64);
        }
        out.push(b']');
        let written = if as_binary {
            let before = binary.len();
            let written = Output::of(column).and_then(|output| output.write_binary(&mut binary));
            out.extend_from_slice(b",\"parameters\":{\"binary_data_size\":");
            write::integer(out, (binary.len() - before) as u64);
            out.push(b'}');
            written
        } else {
            out.extend_from_slice(b",\"data\":");
            flat_values(out, column)
        };
        out.push(b'}');
        failed = failed.take().or(written.err());
    });
    if let Some(error) = failed {
        return Err(error);
    }
    out.push(b'}');
    let json_bytes = (!binary.is_empty()).then_some(out.len());
    out.append(&mut binary);
    Ok((out, json_bytes))
}

/// Everything before the list of outputs.
fn write_head(out: &mut Vec<u8>, target: &TargetSignature, response: &InferenceResponse, reply: &Reply) {
    out.extend_from_slice(b"{\"model_name\":");
    write::string(out, &target.name);
    if let Some(version) = response.version {
        out.extend_from_slice(b",\"model_version\":\"");
        write::integer(out, version);
        out.push(b'"');
    }
    if let Some(id) = &reply.id {
        out.extend_from_slice(b",\"id\":");
        write::string(out, id);
    }
    out.extend_from_slice(b",\"outputs\":");
}

/// As [`encode`], for a model of tensors.
fn encode_tensors(
    target: &TargetSignature,
    ports: &GraphPorts,
    response: &InferenceResponse,
    reply: &Reply,
) -> Result<(Vec<u8>, Option<usize>), RequestError> {
    let tensors = carried(&ports.outputs, &response.predictions, 0)?;
    let elements: usize = tensors.iter().flatten().map(|tensor| tensor.data.len()).sum();
    let (mut out, mut binary) = (Vec::with_capacity(128 + 12 * elements), Vec::new());
    write_head(&mut out, target, response, reply);
    let all = || (0..tensors.len()).map(|index| (index, reply.binary)).collect();
    let wanted: Vec<(usize, bool)> = reply.outputs.clone().unwrap_or_else(all);
    write::list(&mut out, wanted, |out, (index, as_binary)| {
        let (Some(info), Some(Some(tensor))) = (ports.outputs.get(index), tensors.get(index)) else { return };
        out.extend_from_slice(b"{\"name\":");
        write::string(out, &info.name);
        out.extend_from_slice(b",\"datatype\":\"");
        out.extend_from_slice(tensor.element.oip_name().as_bytes());
        out.extend_from_slice(b"\",\"shape\":");
        write::list(out, &tensor.shape, |out, size| write::integer(out, *size as u64));
        if as_binary {
            let before = binary.len();
            write_binary(&mut binary, tensor);
            out.extend_from_slice(b",\"parameters\":{\"binary_data_size\":");
            write::integer(out, (binary.len() - before) as u64);
            out.push(b'}');
        } else {
            out.extend_from_slice(b",\"data\":");
            write_nested(out, tensor, &[tensor.data.len()], 0, false);
        }
        out.push(b'}');
    });
    out.push(b'}');
    let json_bytes = (!binary.is_empty()).then_some(out.len());
    out.append(&mut binary);
    Ok((out, json_bytes))
}
