//! Tensors in JSON: nested lists of any depth.

use std::borrow::Cow;

use tidemill_core::ElementType;
use tidemill_model::{TensorData, TensorValue};

use super::TensorBuilder;
use crate::inference::request_error::RequestError;
use crate::protocol::json::{Kind, Reader, write};
use crate::protocol::tensor::Scalar;
use crate::protocol::tfs::rest::{base64_object, excerpt};

/// Deeper nesting is rejected.
const DEPTH_MAX: usize = 64;

/// Reads a value or nested lists of values, appends them to `builder`, and returns the sizes of the lists.
pub(crate) fn nested(reader: &mut Reader<'_>, builder: &mut TensorBuilder<'_>) -> Result<Vec<usize>, RequestError> {
    let mut shape = Sizes::default();
    level(reader, builder, 0, &mut shape)?;
    Ok(shape.sizes)
}

/// The sizes of nested lists, once they are known.
#[derive(Default)]
struct Sizes {
    sizes: Vec<usize>,
    /// The depth of the values.
    leaves: Option<usize>,
}

fn level(
    reader: &mut Reader<'_>,
    builder: &mut TensorBuilder<'_>,
    depth: usize,
    shape: &mut Sizes,
) -> Result<(), RequestError> {
    if reader.kind()? != Kind::Array {
        if *shape.leaves.get_or_insert(depth) != depth {
            return Err(ragged(depth));
        }
        let cell = cell(reader, builder.info.element)?;
        return builder.push(&cell).map_err(RequestError::invalid);
    }
    if depth >= DEPTH_MAX || shape.leaves.is_some_and(|leaves| depth >= leaves) {
        return Err(ragged(depth));
    }
    let mut count = 0;
    reader.array(|reader| {
        count += 1;
        level(reader, builder, depth + 1, shape)
    })?;
    if shape.sizes.len() <= depth {
        shape.sizes.resize(depth + 1, usize::MAX);
    }
    // Inner lists are complete before outer ones.
    let known = &mut shape.sizes[depth];
    if *known == usize::MAX {
        *known = count;
    } else if *known != count {
        return Err(RequestError::invalid(format!(
            "Encountered list at unexpected size: {count} at level: {depth} expected size: {known}"
        )));
    }
    Ok(())
}

fn ragged(depth: usize) -> RequestError {
    RequestError::invalid(format!(
        "the lists are not nested equally: a value or a list is out of place at level {depth}"
    ))
}

fn cell<'a>(reader: &mut Reader<'a>, element: ElementType) -> Result<Scalar<'a>, RequestError> {
    let kind = reader.kind()?;
    Ok(match kind {
        Kind::Null => {
            reader.null()?;
            Scalar::Missing
        }
        Kind::True | Kind::False => Scalar::Bool(reader.boolean()?),
        Kind::String => Scalar::Text(reader.string()?),
        Kind::Number => {
            let number = reader.number()?;
            let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            match whole {
                Some(whole) if number.is_integer() => Scalar::Integer(whole),
                _ => Scalar::Float(number.as_f64()?),
            }
        }
        Kind::Object if element == ElementType::Bytes => match base64_object(reader) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Scalar::Text(Cow::Owned(text)),
                Err(error) => Scalar::Bytes(Cow::Owned(error.into_bytes())),
            },
            Err(error) => return Err(error.at(String::new)),
        },
        _ => {
            let text = excerpt(reader.skip()?);
            return Err(RequestError::invalid(format!("{text} is not a valid {element}")));
        }
    })
}

/// Writes elements `from..` of a tensor as nested lists of these sizes.
pub(crate) fn write_nested(out: &mut Vec<u8>, tensor: &TensorValue, shape: &[usize], from: usize, in_base64: bool) {
    let Some((size, inner)) = shape.split_first() else { return write_element(out, tensor, from, in_base64) };
    let width: usize = inner.iter().product();
    write::list(out, 0..*size, |out, at| write_nested(out, tensor, inner, from + at * width, in_base64));
}

fn write_element(out: &mut Vec<u8>, tensor: &TensorValue, at: usize, in_base64: bool) {
    use base64::Engine as _;
    match &tensor.data {
        TensorData::F32(values) => write_single(out, values[at]),
        TensorData::F64(values) => write::float(out, values[at]),
        TensorData::Int(values) if tensor.element == ElementType::Uint64 => write::integer(out, values[at] as u64),
        TensorData::Int(values) => write::integer(out, values[at]),
        TensorData::Bool(values) => write::boolean(out, values[at]),
        TensorData::Text(values) if in_base64 => {
            out.extend_from_slice(b"{\"b64\":\"");
            out.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(&values[at]).as_bytes());
            out.extend_from_slice(b"\"}");
        }
        TensorData::Text(values) => write::string(out, &values[at]),
        TensorData::List(_) | TensorData::Absent => out.extend_from_slice(b"null"),
    }
}

/// Writes a 32-bit number in the fewest digits that read back as the same one.
fn write_single(out: &mut Vec<u8>, value: f32) {
    let shortest = if value.is_finite() { value.to_string().parse().unwrap_or(f64::from(value)) } else { value.into() };
    write::float(out, shortest);
}
