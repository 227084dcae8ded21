//! The body of a predict request.

use arrow::array::RecordBatch;
use tidemill_core::DataType;
use tidemill_model::BatchBuilder;

use super::columns::push_columns;
use super::encode::ResponseLayout;
use super::rows::Rows;
use super::value::{Dialect, excerpt, is_base64_object};
use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;
use crate::protocol::json::{Kind, Reader};
use crate::protocol::tfs::signature::{self, Method};

/// Approximate bytes of a request per value; a first guess at the number of rows.
const VALUE_BYTES: usize = 20;

/// Reads `{"signature_name"?: s, "instances": [row, …]}` or `{"signature_name"?: s, "inputs": columns}`.
pub(super) fn decode(target: &TargetSignature, body: &[u8]) -> Result<(RecordBatch, ResponseLayout), RequestError> {
    let mut reader = Reader::new(body)?;
    object_or_error(&mut reader)?;
    let rows_expected = body.len() / (VALUE_BYTES * target.tensors.inputs.len().max(1)) + 1;
    let mut builder = Some(target.batch_builder(rows_expected));
    let mut decoded = None;
    let mut signature_name = None;
    reader.object(|reader, name| {
        match &*name {
            "signature_name" => signature_name = Some(take_signature_name(reader)?),
            "instances" | "inputs" => {
                let builder = builder.take().ok_or_else(conflicting_keys)?;
                decoded = Some(if name == "inputs" { columns(builder, reader)? } else { rows(builder, reader)? });
            }
            _ => {
                reader.skip()?;
            }
        }
        Ok::<_, RequestError>(())
    })?;
    reader.end()?;
    signature::check(target, Method::Predict, signature_name.as_deref())?;
    decoded.ok_or_else(|| RequestError::invalid("Missing 'inputs' or 'instances' key"))
}

/// The body of every request is an object.
pub(super) fn object_or_error(reader: &mut Reader<'_>) -> Result<(), RequestError> {
    if reader.kind()? == Kind::Object {
        return Ok(());
    }
    let text = excerpt(reader.skip()?);
    reader.end()?;
    Err(RequestError::invalid(format!("JSON Value: {text} Is not object")))
}

pub(super) fn take_signature_name(reader: &mut Reader<'_>) -> Result<String, RequestError> {
    if reader.kind()? == Kind::String {
        return Ok(reader.string()?.into_owned());
    }
    let text = excerpt(reader.skip()?);
    Err(RequestError::invalid(format!(
        "JSON Value: {text} not formatted correctly. 'signature_name' key must be a string value."
    )))
}

fn conflicting_keys() -> RequestError {
    RequestError::invalid("Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist")
}

fn columns(mut builder: BatchBuilder, reader: &mut Reader<'_>) -> Result<(RecordBatch, ResponseLayout), RequestError> {
    let rows = push_columns(&mut builder, reader)?;
    Ok((builder.finish(rows)?, ResponseLayout::Columns))
}

fn rows(builder: BatchBuilder, reader: &mut Reader<'_>) -> Result<(RecordBatch, ResponseLayout), RequestError> {
    if reader.kind()? != Kind::Array {
        let text = excerpt(reader.skip()?);
        return Err(RequestError::invalid(format!("JSON Value: {text} Expecting 'instances' to be an list/array")));
    }
    let single = match builder.specs() {
        [spec] => Some(spec.datatype),
        _ => None,
    };
    let mut rows = Rows::new(builder, Dialect::Tensor);
    let mut first_is_object = None;
    reader.array(|reader| {
        let is_object =
            reader.kind()? == Kind::Object && !(single == Some(DataType::Bytes) && is_base64_object(reader));
        if *first_is_object.get_or_insert(is_object) != is_object {
            let row = rows.count();
            return Err(RequestError::invalid(if is_object {
                format!("Expecting value/list but got object at item {row} of input list")
            } else {
                format!("Expecting object but got list at item {row} of input list")
            }));
        }
        match (is_object, single) {
            (true, _) => rows.push_object(reader, &[], "instances"),
            (false, Some(_)) => rows.push_bare(reader),
            (false, None) => Err(RequestError::invalid(
                "instances is a plain list, but expecting list of objects as multiple input tensors required as per \
                 tensorinfo_map: "
                    .to_owned()
                    + &rows.describe_inputs(),
            )),
        }
    })?;
    let count = rows.count();
    if count == 0 {
        return Err(RequestError::invalid("JSON Value: [] No values in 'instances' array"));
    }
    Ok((rows.into_builder().finish(count)?, ResponseLayout::Rows))
}
