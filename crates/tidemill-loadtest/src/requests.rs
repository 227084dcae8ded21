//! Request bodies, made beforehand, so that making them costs nothing while time is measured.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Map, Value, json};

use crate::grpc::{InferInputTensor, ModelInferRequest, framed};
use crate::{LoadError, ModelInput, Protocol, Row};

/// No more bytes of bodies than this are made; the bodies repeat.
const BYTES_MAX: usize = 256 << 20;

/// Bodies to send, one after the other, repeatedly.
#[derive(Debug, Clone)]
pub struct Requests {
    pub(crate) bodies: Vec<Bytes>,
    pub(crate) content_type: String,
    pub(crate) rows_each: usize,
}

impl Requests {
    /// Makes requests for `model` with `rows_each` rows each.
    ///
    /// `inputs` describes the model; without it types are inferred from the values. Rows that do not fill a last
    /// request are left out.
    pub fn new(
        protocol: Protocol,
        model: &str,
        rows: &[Row],
        rows_each: usize,
        inputs: Option<&[ModelInput]>,
    ) -> Result<Self, LoadError> {
        let refuse = |reason: String| LoadError::Rows { reason };
        if rows.is_empty() || rows_each == 0 || rows.len() < rows_each {
            return Err(refuse(format!("there are {} rows, and a request takes {rows_each}", rows.len())));
        }
        let guessed;
        let inputs = match inputs {
            Some(inputs) => inputs,
            None => {
                guessed = infer_inputs(rows);
                &guessed
            }
        };
        let mut bodies = Vec::new();
        let mut bytes = 0;
        for chunk in rows.chunks_exact(rows_each) {
            let body = match protocol {
                Protocol::TfServing => Bytes::from(json!({ "instances": chunk }).to_string()),
                Protocol::OpenInference => open_inference(chunk, inputs),
                Protocol::Grpc => grpc(model, chunk, inputs).map_err(refuse)?,
                Protocol::Raw => return Err(refuse("the path is not that of a model: give a body".to_owned())),
            };
            bytes += body.len();
            bodies.push(body);
            if bytes > BYTES_MAX {
                break;
            }
        }
        let content_type = if protocol == Protocol::Grpc { "application/grpc" } else { "application/json" };
        Ok(Self { bodies, content_type: content_type.to_owned(), rows_each })
    }

    /// Sends the same body each time; it counts as one row.
    pub fn raw(body: Vec<u8>, content_type: &str) -> Self {
        Self { bodies: vec![body.into()], content_type: content_type.to_owned(), rows_each: 1 }
    }

    /// How many different bodies there are.
    pub fn distinct(&self) -> usize {
        self.bodies.len()
    }

    /// Rows in each request.
    pub fn rows_each(&self) -> usize {
        self.rows_each
    }

    pub(crate) fn body(&self, index: u64) -> Bytes {
        self.bodies[(index % self.bodies.len() as u64) as usize].clone()
    }
}

/// Infers names, types and shapes from the values.
fn infer_inputs(rows: &[Row]) -> Vec<ModelInput> {
    let mut inputs: Map<String, Value> = Map::new();
    for (name, value) in rows.iter().flatten().filter(|(_, value)| !value.is_null()) {
        let known = inputs.entry(name.clone()).or_insert_with(|| value.clone());
        // One real number makes the whole column real.
        if element(value).is_f64() && !element(known).is_f64() {
            *known = value.clone();
        }
    }
    let input =
        |(name, value): (String, Value)| ModelInput { name, datatype: type_of(&value), shape: shape_of(&value) };
    inputs.into_iter().map(input).collect()
}

fn element(value: &Value) -> &Value {
    match value {
        Value::Array(values) => values.first().map_or(&Value::Null, element),
        value => value,
    }
}

fn type_of(value: &Value) -> String {
    let datatype = match element(value) {
        Value::Bool(_) => "BOOL",
        Value::Number(number) if number.is_f64() => "FP64",
        Value::Number(_) => "INT64",
        _ => "BYTES",
    };
    datatype.to_owned()
}

fn shape_of(value: &Value) -> Vec<usize> {
    match value {
        Value::Array(values) => {
            std::iter::once(values.len()).chain(values.first().map(shape_of).unwrap_or_default()).collect()
        }
        _ => Vec::new(),
    }
}

/// The elements of a column, row by row; `None` if a row lacks it.
fn column<'a>(rows: &'a [Row], input: &ModelInput) -> Vec<Option<Vec<&'a Value>>> {
    fn flatten<'a>(value: &'a Value, into: &mut Vec<&'a Value>) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| flatten(value, into)),
            value => into.push(value),
        }
    }
    let elements = |row: &'a Row| {
        let value = row.get(&input.name).filter(|value| !value.is_null())?;
        let mut elements = Vec::new();
        flatten(value, &mut elements);
        Some(elements)
    };
    rows.iter().map(elements).collect()
}

fn open_inference(rows: &[Row], inputs: &[ModelInput]) -> Bytes {
    let mut tensors = Vec::new();
    for input in inputs {
        let values = column(rows, input);
        // A column that is missing in all rows is left out; one that is missing in some has nulls.
        if values.iter().all(Option::is_none) {
            continue;
        }
        let each: usize = input.shape.iter().product();
        let data: Vec<&Value> =
            values.into_iter().flat_map(|row| row.unwrap_or_else(|| vec![&Value::Null; each])).collect();
        let mut shape = vec![rows.len()];
        shape.extend(&input.shape);
        tensors.push(json!({ "name": input.name, "datatype": input.datatype, "shape": shape, "data": data }));
    }
    Bytes::from(json!({ "inputs": tensors }).to_string())
}

