//! Requests and responses of the Open Inference Protocol, as a client writes and reads them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType as ArrowType, Field, Float64Type, Int64Type};
use serde_json::{Value, json};
use tidemill_core::{DataType, Signature, TensorGroup, TensorSpec};

use crate::endpoint::rows::named;
use crate::inference::request_error::RequestError;
use crate::protocol::json::write;

/// The body of a request for these rows: the columns called `names` (`None`: all). A column without any value is left out.
pub(super) fn request(batch: &RecordBatch, names: Option<&[&str]>) -> Result<Vec<u8>, RequestError> {
    let (mut out, rows) = (b"{\"inputs\":[".to_vec(), batch.num_rows());
    let mut first = true;
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let wanted = names.is_none_or(|names| names.contains(&field.name().as_str()));
        if !wanted || (column.null_count() == rows && rows > 0) {
            continue;
        }
        let datatype = match column.data_type() {
            ArrowType::Float64 => "FP64",
            ArrowType::Int64 => "INT64",
            ArrowType::Boolean => "BOOL",
            ArrowType::Utf8 => "BYTES",
            other => {
                let message = format!("the input `{}` is {other}: it cannot be sent to another server", field.name());
                return Err(RequestError::invalid(message));
            }
        };
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(b"{\"name\":");
        write::string(&mut out, field.name());
        out.extend_from_slice(format!(",\"datatype\":\"{datatype}\",\"shape\":[{rows}],\"data\":").as_bytes());
        write::list(&mut out, 0..rows, |out, row| cell(out, column, row));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

fn cell(out: &mut Vec<u8>, column: &ArrayRef, row: usize) {
    match column.data_type() {
        // A missing number is NaN.
        ArrowType::Float64 if column.is_null(row) => write::float(out, f64::NAN),
        _ if column.is_null(row) => out.extend_from_slice(b"null"),
        ArrowType::Float64 => write::float(out, column.as_primitive::<Float64Type>().value(row)),
        ArrowType::Int64 => write::integer(out, column.as_primitive::<Int64Type>().value(row)),
        ArrowType::Boolean => write::boolean(out, column.as_boolean().value(row)),
        _ => write::string(out, column.as_string::<i32>().value(row)),
    }
}

/// The outputs in the body of a response to `rows` rows, and the version that answered.
pub(super) fn response(body: &[u8], rows: usize) -> Result<(RecordBatch, Option<u64>), String> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON".to_owned())?;
    let outputs = body["outputs"].as_array().ok_or("the answer has no `outputs`")?;
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    for output in outputs {
        let name = output["name"].as_str().ok_or("an output of the answer has no name")?;
        columns.push(column(output, rows).map_err(|why| format!("the output `{name}`: {why}"))?);
        names.push(name.to_owned());
    }
    let version = body["model_version"].as_str().and_then(|version| version.parse().ok());
    let batch = named(&names, columns, rows).map_err(|error| error.message)?;
    Ok((batch, version))
}

fn column(output: &Value, rows: usize) -> Result<ArrayRef, String> {
    let shape: Option<Vec<usize>> = output["shape"]
        .as_array()
        .map(|shape| shape.iter().filter_map(|size| size.as_u64().map(|s| s as usize)).collect());
    let width = match shape.as_deref() {
        Some([count]) if *count == rows => None,
        Some([count, 1]) if *count == rows => None,
        Some([count, width]) if *count == rows && *width < 1 << 16 => Some(*width),
        _ => return Err(format!("its shape {} is not that of {rows} rows", output["shape"])),
    };
    let mut data: Vec<&Value> = Vec::with_capacity(rows * width.unwrap_or(1));
    flatten(output["data"].as_array().ok_or("it has no data")?, &mut data);
    let expected = rows * width.unwrap_or(1);
    if data.len() != expected {
        return Err(format!("{} values where {expected} are expected", data.len()));
    }
    let wrong = |value: &Value, what: &str| format!("`{value}` is not {what}");
    let values: ArrayRef = match output["datatype"].as_str().unwrap_or_default() {
        "FP64" | "FP32" | "FP16" | "BF16" => {
            let number = |value: &&Value| match value {
                Value::Null => Ok(f64::NAN),
                value => value.as_f64().ok_or_else(|| wrong(value, "a number")),
            };
            Arc::new(Float64Array::from(data.iter().map(number).collect::<Result<Vec<f64>, _>>()?))
        }
        "INT64" | "INT32" | "INT16" | "INT8" | "UINT64" | "UINT32" | "UINT16" | "UINT8" => {
            let number = |value: &&Value| value.as_i64().ok_or_else(|| wrong(value, "a whole number"));
            Arc::new(Int64Array::from(data.iter().map(number).collect::<Result<Vec<i64>, _>>()?))
        }
        "BOOL" => {
            let truth = |value: &&Value| value.as_bool().ok_or_else(|| wrong(value, "true or false"));
            Arc::new(BooleanArray::from(data.iter().map(truth).collect::<Result<Vec<bool>, _>>()?))
        }
        "BYTES" => {
            let text = |value: &&Value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(value, "text"));
            Arc::new(StringArray::from(data.iter().map(text).collect::<Result<Vec<String>, _>>()?))
        }
        other => return Err(format!("its type `{other}` is not known")),
    };
    let Some(width) = width else { return Ok(values) };
    let item = Field::new("item", values.data_type().clone(), false);
    let lists = FixedSizeListArray::try_new(Arc::new(item), width as i32, values, None);
    Ok(Arc::new(lists.map_err(|error| error.to_string())?))
}

