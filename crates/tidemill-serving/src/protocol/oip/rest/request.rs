//! The body of an infer request.

use arrow::array::RecordBatch;

use tidemill_model::{TensorInfo, TensorValue};

use super::data;
use crate::inference::carrier::carry;
use crate::inference::request_error::RequestError;
use crate::inference::signature::{GraphPorts, TargetSignature};
use crate::protocol::graph::json::nested;
use crate::protocol::graph::wire::fill as fill_tensor;
use crate::protocol::graph::{Inputs, TensorBuilder};
use crate::protocol::json::{Kind, Reader};
use crate::protocol::tensor::{Assembly, AssemblyError, ColumnWriter, Datatype, Elements, ExpectedElements, Scalar};

/// A parsed request.
#[derive(Debug)]
pub(crate) struct InferRequest {
    /// The rows to predict.
    pub(crate) batch: RecordBatch,
    /// How to respond.
    pub(crate) reply: Reply,
}

/// How to respond to a request.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// Repeated in the response.
    pub(super) id: Option<String>,
    /// The requested outputs as index and whether in binary; `None`: all of them.
    pub(super) outputs: Option<Vec<(usize, bool)>>,
    /// Outputs are binary by default.
    pub(super) binary: bool,
}

/// One tensor of a request, its data still text or bytes.
struct Tensor<'a> {
    name: String,
    shape: Vec<u64>,
    datatype: Datatype,
    binary_bytes: Option<usize>,
    data: Option<&'a str>,
}

/// Reads a body whose first `json_bytes` bytes are JSON (all of them where `None`) and whose rest is binary tensors.
pub(crate) fn decode(
    target: &TargetSignature,
    body: &[u8],
    json_bytes: Option<usize>,
) -> Result<InferRequest, RequestError> {
    let (json, binary) = body.split_at_checked(json_bytes.unwrap_or(body.len())).ok_or_else(|| {
        RequestError::invalid(format!(
            "the header `Inference-Header-Content-Length` is greater than the body of {} bytes",
            body.len()
        ))
    })?;
    let mut reader = Reader::new(json)?;
    if reader.kind()? != Kind::Object {
        return Err(RequestError::invalid("the body must be a JSON object"));
    }
    let mut reply = Reply::default();
    let mut inputs = None;
    let mut outputs = Vec::new();
    reader.object(|reader, name| {
        match &*name {
            "id" if reader.kind()? == Kind::String => reply.id = Some(reader.string()?.into_owned()),
            "id" => return Err(RequestError::invalid("`id` must be a string")),
            "parameters" => {
                parameters(reader, |name, reader| {
                    if name == "binary_data_output" {
                        reply.binary = flag(name, reader)?;
                    }
                    Ok(())
                })?;
            }
            "inputs" => inputs = Some(list(reader, "inputs", tensor)?),
            "outputs" => {
                outputs = list(reader, "outputs", |reader| output(target, reader))?;
            }
            _ => {
                reader.skip()?;
            }
        }
        Ok::<_, RequestError>(())
    })?;
    reader.end()?;
    if !outputs.is_empty() {
        let outputs = outputs.into_iter().map(|(index, binary)| (index, binary.unwrap_or(reply.binary)));
        reply.outputs = Some(outputs.collect());
    }
    let inputs = inputs.ok_or_else(|| RequestError::invalid("the key `inputs` is missing"))?;
    Ok(InferRequest { batch: batch(target, &inputs, binary)?, reply })
}

fn list<'a, T>(
    reader: &mut Reader<'a>,
    key: &str,
    mut item: impl FnMut(&mut Reader<'a>) -> Result<T, RequestError>,
) -> Result<Vec<T>, RequestError> {
    if reader.kind()? != Kind::Array {
        return Err(RequestError::invalid(format!("`{key}` must be a list")));
    }
    let mut items = Vec::new();
    reader.array(|reader| {
        if reader.kind()? != Kind::Object {
            return Err(RequestError::invalid(format!("each of `{key}` must be an object")));
        }
        items.push(item(reader)?);
        Ok(())
    })?;
    Ok(items)
}

