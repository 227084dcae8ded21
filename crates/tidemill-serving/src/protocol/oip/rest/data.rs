//! Elements of a tensor written in JSON, flat or nested.

use std::borrow::Cow;

use crate::inference::request_error::RequestError;
use crate::protocol::json::{Kind, Number, Reader};
use crate::protocol::tensor::{Datatype, Scalar};
use crate::protocol::tfs::rest::{base64_object, excerpt};

/// Reads the list `data` of a tensor of shape `[rows]` or, if `nested` is its width, `[rows, width]`, flat or nested,
/// and passes its elements on.
/// Returns how many there were.
pub(super) fn elements(
    data: &str,
    datatype: Datatype,
    nested: Option<usize>,
    mut element: impl FnMut(usize, Scalar<'_>) -> Result<(), RequestError>,
) -> Result<usize, RequestError> {
    let mut reader = Reader::of_value(data);
    if reader.kind()? != Kind::Array {
        return Err(RequestError::invalid("`data` must be a list"));
    }
    let mut count = 0;
    reader.array(|reader| {
        if reader.kind()? != Kind::Array {
            element(count, cell(reader, datatype)?)?;
            count += 1;
            return Ok(());
        }
        let mut inner = 0;
        reader.array(|reader| {
            inner += 1;
            if nested.is_none_or(|width| inner > width) || reader.kind()? == Kind::Array {
                return Err(RequestError::invalid("the nesting of `data` does not match `shape`"));
            }
            element(count, cell(reader, datatype)?)?;
            count += 1;
            Ok(())
        })?;
        match nested {
            _ if inner == 0 => Err(RequestError::invalid("`data` holds an empty list")),
            Some(width) if inner != width => Err(RequestError::invalid("the nesting of `data` does not match `shape`")),
            _ => Ok(()),
        }
    })?;
    Ok(count)
}

fn cell<'a>(reader: &mut Reader<'a>, datatype: Datatype) -> Result<Scalar<'a>, RequestError> {
    let kind = reader.kind()?;
    match (kind, datatype) {
        (Kind::Null, _) => {
            reader.null()?;
            Ok(Scalar::Missing)
        }
        (Kind::True | Kind::False, Datatype::Bool) => Ok(Scalar::Bool(reader.boolean()?)),
        (Kind::String, Datatype::Bytes) => Ok(Scalar::Text(reader.string()?)),
        // The protocol has bytes in binary form only; in JSON they are written as in TF Serving.
        (Kind::Object, Datatype::Bytes) => match base64_object(reader) {
            Ok(bytes) => Ok(Scalar::Bytes(Cow::Owned(bytes))),
            Err(error) => Err(error.at(String::new)),
        },
        (Kind::Number, Datatype::Bool | Datatype::Bytes) => Err(type_error(reader.number()?.text(), datatype)),
        (Kind::Number, _) => number(reader.number()?, datatype),
        _ => Err(type_error(&excerpt(reader.skip()?), datatype)),
    }
}

fn number<'a>(number: Number<'_>, datatype: Datatype) -> Result<Scalar<'a>, RequestError> {
    if let Some((least, most)) = datatype.integer_range() {
        let value = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        return match value.filter(|value| (least..=most).contains(value)) {
            Some(value) => Ok(Scalar::Integer(value)),
            None => Err(type_error(number.text(), datatype)),
        };
    }
    let value = number.as_f64()?;
    let narrowed = match datatype {
        Datatype::Fp16 => half::f16::from_f64(value).to_f64(),
        Datatype::Bf16 => half::bf16::from_f64(value).to_f64(),
        // Parsed from the text, not from the wider number, so that it is rounded once.
        Datatype::Fp32 if value.is_finite() => number.text().parse::<f32>().map_or(value, f64::from),
        _ => value,
    };
    if narrowed.is_infinite() && value.is_finite() {
        return Err(type_error(number.text(), datatype));
    }
    Ok(Scalar::Float(narrowed))
}

fn type_error(found: &str, datatype: Datatype) -> RequestError {
    RequestError::invalid(format!("`{found}` is not {}", datatype.name()))
}