fn flatten<'a>(values: &'a [Value], out: &mut Vec<&'a Value>) {
    for value in values {
        match value {
            Value::Array(inner) => flatten(inner, out),
            value => out.push(value),
        }
    }
}

/// Inputs and outputs in the body of metadata.
pub(super) fn signature(body: &[u8]) -> Result<Signature, String> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the metadata is not JSON".to_owned())?;
    let inputs = body["inputs"].as_array().ok_or("the metadata has no `inputs`")?;
    let outputs = body["outputs"].as_array().ok_or("the metadata has no `outputs`")?;
    let mut signature = Signature::default();
    for input in inputs {
        let (name, datatype, _) = tensor(input)?;
        let optional = input["parameters"]["optional"] == json!(true);
        signature.inputs.push(TensorSpec::new(name, datatype, optional));
    }
    for output in outputs {
        let (name, datatype, width) = tensor(output)?;
        let Some(width) = width else {
            signature.outputs.push(TensorSpec::new(name, datatype, false));
            continue;
        };
        let group = TensorGroup { name: name.clone(), first: signature.outputs.len(), count: width };
        signature.output_groups.push(group);
        let columns = (0..width).map(|at| TensorSpec::new(format!("{name}.{at}"), datatype, false));
        signature.outputs.extend(columns);
    }
    Ok(signature)
}

fn tensor(of: &Value) -> Result<(String, DataType, Option<usize>), String> {
    let name = of["name"].as_str().ok_or("a tensor of the metadata has no name")?;
    let datatype = match of["datatype"].as_str().unwrap_or_default() {
        "BOOL" => DataType::Bool,
        "BYTES" => DataType::Bytes,
        float if float.starts_with("FP") || float == "BF16" => DataType::Fp64,
        int if int.starts_with("INT") || int.starts_with("UINT") => DataType::Int64,
        other => return Err(format!("the type `{other}` of the tensor `{name}` is not known")),
    };
    let width = match of["shape"].as_array().map(Vec::as_slice) {
        Some([_, width]) => width.as_u64().filter(|width| (2..1 << 16).contains(width)).map(|width| width as usize),
        _ => None,
    };
    Ok((name.to_owned(), datatype, width))
}

/// The message in the body of an error.
pub(super) fn error_text(body: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let text = parsed.as_ref().and_then(|body| body["error"].as_str()).map(str::to_owned);
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned());
    text.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn outputs_are_read_whatever_their_nesting() {
        let body = br#"{"model_version":"3","outputs":[
            {"name":"p","datatype":"FP32","shape":[2,1],"data":[[0.5],[null]]},
            {"name":"classes","datatype":"FP64","shape":[2,3],"data":[1,2,3,4,5,6]},
            {"name":"word","datatype":"BYTES","shape":[2],"data":["a","b"]}]}"#;
        let (batch, version) = response(body, 2).unwrap();
        assert_eq!((batch.num_columns(), version), (3, Some(3)));
        assert!(batch.column(0).as_primitive::<Float64Type>().value(1).is_nan());
        assert_eq!(batch.column(1).as_fixed_size_list().value_length(), 3);
    }

    #[test]
    fn garbage_is_named() {
        for (body, why) in [
            ("", "not JSON"),
            ("[]", "no `outputs`"),
            (r#"{"outputs":[{"name":"p","datatype":"FP64","shape":[1],"data":[1]}]}"#, "shape"),
            (r#"{"outputs":[{"name":"p","datatype":"FP64","shape":[2],"data":[1]}]}"#, "values"),
            (r#"{"outputs":[{"name":"p","datatype":"FP64","shape":[2],"data":[1,"x"]}]}"#, "not a number"),
            (r#"{"outputs":[{"name":"p","datatype":"FP7","shape":[2],"data":[1,2]}]}"#, "not known"),
        ] {
            let error = response(body.as_bytes(), 2).unwrap_err();
            assert!(error.contains(why), "{body}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200), rows in 0usize..3) {
            let _ = response(&body, rows);
            let _ = signature(&body);
            error_text(&body);
        }
    }
}
