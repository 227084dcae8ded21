//! Predict for models of tensors: requests in rows or columns, nested as deep as the tensors are.

use arrow::array::RecordBatch;
use tidemill_model::{Dimension, TensorInfo, TensorValue};

use super::encode::ResponseLayout;
use super::predict::{object_or_error, take_signature_name};
use super::value::is_base64_object;
use crate::inference::carrier::{carried, carry};
use crate::inference::request_error::RequestError;
use crate::inference::signature::{GraphPorts, TargetSignature};
use crate::protocol::graph::json::{nested, write_nested};
use crate::protocol::graph::{Inputs, TensorBuilder};
use crate::protocol::json::{Kind, Reader, write};
use crate::protocol::tfs::signature::{self, Method};

/// Reads `{"signature_name"?: s, "instances": [row, …]}` or `{"signature_name"?: s, "inputs": tensors}`.
pub(super) fn decode(
    target: &TargetSignature,
    ports: &GraphPorts,
    body: &[u8],
) -> Result<(RecordBatch, ResponseLayout), RequestError> {
    let mut reader = Reader::new(body)?;
    object_or_error(&mut reader)?;
    let (mut decoded, mut signature_name) = (None, None);
    reader.object(|reader, name| {
        match &*name {
            "signature_name" => signature_name = Some(take_signature_name(reader)?),
            "instances" | "inputs" if decoded.is_some() => {
                return Err(RequestError::invalid(
                    "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist",
                ));
            }
            "instances" => decoded = Some((rows(ports, reader)?, ResponseLayout::Rows)),
            "inputs" => decoded = Some((tensors(ports, reader)?, ResponseLayout::Columns)),
            _ => {
                reader.skip()?;
            }
        }
        Ok::<_, RequestError>(())
    })?;
    reader.end()?;
    signature::check(target, Method::Predict, signature_name.as_deref())?;
    let (values, layout) = decoded.ok_or_else(|| RequestError::invalid("Missing 'inputs' or 'instances' key"))?;
    Ok((carry(&ports.inputs, values)?, layout))
}

fn at(name: &str) -> impl Fn(String) -> RequestError {
    move |reason| RequestError::invalid(format!("input `{name}`: {reason}"))
}

/// The only input of a model.
fn only(ports: &GraphPorts) -> Option<&TensorInfo> {
    match ports.inputs.as_slice() {
        [info] => Some(info),
        _ => None,
    }
}

/// `{name: tensor, …}`, or the tensor of the only input.
fn tensors(ports: &GraphPorts, reader: &mut Reader<'_>) -> Result<Vec<Option<TensorValue>>, RequestError> {
    let mut inputs = Inputs::new(ports);
    if reader.kind()? == Kind::Object && !is_base64_object(reader) {
        reader.object(|reader, name| {
            let (place, info) = inputs.find(&name)?;
            if reader.kind()? == Kind::Null {
                return Ok(reader.null()?);
            }
            let mut builder = TensorBuilder::new(info);
            let shape = nested(reader, &mut builder).map_err(|error| error.at(&format!("input `{name}`: ")))?;
            inputs.set(place, builder.finish(shape).map_err(at(&name))?)
        })?;
        return inputs.finish();
    }
    let Some(info) = only(ports) else {
        reader.skip()?;
        return Inputs::new(ports).finish();
    };
    let mut builder = TensorBuilder::new(info);
    let shape = nested(reader, &mut builder)?;
    inputs.set(0, builder.finish(shape).map_err(at(&info.name))?)?;
    inputs.finish()
}

/// One input, row by row.
struct Column<'a> {
    builder: TensorBuilder<'a>,
    /// The sizes of the value of a row, once one is known.
    inner: Option<Vec<usize>>,
    rows: usize,
}

impl Column<'_> {
    fn push(&mut self, reader: &mut Reader<'_>) -> Result<(), RequestError> {
        let row = self.rows;
        let place = |error: RequestError, name: &str| error.at(&format!("input `{name}`, row {row}: "));
        let name = self.builder.info.name.clone();
        let shape = nested(reader, &mut self.builder).map_err(|error| place(error, &name))?;
        let known = self.inner.get_or_insert_with(|| shape.clone());
        if *known != shape {
            let reason = format!("its sizes are {shape:?}, and those of the first row {known:?}");
            return Err(place(RequestError::invalid(reason), &name));
        }
        self.rows += 1;
        Ok(())
    }

    /// Fills a row that lacks the input.
    fn skip_row(&mut self) -> Result<(), RequestError> {
        let declared = || {
            let sizes = self.builder.info.shape.as_ref()?.get(1..)?.iter().map(|dimension| match dimension {
                Dimension::Fixed(size) => Some(*size),
                Dimension::Named(_) | Dimension::Open => None,
            });
            sizes.collect::<Option<Vec<usize>>>()
        };
        let inner = self.inner.clone().or_else(declared).unwrap_or_default();
        let count = inner.iter().product();
        let name = &self.builder.info.name;
        let filled = self.builder.push_missing(count);
        filled.map_err(|reason| RequestError::invalid(format!("input `{name}`, row {}: {reason}", self.rows)))?;
        self.inner = Some(inner);
        self.rows += 1;
        Ok(())
    }
}

