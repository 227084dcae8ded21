//! Models of other programs behind the protocols: matrices in, several outputs out.

use std::path::Path;
use std::sync::Arc;

use crate::support::{Running, options};
use serde_json::{Value, json};
use tidemill_serving::FolderSource;

/// A folder of versions whose first holds one file of another program.
fn serve(file: &str, name: &str) -> (Running, tempfile::TempDir) {
    let base = tempfile::tempdir().unwrap();
    std::fs::create_dir(base.path().join("1")).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidemill-onnx/tests").join(file);
    std::fs::copy(source, base.path().join("1").join(name)).unwrap();
    (Running::start(options(), Arc::new(FolderSource::new("m", base.path()))), base)
}

fn expected(file: &str, model: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidemill-onnx/tests").join(file);
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    all[model].clone()
}

fn near(got: &Value, expected: &Value) {
    let (got, expected) = (got.as_f64().unwrap(), expected.as_f64().unwrap());
    assert!((got - expected).abs() < 1e-5, "{got} and {expected}");
}

#[test]
fn an_onnx_model_takes_a_matrix_and_gives_labels_and_probabilities() {
    let (server, _base) = serve("onnx/forest_three.onnx", "model.onnx");
    let (_, metadata) = server.get("/v2/models/m");
    assert_eq!(metadata["platform"], "onnx_onnxv1");
    assert_eq!(metadata["inputs"][0]["shape"], json!([-1, 4]));
    assert_eq!(metadata["outputs"][0], json!({ "name": "output_label", "datatype": "BYTES", "shape": [-1] }));
    assert_eq!(metadata["outputs"][1]["shape"], json!([-1, 3]));
    let recorded = expected("onnx/expected.json", "forest_three");
    let rows = &recorded["inputs"]["X"].as_array().unwrap()[3..6];
    let flat: Vec<&Value> = rows.iter().flat_map(|row| row.as_array().unwrap()).collect();
    for data in [json!(rows), json!(flat)] {
        let body = json!({ "inputs": [{ "name": "X", "datatype": "FP32", "shape": [3, 4], "data": data }] });
        let (status, reply) = server.post("/v2/models/m/infer", body.to_string());
        assert_eq!(status, 200, "{reply}");
        assert_eq!(reply["outputs"][1]["shape"], json!([3, 3]));
        for row in 0..3 {
            assert_eq!(reply["outputs"][0]["data"][row], recorded["outputs"]["output_label"][row + 3][0]);
            for at in 0..3 {
                let cell = &recorded["outputs"]["output_probability"][row + 3][at];
                near(&reply["outputs"][1]["data"][row * 3 + at], cell);
            }
        }
    }
    let (status, reply) = server.post("/v1/models/m:predict", json!({ "instances": rows }).to_string());
    assert_eq!(status, 200, "{reply}");
    near(&reply["predictions"][1]["output_probability"][2], &recorded["outputs"]["output_probability"][4][2]);
    assert_eq!(
        server.get("/v1/models/m/metadata").1["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
            ["X"]["tensor_shape"]["dim"][1]["size"],
        json!("4")
    );
    for (body, expected) in [
        (json!({ "inputs": [{ "name": "X", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3] }] }), "[-1, 4]"),
        (json!({ "inputs": [{ "name": "X", "datatype": "FP32", "shape": [4], "data": [1, 2, 3, 4] }] }), "[-1, 4]"),
        (
            json!({ "inputs": [{ "name": "X", "datatype": "FP32", "shape": [1, 4], "data": [[1, 2], [3, 4]] }] }),
            "nesting",
        ),
    ] {
        let (status, message) = server.error("/v2/models/m/infer", &body.to_string());
        assert!(status == 400 && message.contains(expected), "{status} {message}");
    }
    let (status, message) = server.error("/v1/models/m:predict", r#"{"instances":[[1,2,3]]}"#);
    assert!(status == 400 && message.contains("expected size: 4"), "{status} {message}");
}

#[test]
fn lightgbm_and_xgboost_files_are_served_by_feature() {
    for (file, name, tolerance_of) in
        [("foreign/binary.txt", "model.txt", "binary.txt"), ("foreign/logistic.json", "model.json", "logistic.json")]
    {
        let (server, _base) = serve(file, name);
        let recorded = expected("foreign/expected.json", tolerance_of);
        let row = |at: usize| {
            let cells = recorded["rows"][at].as_array().unwrap();
            Value::Object(["a", "b", "c", "d", "kind"].iter().map(|n| (*n).to_owned()).zip(cells.clone()).collect())
        };
        let (status, reply) = server.post("/v1/models/m:predict", json!({ "instances": [row(0), row(1)] }).to_string());
        assert_eq!(status, 200, "{reply}");
        near(&reply["predictions"][1], &recorded["predictions"][1]);
        assert_eq!(server.get("/v2/models/m").1["outputs"][0]["name"], "probability");
    }
}
