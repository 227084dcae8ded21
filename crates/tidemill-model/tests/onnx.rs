//! ONNX models of other programs say here what they say on ONNX Runtime. How the numbers were made: `onnx/make.py`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{DataType, TensorView};
use tidemill_model::{AnyModel, ForeignModel};

#[derive(Deserialize)]
struct Expected {
    inputs: BTreeMap<String, Vec<Vec<Value>>>,
    outputs: BTreeMap<String, Vec<Vec<Value>>>,
}

fn folder() -> PathBuf {
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

fn batch(model: &AnyModel, expected: &Expected) -> RecordBatch {
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

#[test]
fn predictions_are_those_of_onnx_runtime() {
    let expected = std::fs::read(folder().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_slice(&expected).unwrap();
    let mut wrong = Vec::new();
    for (name, expected) in &expected {
        let model = match AnyModel::load(folder().join(format!("{name}.onnx"))) {
            Ok(model) => model,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let batch = batch(&model, expected);
        let predicted = match model.predict(&batch) {
            Ok(predicted) => predicted,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
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
        // A row alone is the same row.
        let alone = model.predict(&batch.slice(0, 1)).unwrap();
        for (alone, all) in alone.columns().iter().zip(predicted.columns()) {
            assert_eq!(alone.to_data(), all.slice(0, 1).to_data(), "{name}");
        }
    }
    assert!(wrong.is_empty(), "{}\n{} in all", wrong[..wrong.len().min(20)].join("\n"), wrong.len());
    assert!(expected.len() >= 20);
}

#[test]
fn a_signature_has_the_names_types_and_shapes_of_the_model() {
    let load = |name: &str| AnyModel::load(folder().join(name)).unwrap();
    let shape = |tensors: Vec<TensorView<'_>>| -> Vec<(String, DataType, Option<usize>)> {
        tensors.iter().map(|view| (view.name.to_owned(), view.datatype, view.width)).collect()
    };
    let model = load("columns.onnx");
    let one = |name: &str, datatype| (name.to_owned(), datatype, None);
    assert_eq!(
        shape(model.signature().input_tensors()),
        [
            one("age", DataType::Fp64),
            one("fare", DataType::Fp64),
            one("city", DataType::Bytes),
            one("floor", DataType::Int64)
        ]
    );
    let model = load("forest_three.onnx");
    assert_eq!(shape(model.signature().input_tensors()), [("X".to_owned(), DataType::Fp64, Some(4))]);
    let names: Vec<&str> = model.signature().outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(
        names,
        ["output_label", "output_probability[high]", "output_probability[low]", "output_probability[mid]"]
    );
}

/// A field of a message: a number or bytes.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
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
fn model(nodes: &[(&str, &str, &str, &str)], tensors: &[Vec<u8>], opset: u8, domain: &str) -> Vec<u8> {
    let info = |name: &str| {
        let shape = bytes(2, &[bytes(1, &bytes(2, b"n")), bytes(1, &number(1, 1))].concat());
        [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &[number(1, 1), shape].concat()))].concat()
    };
    let mut graph = Vec::new();
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

fn refusal(bytes: &[u8]) -> String {
    ForeignModel::parse(bytes, Path::new("m.onnx")).unwrap_err().to_string()
}

#[test]
fn hostile_files_are_refused_with_the_reason() {
    let relu = [("Relu", "", "x", "y")];
    assert!(ForeignModel::parse(&model(&relu, &[], 17, ""), Path::new("m.onnx")).is_ok());
    for (file, expected) in [
        (model(&[("Relu", "", "b", "a"), ("Relu", "", "a", "y")], &[], 17, ""), "which nothing makes"),
        (model(&[("Relu", "", "y", "a"), ("Relu", "", "a", "y")], &[], 17, ""), "in a circle"),
        (model(&[("Relu", "", "x", "y"), ("Relu", "", "x", "y")], &[], 17, ""), "`y` is made twice"),
        (model(&[("Frobnicate", "acme", "x", "y")], &[], 17, ""), "`Frobnicate` of `acme`"),
        (model(&[("Frobnicate", "", "x", "y")], &[], 17, ""), "`Frobnicate` of `ai.onnx`"),
        (model(&relu, &[], 99, ""), "of version 99, and this version of Tidemill runs up to 28"),
        (model(&relu, &[], 9, "ai.onnx.ml"), "`ai.onnx.ml` of version 9"),
    ] {
        let error = refusal(&file);
        assert!(error.contains(expected), "{error}");
    }
    // A tensor that claims 2^48 elements in a few bytes.
    let dims: Vec<u8> = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40].to_vec();
    let huge = [vec![8], dims, number(2, 1), bytes(8, b"w")].concat();
    assert!(refusal(&model(&relu, &[huge], 17, "")).contains("too large"));
    for (location, expected) in
        [("../../etc/passwd", "leaves the folder"), ("/etc/passwd", "leaves the folder"), ("w.bin", "cannot be read")]
    {
        let entry = bytes(13, &[bytes(1, b"location"), bytes(2, location.as_bytes())].concat());
        let tensor = [number(1, 1), number(2, 1), bytes(8, b"w"), entry, number(14, 1)].concat();
        let error = refusal(&model(&relu, &[tensor], 17, ""));
        assert!(error.contains(expected) && error.contains(location), "{error}");
    }
    // Graphs within attributes within nodes, without end; and two million empty nodes.
    let mut deep = Vec::new();
    for _ in 0..60 {
        deep = bytes(1, &bytes(5, &bytes(6, &deep)));
    }
    assert!(refusal(&[number(1, 8), bytes(7, &deep)].concat()).contains("deep"));
    let many = [0x0a, 0].repeat(2_000_000);
    assert!(refusal(&[number(1, 8), bytes(7, &many)].concat()).contains("more than"));
}

#[test]
fn tensors_beside_the_model_are_read_and_nothing_above_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("m")).unwrap();
    std::fs::write(dir.path().join("m/w.bin"), 2.5_f32.to_le_bytes()).unwrap();
    std::fs::write(dir.path().join("secret.bin"), 9.5_f32.to_le_bytes()).unwrap();
    let with = |location: &str| {
        let entry = bytes(13, &[bytes(1, b"location"), bytes(2, location.as_bytes())].concat());
        let tensor = [number(1, 1), number(2, 1), bytes(8, b"w"), entry, number(14, 1)].concat();
        // The tensor alone is the answer for one row.
        model(&[("Identity", "", "w", "y")], &[tensor], 17, "")
    };
    let path = dir.path().join("m/model.onnx");
    std::fs::write(&path, with("w.bin")).unwrap();
    let model = ForeignModel::load(&path).unwrap();
    let batch = model.batch_from_rows(&[serde_json::json!({"x": 1.0})]).unwrap();
    assert_eq!(model.predict(&batch).unwrap().column(0).as_primitive::<Float64Type>().value(0), 2.5);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path().join("secret.bin"), dir.path().join("m/link.bin")).unwrap();
        std::fs::write(&path, with("link.bin")).unwrap();
        let error = ForeignModel::load(&path).unwrap_err().to_string();
        assert!(error.contains("leads out of the folder"), "{error}");
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        pick in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let names = ["columns", "svc", "xgboost_three", "binned", "convolution", "forest"];
        let mut bytes = std::fs::read(folder().join(format!("{}.onnx", pick.get(&names)))).unwrap();
        let _ = ForeignModel::parse(&bytes[..cut.index(bytes.len())], Path::new("m.onnx"));
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(model) = ForeignModel::parse(&bytes, Path::new("m.onnx")) {
            let rows = model.batch_builder(0).finish(0);
            let _ = rows.map(|rows| model.predict(&rows));
        }
    }
}
