//! `POST /invocations`: the request format of MLflow's scoring server.
//!
//! A body is a JSON object with one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`. The answer is
//! `{"predictions": […]}`, with an object for each row if the model has several outputs.

use arrow::array::RecordBatch;
use tidemill_model::BatchBuilder;

use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;
use crate::protocol::json::{Kind, Reader};
use crate::protocol::tfs::rest::columns::push_columns;
use crate::protocol::tfs::rest::excerpt;
use crate::protocol::tfs::rest::rows::{Rows, push_objects};
use crate::protocol::tfs::rest::value::{Dialect, push_value};

const KEYS: &str = "`dataframe_split`, `dataframe_records`, `instances` and `inputs`";

/// Reads a body into the batch to predict.
pub(crate) fn decode(target: &TargetSignature, body: &[u8]) -> Result<RecordBatch, RequestError> {
    let mut reader = Reader::new(body)?;
    if reader.kind()? != Kind::Object {
        return Err(RequestError::invalid(format!("the body must be a JSON object with one of {KEYS}")));
    }
    let mut batch = None;
    reader.object(|reader, name| {
        let builder = || target.batch_builder(1);
        let read = match &*name {
            "dataframe_split" => split(builder(), reader)?,
            "dataframe_records" => records(builder(), reader, &name, Dialect::DataFrame)?,
            "instances" => records(builder(), reader, &name, Dialect::Tensor)?,
            "inputs" if reader.kind()? == Kind::Array => records(builder(), reader, &name, Dialect::Tensor)?,
            "inputs" => {
                let mut builder = builder();
                let rows = push_columns(&mut builder, reader)?;
                builder.finish(rows)?
            }
            "params" if reader.kind()? == Kind::Null => return Ok(reader.null()?),
            "params" => {
                let text = reader.skip()?;
                if text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '{' | '}')).is_empty() {
                    return Ok(());
                }
                return Err(RequestError::invalid("`params` are not supported: the model takes inputs only"));
            }
            other => {
                return Err(RequestError::invalid(format!("`{other}` is not a key of the body: one of {KEYS} is")));
            }
        };
        match batch.replace(read) {
            None => Ok(()),
            Some(_) => Err(RequestError::invalid(format!("the body must have only one of {KEYS}"))),
        }
    })?;
    reader.end()?;
    batch.ok_or_else(|| RequestError::invalid(format!("the body must have one of {KEYS}")))
}

/// Reads rows given as objects, or as bare values for a model with one input.
fn records(
    builder: BatchBuilder,
    reader: &mut Reader<'_>,
    list: &str,
    dialect: Dialect,
) -> Result<RecordBatch, RequestError> {
    if reader.kind()? != Kind::Array {
        return Err(RequestError::invalid(format!("`{list}` must be a list of rows")));
    }
    let mut rows = Rows::new(builder, dialect);
    if rows.takes_bare() && !begins_with_object(reader) {
        reader.array(|reader| rows.push_bare(reader))?;
    } else {
        push_objects(&mut rows, reader, &[], list)?;
    }
    let count = rows.count();
    if count == 0 {
        return Err(RequestError::invalid(format!("`{list}` has no rows")));
    }
    Ok(rows.into_builder().finish(count)?)
}

/// Whether the first item of the next list is an object.
fn begins_with_object(reader: &Reader<'_>) -> bool {
    let mut first = None;
    // Errors in the list are reported by its reader.
    let _ = reader.clone().array(|reader| {
        first.get_or_insert(reader.kind()?);
        reader.skip().map(drop)
    });
    first == Some(Kind::Object)
}

/// `{"columns": [name, …], "data": [[value, …], …]}`, as `DataFrame.to_dict(orient="split")` writes it.
fn split(mut builder: BatchBuilder, reader: &mut Reader<'_>) -> Result<RecordBatch, RequestError> {
    let wrong = |what: &str| RequestError::invalid(format!("`dataframe_split`: {what}"));
    if reader.kind()? != Kind::Object {
        return Err(wrong("an object with `columns` and `data` is expected"));
    }
    let (mut columns, mut data) = (None, None);
    reader.object(|reader, key| {
        match &*key {
            "columns" => columns = Some(reader.skip()?),
            "data" => data = Some(reader.skip()?),
            _ => {
                reader.skip()?;
            }
        }
        Ok::<_, RequestError>(())
    })?;
    let columns = names(columns.ok_or_else(|| wrong("the key `columns` is missing"))?)?;
    let mut given = vec![false; builder.specs().len()];
    let mut places = Vec::with_capacity(columns.len());
    for name in &columns {
        let index = builder.index(name);
        if let Some(index) = index
            && std::mem::replace(&mut given[index], true)
        {
            return Err(wrong(&format!("the column `{name}` is given twice")));
        }
        places.push(index);
    }
    let required = builder.specs().iter().zip(&given).find(|(spec, given)| !spec.optional && !**given);
    if let Some((spec, _)) = required {
        let wanted = crate::protocol::tensor::describe_inputs(&builder);
        let (name, sent) = (&spec.name, columns.join(", "));
        return Err(wrong(&format!("the column `{name}` is missing. Columns: {sent}. The model takes: {wanted}")));
    }
    let mut reader = Reader::of_value(data.ok_or_else(|| wrong("the key `data` is missing"))?);
    if reader.kind()? != Kind::Array {
        return Err(wrong("`data` must be a list of rows"));
    }
    let mut rows = 0;
    reader.array(|reader| {
        if reader.kind()? != Kind::Array {
            let text = excerpt(reader.skip()?);
            return Err(wrong(&format!("row {rows} of `data` is `{text}`, and a list is expected")));
        }
        let mut at = 0;
        reader.array(|reader| {
            match places.get(at) {
                Some(Some(index)) => {
                    let Some(mut column) = builder.column(*index) else { return Ok(()) };
                    let place = || format!("`dataframe_split`: row {rows}, column `{}`: ", columns[at]);
                    push_value(reader, &mut column, Dialect::DataFrame).map_err(|error| error.at(place))?;
                }
                _ => {
                    reader.skip()?;
                }
            }
            at += 1;
            Ok::<_, RequestError>(())
        })?;
        if at != columns.len() {
            return Err(wrong(&format!(
                "row {rows} of `data` has {at} values, and there are {} columns",
                columns.len()
            )));
        }
        rows += 1;
        Ok(())
    })?;
    if rows == 0 {
        return Err(wrong("`data` has no rows"));
    }
    Ok(builder.finish(rows)?)
}

fn names(text: &str) -> Result<Vec<String>, RequestError> {
    let wrong = || RequestError::invalid("`dataframe_split`: `columns` must be a list of names");
    let mut reader = Reader::of_value(text);
    if reader.kind()? != Kind::Array {
        return Err(wrong());
    }
    let mut names = Vec::new();
    reader.array(|reader| {
        if reader.kind()? != Kind::String {
            return Err(wrong());
        }
        names.push(reader.string()?.into_owned());
        Ok(())
    })?;
    Ok(names)
}