fn rows(ports: &GraphPorts, reader: &mut Reader<'_>) -> Result<Vec<Option<TensorValue>>, RequestError> {
    if reader.kind()? != Kind::Array {
        return Err(RequestError::invalid("Expecting 'instances' to be an list/array"));
    }
    let mut columns: Vec<Column<'_>> =
        ports.inputs.iter().map(|info| Column { builder: TensorBuilder::new(info), inner: None, rows: 0 }).collect();
    let (mut count, mut first_is_object) = (0, None);
    reader.array(|reader| {
        let is_object = reader.kind()? == Kind::Object && !(only(ports).is_some() && is_base64_object(reader));
        if *first_is_object.get_or_insert(is_object) != is_object {
            return Err(RequestError::invalid(if is_object {
                format!("Expecting value/list but got object at item {count} of input list")
            } else {
                format!("Expecting object but got list at item {count} of input list")
            }));
        }
        if is_object {
            reader.object(|reader, name| {
                let (place, _) = Inputs::new(ports).find(&name)?;
                if reader.kind()? == Kind::Null {
                    return Ok(reader.null()?);
                }
                if columns[place].rows > count {
                    return Err(RequestError::invalid(format!("input `{name}` is given twice in row {count}")));
                }
                columns[place].push(reader)
            })?;
        } else if let Some(info) = only(ports) {
            if info.shape.as_ref().is_some_and(Vec::is_empty) {
                return Err(RequestError::invalid(format!("`{}` has no rows: send it as `inputs`", info.name)));
            }
            columns[0].push(reader)?;
        } else {
            let names: Vec<&str> = ports.inputs.iter().map(|info| info.name.as_str()).collect();
            return Err(RequestError::invalid(format!(
                "instances is a plain list, but expecting list of objects as multiple input tensors required as per \
                 tensorinfo_map: {}",
                names.join(", ")
            )));
        }
        count += 1;
        let mut absent = Vec::new();
        for (place, column) in columns.iter_mut().enumerate().filter(|(_, column)| column.rows < count) {
            if ports.inputs[place].optional {
                column.skip_row()?;
            } else {
                absent.push(place);
            }
        }
        if absent.is_empty() {
            return Ok(());
        }
        // The message of a request without these inputs.
        let mut given = Inputs::new(ports);
        for (place, info) in ports.inputs.iter().enumerate().filter(|(place, _)| !absent.contains(place)) {
            let data = tidemill_model::TensorData::Absent;
            given.set(place, TensorValue { element: info.element, shape: Vec::new(), data })?;
        }
        given.finish().map(drop).map_err(|error| error.at(&format!("row {}: ", count - 1)))
    })?;
    if count == 0 {
        return Err(RequestError::invalid("JSON Value: [] No values in 'instances' array"));
    }
    let mut inputs = Inputs::new(ports);
    for (place, column) in columns.into_iter().enumerate() {
        let name = column.builder.info.name.clone();
        let shape = [count].into_iter().chain(column.inner.unwrap_or_default()).collect();
        inputs.set(place, column.builder.finish(shape).map_err(at(&name))?)?;
    }
    inputs.finish()
}

/// Writes the tensors of a response: a single output has no name, several keep theirs.
pub(crate) fn encode(
    ports: &GraphPorts,
    predictions: &RecordBatch,
    layout: ResponseLayout,
) -> Result<Vec<u8>, RequestError> {
    let tensors: Vec<TensorValue> = carried(&ports.outputs, predictions, 0)?.into_iter().flatten().collect();
    let named: Vec<(&str, &TensorValue)> = ports.output_names().into_iter().zip(&tensors).collect();
    let in_base64 = |name: &str| name.ends_with("_bytes");
    let mut out = Vec::with_capacity(64 + tensors.iter().map(|tensor| 12 * tensor.data.len()).sum::<usize>());
    if layout == ResponseLayout::Columns {
        out.extend_from_slice(b"{\"outputs\":");
        if let [(name, tensor)] = named.as_slice() {
            write_nested(&mut out, tensor, &tensor.shape, 0, in_base64(name));
        } else {
            object(&mut out, &named, |out, name, tensor| {
                write_nested(out, tensor, &tensor.shape, 0, in_base64(name));
            });
        }
        out.push(b'}');
        return Ok(out);
    }
    let rows = tensors.first().and_then(|tensor| tensor.shape.first()).copied();
    let uneven = named.iter().find(|(_, tensor)| tensor.shape.first().copied() != rows || rows.is_none());
    let rows = match (uneven, rows) {
        (None, Some(rows)) => rows,
        (Some((name, tensor)), _) => {
            return Err(RequestError::invalid(format!(
                "output `{name}` of shape {:?} has not a row for each instance: send the request as `inputs`",
                tensor.shape
            )));
        }
        (None, None) => 0,
    };
    out.extend_from_slice(b"{\"predictions\":");
    write::list(&mut out, 0..rows, |out, row| {
        let value = |out: &mut Vec<u8>, name: &str, tensor: &TensorValue| {
            let inner = &tensor.shape[1..];
            write_nested(out, tensor, inner, row * inner.iter().product::<usize>(), in_base64(name));
        };
        match named.as_slice() {
            [(name, tensor)] => value(out, name, tensor),
            named => object(out, named, value),
        }
    });
    out.push(b'}');
    Ok(out)
}

fn object(out: &mut Vec<u8>, named: &[(&str, &TensorValue)], mut value: impl FnMut(&mut Vec<u8>, &str, &TensorValue)) {
    out.push(b'{');
    for (at, (name, tensor)) in named.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write::string(out, name);
        out.push(b':');
        value(out, name, tensor);
    }
    out.push(b'}');
}
