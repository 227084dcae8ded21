//! Whole columns, each a list with a value for each row.

use tidemill_model::BatchBuilder;

use super::value::{Dialect, excerpt, is_base64_object, push_value};
use crate::inference::request_error::RequestError;
use crate::protocol::json::{Kind, Reader};
use crate::protocol::tensor::describe_inputs;

/// Reads the value of `inputs` and returns the number of rows: an object of lists keyed by input, or one bare list for
/// a model with one input.
pub(in crate::protocol) fn push_columns(
    builder: &mut BatchBuilder,
    reader: &mut Reader<'_>,
) -> Result<usize, RequestError> {
    let kind = reader.kind()?;
    let mut counts: Vec<Option<usize>> = vec![None; builder.specs().len()];
    if kind != Kind::Object || is_base64_object(reader) {
        if counts.len() != 1 {
            return Err(RequestError::invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per \
                 tensorinfo_map: "
                    .to_owned()
                    + &describe_inputs(builder),
            ));
        }
        return push_column(builder, 0, reader);
    }
    reader.object(|reader, name| {
        let Some(index) = builder.index(&name) else {
            let unknown = RequestError::from(builder.unknown(0, &name)).message;
            let message = format!("JSON object: does not have named input: {name} ({unknown})");
            return Err(RequestError::invalid(message));
        };
        if counts[index].is_some() {
            return Err(RequestError::invalid(format!("the input `{name}` is given twice in 'inputs' object.")));
        }
        counts[index] = Some(push_column(builder, index, reader)?);
        Ok(())
    })?;
    same_count(builder, &counts)
}

fn same_count(builder: &BatchBuilder, counts: &[Option<usize>]) -> Result<usize, RequestError> {
    let expected = counts.iter().copied().flatten().next().unwrap_or(0);
    for (spec, count) in builder.specs().iter().zip(counts) {
        match count {
            None if !spec.optional => {
                let (name, datatype) = (&spec.name, spec.datatype);
                let given = builder.specs().iter().zip(counts).filter(|(_, count)| count.is_some());
                let sent: Vec<&str> = given.map(|(spec, _)| spec.name.as_str()).collect();
                return Err(RequestError::invalid(format!(
                    "Missing named input: {name} ({datatype}) in 'inputs' object. Sent: {{{}}}. The model takes: {}",
                    sent.join(","),
                    describe_inputs(builder)
                )));
            }
            Some(count) if *count != expected => {
                let name = &spec.name;
                let message = format!("Tensor name: {name} has inconsistent batch size: {count} expecting: {expected}");
                return Err(RequestError::invalid(message));
            }
            _ => {}
        }
    }
    Ok(expected)
}

fn push_column(builder: &mut BatchBuilder, index: usize, reader: &mut Reader<'_>) -> Result<usize, RequestError> {
    let kind = reader.kind()?;
    let name = builder.specs()[index].name.clone();
    if kind != Kind::Array {
        let text = excerpt(reader.skip()?);
        return Err(RequestError::invalid(format!(
            "named input: {name}: JSON Value: {text} Type: {} is not a list with a value for each row",
            kind.name()
        )));
    }
    let Some(mut column) = builder.column(index) else { return Ok(0) };
    let mut row = 0;
    reader.array(|reader| {
        push_value(reader, &mut column, Dialect::Tensor)
            .map_err(|error| error.at(|| format!("named input: {name}, row {row}: ")))?;
        row += 1;
        Ok::<_, RequestError>(())
    })?;
    Ok(row)
}
