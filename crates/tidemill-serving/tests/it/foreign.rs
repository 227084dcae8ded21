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
    assert!(status == 400 && message.contains("[-1, 4] is expected"), "{status} {message}");
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

/// The names that `types.onnx` gives its inputs, with their element types.
const TYPES: [(&str, &str); 13] = [
    ("u8", "UINT8"),
    ("i8", "INT8"),
    ("u16", "UINT16"),
    ("i16", "INT16"),
    ("i32", "INT32"),
    ("u32", "UINT32"),
    ("i64", "INT64"),
    ("u64", "UINT64"),
    ("f16", "FP16"),
    ("f32", "FP32"),
    ("f64", "FP64"),
    ("bool", "BOOL"),
    ("text", "BYTES"),
];

fn sample(datatype: &str) -> Value {
    match datatype {
        "BOOL" => json!([true, false]),
        "BYTES" => json!(["a", "Ω"]),
        "UINT8" => json!([0, 255]),
        "INT8" => json!([-128, 127]),
        "UINT64" => json!([1, u64::MAX]),
        "INT64" => json!([i64::MIN, 5]),
        "FP16" | "FP32" | "FP64" => json!([0.5, -2.25]),
        _ => json!([3, 4]),
    }
}

#[test]
fn names_types_and_shapes_are_those_of_the_graph() {
    let (server, _base) = serve("tensors/types.onnx", "model.onnx");
    let (_, metadata) = server.get("/v2/models/m");
    for (at, (name, datatype)) in TYPES.iter().enumerate() {
        let input = &metadata["inputs"][at];
        assert_eq!((&input["name"], &input["datatype"]), (&json!(name), &json!(datatype)));
        assert_eq!(input["shape"], json!([-1, 2, 1]), "{input}");
    }
    assert_eq!(metadata["outputs"][14], json!({ "name": "total", "datatype": "INT32", "shape": [] }));
    let inputs = server.get("/v1/models/m/metadata").1["metadata"]["signature_def"]["signature_def"]["serving_default"]
        ["inputs"]
        .clone();
    assert_eq!(inputs["u8"]["dtype"], "DT_UINT8");
    assert_eq!(inputs["f16"]["dtype"], "DT_HALF");
    assert_eq!(inputs["f32"]["tensor_shape"]["dim"][0], json!({ "size": "-1", "name": "batch" }));

    let request = |replace: Option<(&str, Value)>| {
        let tensors: Vec<Value> = TYPES
            .iter()
            .map(|(name, datatype)| {
                let data = replace.as_ref().filter(|(other, _)| other == name).map(|(_, data)| data.clone());
                let data = data.unwrap_or_else(|| sample(datatype));
                json!({ "name": name, "datatype": datatype, "shape": [1, 2, 1], "data": data })
            })
            .collect();
        json!({ "inputs": tensors }).to_string()
    };
    let (status, reply) = server.post("/v2/models/m/infer", request(None));
    assert_eq!(status, 200, "{reply}");
    for (at, (name, datatype)) in TYPES.iter().enumerate() {
        let output = &reply["outputs"][at];
        assert_eq!(output["name"], json!(format!("{name}_out")));
        assert_eq!((&output["datatype"], &output["shape"]), (&json!(datatype), &json!([1, 2, 1])), "{output}");
        assert_eq!(output["data"], sample(datatype), "{output}");
    }
    assert_eq!(reply["outputs"][13]["data"], json!([1.0, -4.5]));
    // An output without rows.
    assert_eq!((&reply["outputs"][14]["shape"], &reply["outputs"][14]["data"]), (&json!([]), &json!([7])));
    for (name, data, expected) in [
        ("u8", json!([1, 256]), "256 is not a valid UINT8"),
        ("i8", json!([1, -129]), "-129 is not a valid INT8"),
        ("f16", json!([1, 70000]), "70000 is not a valid FP16"),
        ("i32", json!([1, 0.5]), "0.5 is not a valid INT32"),
        ("bool", json!([1, 0]), "is not a valid BOOL"),
        ("text", json!([1, 0]), "is not a valid BYTES"),
    ] {
        let (status, message) = server.error("/v2/models/m/infer", &request(Some((name, data))));
        assert!(status == 400 && message.contains(expected) && message.contains(name), "{status} {message}");
    }
    // Columns, nested as the tensors are; and what is missing is named with all that there is.
    let nested = |datatype: &str| {
        let values = sample(datatype);
        json!([[[values[0]], [values[1]]]])
    };
    let columns: serde_json::Map<String, Value> =
        TYPES.iter().map(|(name, datatype)| ((*name).to_owned(), nested(datatype))).collect();
    let (status, reply) = server.post("/v1/models/m:predict", json!({ "inputs": columns }).to_string());
    assert_eq!(status, 200, "{reply}");
    assert_eq!(reply["outputs"]["u64_out"], nested("UINT64"));
    assert_eq!(reply["outputs"]["total"], json!(7));
    let mut fewer = columns.clone();
    fewer.remove("i16");
    fewer.insert("u32".to_owned(), Value::Null);
    let (status, message) = server.error("/v1/models/m:predict", &json!({ "inputs": fewer }).to_string());
    assert!(status == 400 && message.contains("inputs are missing: `i16`, `u32`"), "{status} {message}");
    assert!(message.contains("`text` (BYTES [batch, 2, 1])"), "{message}");
    // An instance has no row of an output without rows.
    let row: serde_json::Map<String, Value> =
        columns.iter().map(|(name, value)| (name.clone(), value[0].clone())).collect();
    let (status, message) = server.error("/v1/models/m:predict", &json!({ "instances": [row] }).to_string());
    assert!(status == 400 && message.contains("send the request as `inputs`"), "{status} {message}");
}

/// Answers of a model while strangers ask it for extreme rows; whatever the flags say.
#[test]
fn a_row_has_the_same_answer_in_any_company() {
    use tidemill_serving::{Batching, BatchingOptions};

    let recorded = expected("tensors/expected.json", "models");
    for model in ["softmax_rows", "mean_rows", "quantised", "alone"] {
        let base = tempfile::tempdir().unwrap();
        std::fs::create_dir(base.path().join("1")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidemill-onnx/tests/tensors");
        std::fs::copy(source.join(format!("{model}.onnx")), base.path().join("1/model.onnx")).unwrap();
        let mut options = options();
        options.batching = BatchingOptions {
            mode: Batching::Fixed,
            queue_delay_max: Some(std::time::Duration::from_millis(2)),
            threads: Some(1),
            ..BatchingOptions::default()
        };
        let server = Running::start(options, Arc::new(FolderSource::new("m", base.path())));
        std::thread::scope(|scope| {
            let ask = |row: &'static str, count: usize| {
                let server = &server;
                move || -> Vec<Value> {
                    let body = format!("{{\"instances\":[{row}]}}");
                    (0..count).map(|_| server.post("/v1/models/m:predict", body.clone()).1).collect()
                }
            };
            let strangers: Vec<_> = (0..3).map(|_| scope.spawn(ask("[1000,-2000,3000,500]", 40))).collect();
            let answers = scope.spawn(ask("[0.1,0.2,0.3,0.4]", 40)).join().unwrap();
            strangers.into_iter().for_each(|stranger| drop(stranger.join().unwrap()));
            for answer in &answers {
                assert_eq!(answer, &answers[0], "{model}");
                for at in 0..3 {
                    near(&answer["predictions"][0][at], &recorded[model]["alone"][0][at]);
                }
            }
        });
    }
}
