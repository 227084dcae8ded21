//! The body of a classify or regress request.

use std::borrow::Cow;

use arrow::array::RecordBatch;

use super::predict::{object_or_error, take_signature_name};
use super::rows::{Rows, push_objects};
use super::value::{Dialect, excerpt};
use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;
use crate::protocol::json::{Kind, Reader};
use crate::protocol::tfs::signature::{self, Method};

/// Reads `{"signature_name"?: s, "context"?: {feature: value}, "examples": [{feature: value or [value]}, …]}`.
/// The features of the context belong to every example.
pub(super) fn decode(method: Method, target: &TargetSignature, body: &[u8]) -> Result<RecordBatch, RequestError> {
    let mut reader = Reader::new(body)?;
    object_or_error(&mut reader)?;
    let (mut signature_name, mut context, mut examples) = (None, None, None);
    reader.object(|reader, name| {
        match &*name {
            "signature_name" => signature_name = Some(take_signature_name(reader)?),
            "context" => context = Some(reader.skip()?),
            "examples" => examples = Some(reader.skip()?),
            _ => {
                reader.skip()?;
            }
        }
        Ok::<_, RequestError>(())
    })?;
    reader.end()?;
    signature::check(target, method, signature_name.as_deref())?;

    let examples = examples.ok_or_else(|| {
        RequestError::invalid("When method is classify, key 'examples' is expected and was not found")
    })?;
    let shared = context.map(members).transpose()?.unwrap_or_default();
    let mut reader = Reader::of_value(examples);
    if reader.kind()? != Kind::Array {
        let text = excerpt(examples);
        return Err(RequestError::invalid(format!(
            "JSON Value: {text} Expecting 'examples' value to be an list/array"
        )));
    }
    let mut rows = Rows::new(target.batch_builder(1), Dialect::Example);
    push_objects(&mut rows, &mut reader, &shared, "examples")?;
    let count = rows.count();
    if count == 0 {
        return Err(RequestError::invalid("JSON Value: [] 'examples' value is an empty array"));
    }
    Ok(rows.into_builder().finish(count)?)
}

/// Name and JSON text of each member of an object.
fn members(text: &str) -> Result<Vec<(Cow<'_, str>, &str)>, RequestError> {
    let mut reader = Reader::of_value(text);
    let kind = reader.kind()?;
    if kind != Kind::Object {
        let message = format!("Example must be JSON object but got JSON {}", kind.name());
        return Err(RequestError::invalid(message));
    }
    let mut members = Vec::new();
    reader.object(|reader, name| {
        members.push((name, reader.skip()?));
        Ok::<_, RequestError>(())
    })?;
    Ok(members)
}
