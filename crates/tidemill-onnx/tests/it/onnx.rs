//! ONNX models of other programs say here what they say on ONNX Runtime. How the numbers were made: `onnx/make.py`.

use std::path::Path;

use crate::onnx_support::{bytes, differences, folder, hostile, model, number, recorded, with_nodes};
use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use proptest::prelude::*;
use tidemill_core::{DataType, TensorView};
use tidemill_onnx::{OnnxEngine, OnnxOptions, import, import_with, load_model, parse, parse_with};

#[test]
fn predictions_are_those_of_onnx_runtime() {
    let recorded = recorded();
    let wrong: Vec<String> =
        recorded.iter().flat_map(|(name, expected)| differences(name, expected, &OnnxOptions::default())).collect();
    assert!(wrong.is_empty(), "{}\n{} in all", wrong[..wrong.len().min(20)].join("\n"), wrong.len());
    assert!(recorded.len() >= 20);
}

#[test]
fn an_engine_that_is_asked_for_runs_a_model_or_says_why_not() {
    let with = |engine| OnnxOptions { engine, ..OnnxOptions::default() };
    let recorded = recorded();
    let ran = |name: &str, engine| differences(name, &recorded[name], &with(engine));
    for (name, engine) in [
        ("mlp", OnnxEngine::Native),
        ("convolution", OnnxEngine::Native),
        ("torch_mlp", OnnxEngine::Tract),
        ("convolution", OnnxEngine::Tract),
    ] {
        assert_eq!(ran(name, engine), Vec::<String>::new());
    }
    let refusal = |name: &str, engine| {
        let path = folder().join(format!("{name}.onnx"));
        import_with(path, &with(engine)).unwrap_err().to_string()
    };
    let refused = refusal("columns", OnnxEngine::Tract);
    assert!(refused.contains("tract does not run it"), "{refused}");
}

#[test]
fn a_network_of_large_matrices_runs_where_these_are_quick() {
    let weights = |name: &str, rows: u8, columns: u8| {
        let weight = 1.0 / f32::from(rows);
        let data = weight.to_le_bytes().repeat(usize::from(rows) * usize::from(columns));
        [vec![8, rows, 8, columns], number(2, 1), bytes(8, name.as_bytes()), bytes(9, &data)].concat()
    };
    let product = |from: &str, weights: &str, to: &str| {
        let names = [from, weights].map(|name| bytes(1, name.as_bytes())).concat();
        [names, bytes(2, to.as_bytes()), bytes(4, b"MatMul")].concat()
    };
    let runs_on = |width: u8| {
        let nodes = [product("x", "u", "a"), product("a", "v", "b"), product("b", "w", "c")];
        let tensors = [weights("u", 1, width), weights("v", width, width), weights("w", width, 1)];
        let file = with_nodes(&nodes, &[("Relu", "", "c", "y")], &tensors, 17, "");
        let model = parse(&file, Path::new("m.onnx")).unwrap();
        let rows = model.batch_from_rows(&[serde_json::json!({"x": 3.0}), serde_json::json!({"x": -1.0})]).unwrap();
        let made = model.predict(&rows).unwrap();
        let made = made.column(0).as_primitive::<Float64Type>();
        assert!((made.value(0) - 3.0).abs() < 1e-5 && made.value(1) == 0.0, "{made:?}");
        model.facts().iter().find(|(fact, _)| *fact == "runs on").unwrap().1.clone()
    };
    assert_eq!(runs_on(8), "tidemill");
    assert_eq!(runs_on(100), "tract");
}