/// Reads an object of parameters; parameters that `known` does not handle are ignored, as the protocol requires.
fn parameters<'a>(
    reader: &mut Reader<'a>,
    mut known: impl FnMut(&str, &mut Reader<'a>) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    if reader.kind()? != Kind::Object {
        return Err(RequestError::invalid("`parameters` must be an object"));
    }
    reader.object(|reader, name| {
        check_parameter(&name)?;
        known(&name, &mut reader.clone())?;
        reader.skip()?;
        Ok(())
    })
}

/// A parameter that would change the meaning of a request must not be ignored.
pub(crate) fn check_parameter(name: &str) -> Result<(), RequestError> {
    if name.starts_with("shared_memory") {
        return Err(RequestError::invalid(format!("the parameter `{name}` is not supported")));
    }
    Ok(())
}

/// As [`check_parameter`], for a requested output.
pub(crate) fn check_output_parameter(name: &str) -> Result<(), RequestError> {
    if name == "classification" {
        return Err(RequestError::invalid("the parameter `classification` is not supported"));
    }
    check_parameter(name)
}

fn flag(name: &str, reader: &mut Reader<'_>) -> Result<bool, RequestError> {
    match reader.kind()? {
        Kind::True | Kind::False => Ok(reader.boolean()?),
        _ => Err(RequestError::invalid(format!("the parameter `{name}` must be true or false"))),
    }
}

fn unsigned(what: &str, reader: &mut Reader<'_>) -> Result<u64, RequestError> {
    let number = if reader.kind()? == Kind::Number { reader.number()?.as_u64() } else { None };
    number.ok_or_else(|| RequestError::invalid(format!("{what} must be a whole number")))
}

fn text(key: &str, reader: &mut Reader<'_>) -> Result<String, RequestError> {
    match reader.kind()? {
        Kind::String => Ok(reader.string()?.into_owned()),
        _ => Err(RequestError::invalid(format!("`{key}` must be a string"))),
    }
}

fn tensor<'a>(reader: &mut Reader<'a>) -> Result<Tensor<'a>, RequestError> {
    let (mut name, mut shape, mut datatype, mut binary_bytes, mut data) = (None, None, None, None, None);
    reader.object(|reader, key| {
        match &*key {
            "name" => name = Some(text("name", reader)?),
            "datatype" => datatype = Some(text("datatype", reader)?),
            "shape" => shape = Some(reader.skip()?),
            "parameters" => parameters(reader, |name, reader| {
                if name == "binary_data_size" {
                    binary_bytes = Some(unsigned("the parameter `binary_data_size`", reader)?);
                }
                Ok(())
            })?,
            "data" => data = Some(reader.skip()?),
            _ => {
                reader.skip()?;
            }
        }
        Ok::<_, RequestError>(())
    })?;
    let lacks = |key: &str| RequestError::invalid(format!("an input lacks the key `{key}`"));
    let name = name.ok_or_else(|| lacks("name"))?;
    let within = |error: RequestError| error.at(&format!("input `{name}`: "));
    let shape = shape.ok_or_else(|| within(lacks("shape")))?;
    let shape = sizes(shape).map_err(within)?;
    let datatype = datatype.ok_or_else(|| within(lacks("datatype")))?;
    let datatype = datatype
        .parse()
        .map_err(|()| within(RequestError::invalid(format!("`{datatype}` is not a datatype of the protocol"))))?;
    let binary_bytes = binary_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    Ok(Tensor { name, shape, datatype, binary_bytes, data })
}

