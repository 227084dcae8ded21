//! Recorded answers of ONNX Runtime, and models made by hand.

#![allow(clippy::unwrap_used, dead_code, reason = "a test may panic; not every test uses all of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{DataType, TensorView};
use tidemill_model::LoadedModel;
use tidemill_onnx::{OnnxEngine, OnnxOptions, load_model_with};

#[derive(Deserialize)]
pub struct Expected {
    inputs: BTreeMap<String, Vec<Vec<Value>>>,
    outputs: BTreeMap<String, Vec<Vec<Value>>>,
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx")
}

fn column(rows: &[Vec<Value>], at: usize, datatype: DataType) -> ArrayRef {
    let cells = rows.iter().map(|row| &row[at]);
    match datatype {
        DataType::Fp64 => Arc::new(cells.map(Value::as_f64).collect::<Float64Array>()),
        DataType::Int64 => Arc::new(cells.map(Value::as_i64).collect::<Int64Array>()),
        DataType::Bytes => Arc::new(cells.map(Value::as_str).collect::<StringArray>()),
        DataType::Bool => panic!("no model takes these"),
    }
}

pub fn batch(model: &LoadedModel, expected: &Expected) -> RecordBatch {
    let mut columns = Vec::new();
    for TensorView { name, datatype, width, first, .. } in model.signature().input_tensors() {
        for at in 0..width.unwrap_or(1) {
            let spec = &model.signature().inputs[first + at];
            columns.push((spec.name.clone(), column(&expected.inputs[name], at, datatype)));
        }
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

fn differs(column: &ArrayRef, row: usize, expected: &Value) -> bool {
    match column.data_type() {
        ArrowType::Utf8 => column.as_string::<i32>().value(row) != expected.as_str().unwrap(),
        ArrowType::Int64 => column.as_primitive::<Int64Type>().value(row) != expected.as_i64().unwrap(),
        _ => {
            let got = column.as_primitive::<Float64Type>().value(row);
            // ONNX Runtime computes in 32 bits what is computed in 64 here.
            let near = |expected: f64| (got - expected).abs() <= 2e-5 * expected.abs().max(1.0);
            !expected.as_f64().map_or(got.is_nan(), near)
        }
    }
}

/// The recorded inputs and answers, by the name of the model.
pub fn recorded() -> BTreeMap<String, Expected> {
    let expected = std::fs::read(folder().join("expected.json")).unwrap();
    serde_json::from_slice(&expected).unwrap()
}

/// Where a model, run as `options` say, does not answer what was recorded.
pub fn differences(name: &str, expected: &Expected, options: &OnnxOptions) -> Vec<String> {
    let mut wrong = Vec::new();
    let model = match load_model_with(folder().join(format!("{name}.onnx")), options) {
        Ok(model) => model,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    let batch = batch(&model, expected);
    let predicted = match model.predict(&batch) {
        Ok(predicted) => predicted,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    for view in model.signature().output_tensors() {
        let rows = &expected.outputs[view.name];
        assert_eq!(rows[0].len(), view.width.unwrap_or(1), "{name} {}", view.name);
        for (row, cells) in rows.iter().enumerate() {
            for (at, cell) in cells.iter().enumerate() {
                let column = predicted.column(view.first + at);
                if differs(column, row, cell) {
                    let got = column.slice(row, 1);
                    wrong.push(format!("{name} {} row {row}: {got:?}, expected {cell}", view.name));
                }
            }
        }
    }
    let alone = model.predict(&batch.slice(0, 1)).unwrap();
    for (alone, all) in alone.columns().iter().zip(predicted.columns()) {
        let same = match (alone.as_primitive_opt::<Float64Type>(), all.as_primitive_opt::<Float64Type>()) {
            // Products of matrices of other sizes may add in another order there.
            (Some(alone), Some(all)) if options.engine == OnnxEngine::OnnxRuntime => {
                (alone.value(0) - all.value(0)).abs() <= 1e-6 * all.value(0).abs().max(1.0)
            }
            _ => alone.to_data() == all.slice(0, 1).to_data(),
        };
        assert!(same, "{name}: a row alone is another");
    }
    wrong
}

/// A field of a message: a number or bytes.
pub fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

pub fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

/// A model of one graph: nodes as (operator, domain, input, output), and tensors.
pub fn model(nodes: &[(&str, &str, &str, &str)], tensors: &[Vec<u8>], opset: u8, domain: &str) -> Vec<u8> {
    with_nodes(&[], nodes, tensors, opset, domain)
}

/// As [`model`], with `first` before the other nodes.
pub fn with_nodes(
    first: &[Vec<u8>],
    nodes: &[(&str, &str, &str, &str)],
    tensors: &[Vec<u8>],
    opset: u8,
    domain: &str,
) -> Vec<u8> {
    let info = |name: &str| {
        let shape = bytes(2, &[bytes(1, &bytes(2, b"n")), bytes(1, &number(1, 1))].concat());
        [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &[number(1, 1), shape].concat()))].concat()
    };
    let mut graph: Vec<u8> = first.iter().flat_map(|node| bytes(1, node)).collect();
    for (operator, domain, from, to) in nodes {
        let node = [bytes(1, from.as_bytes()), bytes(2, to.as_bytes()), bytes(4, operator.as_bytes())].concat();
        graph.extend(bytes(1, &[node, bytes(7, domain.as_bytes())].concat()));
    }
    graph.extend(tensors.iter().flat_map(|tensor| bytes(5, tensor)));
    graph.extend(bytes(11, &info("x")));
    graph.extend(bytes(12, &info("y")));
    let import = bytes(8, &[bytes(1, domain.as_bytes()), number(2, opset)].concat());
    [number(1, 8), bytes(7, &graph), import].concat()
}

/// Files that nothing may run, and why not.
pub fn hostile() -> Vec<(Vec<u8>, &'static str)> {
    let relu = [("Relu", "", "x", "y")];
    // A tensor that claims 2^48 elements in a few bytes.
    let dims: Vec<u8> = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40].to_vec();
    let huge = [vec![8], dims, number(2, 1), bytes(8, b"w")].concat();
    let elsewhere = |location: &str| {
        let entry = bytes(13, &[bytes(1, b"location"), bytes(2, location.as_bytes())].concat());
        [number(1, 1), number(2, 1), bytes(8, b"w"), entry, number(14, 1)].concat()
    };
    // A node that makes a tensor from an attribute, which lies in another file.
    let constant = |field: u8, content: &[u8]| {
        let attribute = bytes(5, &[bytes(1, b"value"), bytes(field, content)].concat());
        let node = [bytes(2, b"w"), bytes(4, b"Constant"), attribute].concat();
        with_nodes(&[node], &relu, &[], 17, "")
    };
    vec![
        (model(&[("Relu", "", "b", "a"), ("Relu", "", "a", "y")], &[], 17, ""), "which nothing makes"),
        (model(&[("Relu", "", "y", "a"), ("Relu", "", "a", "y")], &[], 17, ""), "in a circle"),
        (model(&[("Relu", "", "x", "y"), ("Relu", "", "x", "y")], &[], 17, ""), "`y` is made twice"),
        (model(&relu, &[], 99, ""), "of version 99, and this version of Tidemill runs up to 28"),
        (model(&relu, &[], 9, "ai.onnx.ml"), "`ai.onnx.ml` of version 9"),
        (model(&relu, &[huge], 17, ""), "too large"),
        (model(&relu, &[elsewhere("../../etc/passwd")], 17, ""), "`../../etc/passwd`, which leaves the folder"),
        (model(&relu, &[elsewhere("/etc/passwd")], 17, ""), "`/etc/passwd`, which leaves the folder"),
        (model(&relu, &[elsewhere("w.bin")], 17, ""), "`w.bin`, which cannot be read"),
        (constant(5, &elsewhere("/etc/passwd")), "`/etc/passwd`, outside of the model"),
    ]
}