fn grpc(model: &str, rows: &[Row], inputs: &[ModelInput]) -> Result<Bytes, String> {
    let mut request = ModelInferRequest { model_name: model.to_owned(), ..ModelInferRequest::default() };
    for input in inputs {
        let values = column(rows, input);
        // Raw contents can express a missing value only as NaN in real numbers; elsewhere another row's value replaces
        // it.
        let Some(present) = values.iter().flatten().next().cloned() else { continue };
        let real = input.datatype.starts_with("FP");
        let mut raw = BytesMut::new();
        for row in &values {
            match row {
                None if real => present.iter().try_for_each(|_| put(&mut raw, &input.datatype, &Value::Null))?,
                row => row.as_ref().unwrap_or(&present).iter().try_for_each(|value| {
                    put(&mut raw, &input.datatype, value).map_err(|error| format!("`{}`: {error}", input.name))
                })?,
            }
        }
        let mut shape = vec![rows.len() as i64];
        shape.extend(input.shape.iter().map(|size| *size as i64));
        request.inputs.push(InferInputTensor { name: input.name.clone(), datatype: input.datatype.clone(), shape });
        request.raw_input_contents.push(raw.freeze());
    }
    Ok(framed(&request))
}

/// Appends an element in the protocol's raw format: little endian, text with its length before it.
fn put(raw: &mut BytesMut, datatype: &str, value: &Value) -> Result<(), String> {
    let wrong = || format!("{value} is not a valid {datatype}");
    let real = || value.as_f64().or_else(|| value.is_null().then_some(f64::NAN)).ok_or_else(wrong);
    let whole = || value.as_i64().ok_or_else(wrong);
    match datatype {
        "BOOL" => raw.put_u8(u8::from(value.as_bool().ok_or_else(wrong)?)),
        "INT8" | "UINT8" => raw.put_u8(whole()? as u8),
        "INT16" | "UINT16" => raw.put_u16_le(whole()? as u16),
        "INT32" | "UINT32" => raw.put_u32_le(whole()? as u32),
        "INT64" | "UINT64" => raw.put_i64_le(whole()?),
        "FP32" => raw.put_f32_le(real()? as f32),
        "FP64" => raw.put_f64_le(real()?),
        "BYTES" => {
            let text = value.as_str().ok_or_else(wrong)?;
            raw.put_u32_le(text.len() as u32);
            raw.put_slice(text.as_bytes());
        }
        _ => return Err(format!("the type {datatype} cannot be sent over gRPC here")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn rows() -> Vec<Row> {
        [json!({"x": 1, "s": "a", "n": 5}), json!({"x": 2.5, "s": null, "n": 6}), json!({"x": 3, "s": "c", "n": 7})]
            .into_iter()
            .filter_map(|row| row.as_object().cloned())
            .collect()
    }

    fn text(requests: &Requests, index: usize) -> Value {
        serde_json::from_slice(&requests.bodies[index]).unwrap()
    }

    #[test]
    fn rows_become_instances_and_columns() {
        let tfs = Requests::new(Protocol::TfServing, "m", &rows(), 1, None).unwrap();
        assert_eq!(tfs.distinct(), 3);
        assert_eq!(text(&tfs, 1), json!({"instances": [{"x": 2.5, "s": null, "n": 6}]}));
        assert_eq!(tfs.body(4), tfs.bodies[1]);

        let open = Requests::new(Protocol::OpenInference, "m", &rows(), 2, None).unwrap();
        assert_eq!(open.distinct(), 1, "the third row fills no request");
        assert_eq!(
            text(&open, 0),
            json!({"inputs": [
                {"name": "x", "datatype": "FP64", "shape": [2], "data": [1, 2.5]},
                {"name": "s", "datatype": "BYTES", "shape": [2], "data": ["a", null]},
                {"name": "n", "datatype": "INT64", "shape": [2], "data": [5, 6]}]})
        );
    }

    #[test]
    fn a_matrix_is_one_tensor() {
        let rows: Vec<Row> = [json!({"x": [1.0, 2.0]}), json!({"x": [3.0, 4.0]})]
            .into_iter()
            .filter_map(|row| row.as_object().cloned())
            .collect();
        let open = Requests::new(Protocol::OpenInference, "m", &rows, 2, None).unwrap();
        let tensor = json!({"name": "x", "datatype": "FP64", "shape": [2, 2], "data": [1.0, 2.0, 3.0, 4.0]});
        assert_eq!(text(&open, 0), json!({ "inputs": [tensor] }));
    }

    #[test]
    fn grpc_holds_raw_contents() {
        let grpc = Requests::new(Protocol::Grpc, "m", &rows()[1..2], 1, None).unwrap();
        let body = &grpc.bodies[0];
        assert_eq!(body[0], 0);
        assert_eq!(u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize, body.len() - 5);
        let message = ModelInferRequest::decode(&body[5..]).unwrap();
        let names: Vec<&str> = message.inputs.iter().map(|input| &*input.name).collect();
        assert_eq!(names, ["x", "n"], "a column that is missing is left out");
        assert_eq!(message.raw_input_contents[0], 2.5f64.to_le_bytes()[..]);
        assert_eq!(message.raw_input_contents[1], 6i64.to_le_bytes()[..]);
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        assert!(Requests::new(Protocol::TfServing, "m", &[], 1, None).is_err());
        assert!(Requests::new(Protocol::TfServing, "m", &rows(), 4, None).is_err());
        let inputs = [ModelInput { name: "s".to_owned(), datatype: "FP32".to_owned(), shape: Vec::new() }];
        let error = Requests::new(Protocol::Grpc, "m", &rows()[..1], 1, Some(&inputs)).unwrap_err();
        assert_eq!(error.to_string(), "no requests can be made of the rows: `s`: \"a\" is not a valid FP32");
    }
}