fn sizes(shape: &str) -> Result<Vec<u64>, RequestError> {
    let mut reader = Reader::of_value(shape);
    if reader.kind()? != Kind::Array {
        return Err(RequestError::invalid("`shape` must be a list"));
    }
    let mut sizes = Vec::new();
    reader.array(|reader| {
        sizes.push(unsigned("each size of `shape`", reader)?);
        Ok::<_, RequestError>(())
    })?;
    Ok(sizes)
}

/// Reads one requested output as its index and its binary flag, if present.
fn output(target: &TargetSignature, reader: &mut Reader<'_>) -> Result<(usize, Option<bool>), RequestError> {
    let (mut name, mut binary) = (None, None);
    reader.object(|reader, key| {
        match &*key {
            "name" => name = Some(text("name", reader)?),
            "parameters" => parameters(reader, |name, reader| {
                if name == "binary_data" {
                    binary = Some(flag(name, reader)?);
                }
                check_output_parameter(name)
            })?,
            _ => {
                reader.skip()?;
            }
        }
        Ok::<_, RequestError>(())
    })?;
    let name = name.ok_or_else(|| RequestError::invalid("an output lacks the key `name`"))?;
    let index = output_index(target, &name)?;
    Ok((index, binary))
}

/// The index of the output `name`.
pub(crate) fn output_index(target: &TargetSignature, name: &str) -> Result<usize, RequestError> {
    if let Some(ports) = &target.graph {
        return ports.output(name).ok_or_else(|| {
            let known: Vec<String> = ports.output_names().iter().map(|name| format!("`{name}`")).collect();
            RequestError::invalid(format!(
                "unexpected inference output `{name}` for model `{}`; it has {}",
                target.name,
                known.join(", ")
            ))
        });
    }
    let outputs = target.tensors.output_tensors();
    outputs.iter().position(|output| output.name == name).ok_or_else(|| {
        let known: Vec<String> = outputs.iter().map(|output| format!("`{}`", output.name)).collect();
        RequestError::invalid(format!(
            "unexpected inference output `{name}` for model `{}`; it has {}",
            target.name,
            known.join(", ")
        ))
    })
}

