//! Models of tensors: asked, measured and registered from the command line.

use std::path::Path;

use serde_json::json;

use crate::support::Sandbox;

fn copy(sandbox: &Sandbox, file: &str, to: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidemill-onnx/tests/onnx").join(file);
    std::fs::copy(source, sandbox.path(to)).expect("the file can be copied");
}

#[test]
fn a_model_is_asked_with_tensors_of_its_own_types_and_shapes() {
    let sandbox = Sandbox::empty();
    copy(&sandbox, "convolution.onnx", "network.onnx");
    let shown = sandbox.json(&["model", "show", "network.onnx"]);
    let input = &shown["tensors"]["inputs"][0];
    assert_eq!(input["datatype"], "FP32");
    let name = input["name"].as_str().unwrap_or_default().to_owned();
    let sizes: Vec<i64> =
        input["shape"].as_array().expect("a shape").iter().map(|size| size.as_i64().unwrap_or(1)).collect();
    // Two rows of zeros, nested as deep as the tensor is.
    let nested = sizes.iter().skip(1).rev().fold(json!(0), |inner, size| json!(vec![inner; *size as usize]));
    let given = format!("{name}={}", json!([nested, nested]));
    let answer = sandbox.json(&["model", "run", "network.onnx", "--input", &given]);
    let output = &answer["outputs"][0];
    assert_eq!((&output["datatype"], &output["shape"][0]), (&json!("FP32"), &json!(2)), "{answer}");
    assert_eq!(output["data"][0], output["data"][1], "{answer}");

    let refused = sandbox.tidemill(&["model", "run", "network.onnx"]);
    assert!(refused.code == 2 && refused.stderr.contains(&format!("inputs are missing: `{name}`")), "{refused}");
    let refused = sandbox.tidemill(&["model", "run", "network.onnx", "--input", &format!("{name}=[1, 2]")]);
    assert!(refused.code == 2 && refused.stderr.contains("is expected"), "{refused}");
    let refused = sandbox.tidemill(&["model", "run", "network.onnx", "--input", "nobody=1"]);
    assert!(refused.code == 2 && refused.stderr.contains("the model has no input `nobody`"), "{refused}");
}

#[test]
fn the_engines_of_a_model_are_measured_side_by_side() {
    let sandbox = Sandbox::empty();
    copy(&sandbox, "convolution.onnx", "network.onnx");
    copy(&sandbox, "forest_three.onnx", "forest.onnx");
    let bench = ["model", "bench", "network.onnx", "--rows", "2", "--seconds", "0.01"];
    let measured = sandbox.json(&bench);
    let engines = measured["engines"].as_array().expect("engines");
    assert_eq!(engines.len(), 3, "{measured}");
    assert!(engines[..2].iter().all(|engine| engine["median_us"].as_f64().is_some_and(|us| us > 0.0)), "{measured}");
    assert!(engines[1]["difference"].as_f64().is_some_and(|difference| difference < 1e-3), "{measured}");
    let text = sandbox.tidemill(&bench);
    assert!(text.code == 0 && text.stdout.contains("tract") && text.stdout.contains("rows/s"), "{text}");
    let measured = sandbox.json(&["model", "bench", "forest.onnx", "--seconds", "0.01"]);
    let refused = measured["engines"][1]["refused"].as_str().unwrap_or_default();
    assert!(refused.contains("tract does not run it"), "{measured}");
}

#[test]
fn models_of_other_programs_are_registered_from_the_layouts_people_have() {
    let sandbox = Sandbox::taxi(200);
    // A version folder of Triton: its configuration and labels lie beside it.
    std::fs::create_dir_all(sandbox.path("repository/net/3")).expect("a folder");
    std::fs::write(sandbox.path("repository/net/config.pbtxt"), "platform: \"onnxruntime_onnx\"\n").expect("a file");
    copy(&sandbox, "convolution.onnx", "repository/net/3/model.onnx");
    std::fs::write(sandbox.path("repository/net/3/labels.txt"), "cat\ndog\n").expect("a file");
    let imported = sandbox.json(&["model", "import", "repository/net", "--name", "net", "--alias", "champion"]);
    assert_eq!((&imported["version"], &imported["format"]), (&json!(1), &json!("ONNX")), "{imported}");
    // MLflow's folder: what runs is found by its content.
    std::fs::create_dir(sandbox.path("flow")).expect("a folder");
    std::fs::write(sandbox.path("flow/MLmodel"), "flavors:\n  lightgbm:\n    data: model.lgb\n").expect("a file");
    std::fs::write(sandbox.path("flow/requirements.txt"), "lightgbm\n").expect("a file");
    std::fs::write(sandbox.path("flow/input_example.json"), "{\"columns\": [\"a\"], \"data\": [[1]]}").expect("a file");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidemill-onnx/tests/foreign/binary.txt");
    std::fs::copy(source, sandbox.path("flow/model.lgb")).expect("the file can be copied");
    let imported = sandbox.json(&["model", "import", "flow", "--name", "trees"]);
    assert_eq!(imported["format"], "LightGBM text", "{imported}");
    // The same again is the same version, and the registry finds it by name.
    let again = sandbox.json(&["model", "import", "flow", "--name", "trees"]);
    assert_eq!((&again["version"], &again["created"]), (&json!(1), &json!(false)), "{again}");
    let shown = sandbox.json(&["model", "show", "net@champion"]);
    assert_eq!(shown["format"], "ONNX", "{shown}");
    let predicted = sandbox.json(&["predict", "trees", "--row", r#"{"a": 1.5, "kind": 3}"#]);
    assert!(predicted[0]["probability"].is_number() || predicted["probability"].is_number(), "{predicted}");

    std::fs::create_dir(sandbox.path("pickled")).expect("a folder");
    std::fs::write(sandbox.path("pickled/model.pkl"), b"\x80\x04").expect("a file");
    let refused = sandbox.tidemill(&["model", "import", "pickled", "--name", "p"]);
    assert!(refused.code == 2 && refused.stderr.contains("a Python pickle"), "{refused}");
}