/// What a graph must be like before another's code sees it.
#[test]
fn hostile_graphs_of_other_engines_are_refused_before_these_read_them() {
    let options = OnnxOptions { engine: OnnxEngine::Tract, ..OnnxOptions::default() };
    for (file, expected) in hostile() {
        let error = parse_with(&file, Path::new("m.onnx"), &options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[cfg(not(feature = "onnxruntime"))]
#[test]
fn a_build_without_onnx_runtime_says_so() {
    use tidemill_core::Coded;

    let library = Some(std::path::PathBuf::from("libonnxruntime.so"));
    let options = OnnxOptions { engine: OnnxEngine::OnnxRuntime, library, ..OnnxOptions::default() };
    let error = import_with(folder().join("mlp.onnx"), &options).unwrap_err();
    assert!(error.to_string().ends_with("this binary was built without it"), "{error}");
    assert!(error.hint().unwrap().contains("--features onnxruntime"), "{error:?}");
    assert!(options.check().is_err());
    // A model that other engines run needs no library.
    let options = OnnxOptions { engine: OnnxEngine::Auto, ..options };
    assert!(import_with(folder().join("mlp.onnx"), &options).is_ok());
}

#[test]
fn a_signature_has_the_names_types_and_shapes_of_the_model() {
    let load = |name: &str| load_model(folder().join(name)).unwrap();
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

fn refusal(bytes: &[u8]) -> String {
    parse(bytes, Path::new("m.onnx")).unwrap_err().to_string()
}

#[test]
fn hostile_files_are_refused_with_the_reason() {
    let relu = [("Relu", "", "x", "y")];
    assert!(parse(&model(&relu, &[], 17, ""), Path::new("m.onnx")).is_ok());
    for (file, expected) in hostile() {
        let error = refusal(&file);
        assert!(error.contains(expected), "{error}");
    }
    for (file, expected) in [
        (model(&[("Frobnicate", "acme", "x", "y")], &[], 17, ""), "`Frobnicate` of `acme`"),
        (model(&[("Frobnicate", "", "x", "y")], &[], 17, ""), "`Frobnicate` of `ai.onnx`"),
    ] {
        let error = refusal(&file);
        assert!(error.contains(expected), "{error}");
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
    let model = import(&path).unwrap();
    let batch = model.batch_from_rows(&[serde_json::json!({"x": 1.0})]).unwrap();
    assert_eq!(model.predict(&batch).unwrap().column(0).as_primitive::<Float64Type>().value(0), 2.5);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path().join("secret.bin"), dir.path().join("m/link.bin")).unwrap();
        std::fs::write(&path, with("link.bin")).unwrap();
        let error = import(&path).unwrap_err().to_string();
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
        let _ = parse(&bytes[..cut.index(bytes.len())], Path::new("m.onnx"));
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(model) = parse(&bytes, Path::new("m.onnx")) {
            let rows = model.batch_builder(0).finish(0);
            let _ = rows.map(|rows| model.predict(&rows));
        }
    }
}

/// A node with one attribute, between `x` and `a`; the graph ends in `Relu`.
fn with_attribute(operator: &str, attribute: &[u8], opset: u8) -> Vec<u8> {
    let node = [bytes(1, b"x"), bytes(2, b"a"), bytes(4, operator.as_bytes()), bytes(5, attribute)].concat();
    with_nodes(&[node], &[("Relu", "", "a", "y")], &[], opset, "")
}

#[test]
fn what_an_operator_is_asked_for_and_not_run_is_refused_at_load() {
    let text = |name: &str, value: &str| [bytes(1, name.as_bytes()), bytes(4, value.as_bytes())].concat();
    let whole = |name: &str, value: u8| [bytes(1, name.as_bytes()), number(3, value)].concat();
    for (operator, attribute, opset, expected) in [
        ("Relu", whole("frob", 1), 17, "the attribute `frob` is not one that ONNX defines for it"),
        ("GridSample", text("mode", "septic"), 20, "the mode `septic` is not run"),
        ("LSTM", text("direction", "sideways"), 17, "the direction `sideways`"),
        ("Pad", text("mode", "mirror"), 18, "the mode `mirror` is not run"),
        ("DepthToSpace", whole("blocksize", 0), 13, "`blocksize` is not given"),
        ("Upsample", text("mode", "nearest"), 1, "the form of version 1"),
        ("BatchNormalization", whole("spatial", 0), 7, "`spatial` 0"),
    ] {
        let error = refusal(&with_attribute(operator, &attribute, opset));
        assert!(error.contains(expected) && error.contains(operator), "{error}");
    }
}

#[test]
fn rows_are_joined_only_for_models_that_treat_each_by_itself() {
    let tensors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tensors");
    let reason = |name: &str| {
        let model = import(tensors.join(format!("{name}.onnx"))).unwrap();
        model.tensors().unwrap().rows_are_independent().err().map(str::to_owned)
    };
    assert_eq!(reason("alone"), None);
    for name in ["softmax_rows", "mean_rows"] {
        assert!(reason(name).unwrap().contains("other rows change the answer"), "{name}: {:?}", reason(name));
    }
    assert!(reason("quantised").unwrap().contains("`DynamicQuantizeLinear`"));
    assert!(reason("types").unwrap().contains("has not a row for each row"));
}