/// Whether the columns of one tensor are the inputs of the model, which has none of its name.
fn is_matrix(target: &TargetSignature, ports: &GraphPorts, inputs: &[Tensor<'_>]) -> bool {
    let [tensor] = inputs else { return false };
    target.takes_matrix() && ports.inputs.len() > 1 && !ports.inputs.iter().any(|info| info.name == tensor.name)
}

/// The tensors of a model of tensors.
fn tensors(ports: &GraphPorts, inputs: &[Tensor<'_>], mut binary: &[u8]) -> Result<RecordBatch, RequestError> {
    let mut given = Inputs::new(ports);
    for tensor in inputs {
        let (place, info) = given.find(&tensor.name)?;
        let within = |error: RequestError| error.at(&format!("input `{}`: ", tensor.name));
        let part = take_binary(tensor, &mut binary).map_err(within)?;
        let value = tensor_value(info, tensor, part).map_err(within)?;
        given.set(place, value)?;
    }
    if !binary.is_empty() {
        let message = format!("the body holds {} bytes of binary data after the last tensor", binary.len());
        return Err(RequestError::invalid(message));
    }
    carry(&ports.inputs, given.finish()?)
}

fn tensor_value(info: &TensorInfo, tensor: &Tensor<'_>, part: Option<&[u8]>) -> Result<TensorValue, RequestError> {
    let shape: Vec<usize> = tensor.shape.iter().map(|size| usize::try_from(*size).unwrap_or(usize::MAX)).collect();
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    let count = count.ok_or_else(|| RequestError::invalid(format!("the shape {shape:?} is too large")))?;
    info.check_shape(&shape).map_err(RequestError::invalid)?;
    let mut builder = TensorBuilder::new(info);
    match (part, tensor.data) {
        (Some(bytes), None) => fill_tensor(&mut builder, Elements::Binary(bytes), tensor.datatype, count)?,
        (None, Some(data)) => {
            let sizes = nested(&mut Reader::of_value(data), &mut builder)?;
            if builder.len() != count {
                return Err(RequestError::invalid(format!(
                    "the shape {shape:?} asks for {count} elements, and `data` has {}",
                    builder.len()
                )));
            }
            // Flat, or nested as the shape is.
            if sizes.len() > 1 && sizes != shape {
                return Err(RequestError::invalid("the nesting of `data` does not match `shape`"));
            }
        }
        (Some(_), Some(_)) => {
            return Err(RequestError::invalid("`data` and `binary_data_size` exclude each other"));
        }
        (None, None) => return Err(RequestError::invalid("the key `data` is missing")),
    }
    builder.finish(shape).map_err(RequestError::invalid)
}

fn batch(target: &TargetSignature, inputs: &[Tensor<'_>], mut binary: &[u8]) -> Result<RecordBatch, RequestError> {
    if let Some(ports) = target.graph.as_ref().filter(|ports| !is_matrix(target, ports, inputs)) {
        return tensors(ports, inputs, binary);
    }
    let rows = inputs.first().and_then(|tensor| tensor.shape.first()).copied().unwrap_or(0);
    let mut assembly = Assembly::new(target, rows);
    for tensor in inputs {
        let filled = assembly.add(&tensor.name, &tensor.shape, inputs.len() == 1, |place, expected| {
            let part = take_binary(tensor, &mut binary)?;
            fill(tensor, expected, part, place)
        });
        filled.map_err(|error| assembly_error(error, target))?;
    }
    if !binary.is_empty() {
        return Err(RequestError::invalid(format!("{} bytes of binary data belong to no input", binary.len())));
    }
    assembly.finish().map_err(|error| assembly_error(error, target))
}

/// The messages of this protocol for tensors that do not form a batch.
pub(crate) fn assembly_error(error: AssemblyError, target: &TargetSignature) -> RequestError {
    let of = &target.name;
    match error {
        AssemblyError::Unknown { name, reason } => {
            RequestError::invalid(format!("unexpected inference input `{name}` for model `{of}` ({reason})"))
        }
        AssemblyError::Missing { name, datatype, sent, wanted } => RequestError::invalid(format!(
            "missing inference input `{name}` ({datatype}) for model `{of}`; sent: {{{sent}}}; it takes {wanted}"
        )),
        AssemblyError::Other(error) => error,
    }
}

/// The binary data of a tensor, if it has some: the next bytes after those of the previous tensor.
fn take_binary<'a>(tensor: &Tensor<'_>, binary: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RequestError> {
    let Some(bytes) = tensor.binary_bytes else { return Ok(None) };
    let (part, rest) = binary.split_at_checked(bytes).ok_or_else(|| {
        let left = binary.len();
        RequestError::invalid(format!("`binary_data_size` is {bytes}, and {left} bytes of binary data are left"))
    })?;
    *binary = rest;
    Ok(Some(part))
}

fn fill(
    tensor: &Tensor<'_>,
    expected: ExpectedElements,
    binary: Option<&[u8]>,
    place: &mut ColumnWriter<'_>,
) -> Result<(), RequestError> {
    let ExpectedElements { elements, nested } = expected;
    match (binary, tensor.data) {
        (Some(bytes), None) => Elements::Binary(bytes).put(tensor.datatype, elements, place),
        (None, Some(data)) => {
            let element = |at: usize, cell: Scalar<'_>| place.push(at, &cell);
            let count = data::elements(data, tensor.datatype, nested, element)?;
            if count == elements {
                return Ok(());
            }
            let shape = &tensor.shape;
            let message = format!("the shape {shape:?} asks for {elements} elements, and `data` has {count}");
            Err(RequestError::invalid(message))
        }
        (Some(_), Some(_)) => Err(RequestError::invalid("`data` and `binary_data_size` exclude each other")),
        (None, None) => Err(RequestError::invalid("the key `data` is missing")),
    }
}
