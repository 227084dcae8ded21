//! The Open Inference Protocol, from outside.

use std::io::Read as _;

use crate::support::{MODEL, Packages, Running, servable};
use serde_json::{Value, json};
use tidemill_model::Model;

const INFER: &str = "/v2/models/taxi/infer";

/// The taxi model as versions 1 and 2; 2 has the label `champion`.
fn server() -> (Running, Model, Model) {
    let packages = Packages::new();
    let (one, two) = (packages.taxi(0.5), packages.taxi(-0.5));
    let (running, _) = Running::of(vec![servable(MODEL, 1, &one, &[]), servable(MODEL, 2, &two, &["champion"])]);
    (running, Model::load(&one).unwrap(), Model::load(&two).unwrap())
}

fn tensor(name: &str, datatype: &str, shape: &Value, data: &Value) -> Value {
    json!({ "name": name, "datatype": datatype, "shape": shape, "data": data })
}

fn two_rows() -> Value {
    let shape = json!([2]);
    json!([
        tensor("fare", "FP64", &shape, &json!([12.5, 3])),
        tensor("seconds", "INT64", &shape, &json!([600, 60])),
        tensor("company", "BYTES", &shape, &json!(["Flash", null])),
    ])
}

fn expected(model: &Model) -> Vec<f64> {
    let rows = [json!({ "fare": 12.5, "seconds": 600, "company": "Flash" }), json!({ "fare": 3.0, "seconds": 60 })];
    model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap()
}

#[test]
fn health_and_metadata() {
    let (server, ..) = server();
    assert_eq!(server.get("/v2/health/live"), (200, json!({ "live": true })));
    assert_eq!(server.get("/v2/health/ready"), (200, json!({ "ready": true })));
    assert_eq!(server.get("/v2/models/taxi/ready"), (200, json!({ "name": "taxi", "ready": true })));
    assert_eq!(server.get("/v2/models/taxi/versions/2/ready"), (200, json!({ "name": "taxi", "ready": true })));
    let (_, about) = server.get("/v2");
    assert_eq!(about["name"], "tidemill");
    assert_eq!(about["extensions"], json!(["binary_tensor_data", "model_repository", "parameters"]));
    let (status, model) = server.get("/v2/models/taxi");
    assert_eq!(status, 200);
    assert_eq!(model["name"], "taxi");
    assert_eq!(model["versions"], json!(["1", "2"]));
    assert_eq!(model["inputs"][1], json!({ "name": "seconds", "datatype": "INT64", "shape": [-1] }));
    assert_eq!(model["outputs"], json!([{ "name": "probability", "datatype": "FP64", "shape": [-1] }]));
}

#[test]
fn versions_in_the_path_differ_and_the_id_is_echoed() {
    let (server, one, two) = server();
    let body = json!({ "id": "a\"7", "inputs": two_rows(), "outputs": [{ "name": "probability" }] }).to_string();
    let reply = |model: &Model, version: &str| {
        json!({
            "model_name": "taxi", "model_version": version, "id": "a\"7",
            "outputs": [{ "name": "probability", "datatype": "FP64", "shape": [2], "data": expected(model) }],
        })
    };
    assert_eq!(server.post("/v2/models/taxi/versions/1/infer", &body), (200, reply(&one, "1")));
    assert_eq!(server.post("/v2/models/taxi/versions/2/infer", &body), (200, reply(&two, "2")));
    assert_eq!(server.post("/v2/models/taxi/versions/champion/infer", &body), (200, reply(&two, "2")));
    assert_eq!(server.post(INFER, &body), (200, reply(&two, "2")));
    let bare = json!({ "parameters": { "unknown": 1 }, "inputs": two_rows() }).to_string();
    assert_eq!(server.post(INFER, bare).1["outputs"][0]["data"], json!(expected(&two)));
}

#[test]
fn every_numeric_type_is_taken_where_the_value_fits() {
    let (server, _, two) = server();
    let want = |fare: f64, seconds: i64| {
        let rows = [json!({ "fare": fare, "seconds": seconds })];
        json!(two.predict_values(&two.batch_from_rows(&rows).unwrap()).unwrap())
    };
    let ask = |fare_type: &str, fare: Value, seconds_type: &str, seconds: Value| {
        let shape = json!([1, 1]);
        let inputs = [
            tensor("fare", fare_type, &shape, &json!([fare])),
            tensor("seconds", seconds_type, &shape, &json!([[seconds]])),
        ];
        server.post(INFER, json!({ "inputs": inputs }).to_string())
    };
    for integer in ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"] {
        let (status, reply) = ask(integer, json!(17), integer, json!(60));
        assert_eq!((status, &reply["outputs"][0]["data"]), (200, &want(17.0, 60)), "{integer}: {reply}");
    }
    for float in ["FP16", "BF16", "FP32", "FP64"] {
        let (status, reply) = ask(float, json!(17.5), float, json!(60.0));
        assert_eq!((status, &reply["outputs"][0]["data"]), (200, &want(17.5, 60)), "{float}: {reply}");
    }
    let (_, reply) = ask("FP32", json!(0.1), "INT64", json!(i64::MAX));
    assert_eq!(reply["outputs"][0]["data"], want(f64::from(0.1f32), i64::MAX));

    for (fare_type, fare, seconds_type, seconds, part) in [
        ("INT64", json!(9_007_199_254_740_993_i64), "INT64", json!(1), "without loss"),
        ("FP64", json!(1.0), "FP64", json!(1.5), "1.5 cannot be INT64 without loss"),
        ("FP64", json!(1.0), "FP64", json!(9.3e18), "without loss"),
        ("FP64", json!(1.0), "UINT64", json!(u64::MAX), "without loss"),
        ("UINT8", json!(256), "INT64", json!(1), "`256` is not UINT8"),
        ("INT8", json!(1.5), "INT64", json!(1), "`1.5` is not INT8"),
        ("UINT8", json!(-1), "INT64", json!(1), "`-1` is not UINT8"),
        ("FP32", json!(1e300), "INT64", json!(1), "is not FP32"),
        ("BOOL", json!(true), "INT64", json!(1), "BOOL cannot be FP64"),
        ("BYTES", json!("1"), "INT64", json!(1), "BYTES cannot be FP64"),
        ("FP64", json!("1"), "INT64", json!(1), "`\"1\"` is not FP64"),
        ("FP64", json!(null), "INT64", json!(1), "null is given, but the input is required"),
    ] {
        let (status, reply) = ask(fare_type, fare, seconds_type, seconds);
        let message = reply["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!(status, 400, "{reply}");
        assert!(message.contains(part), "{message} lacks {part}");
    }
}

#[test]
fn malformed_requests_are_told_what_is_wrong() {
    let (server, ..) = server();
    let fare = tensor("fare", "FP64", &json!([1]), &json!([1]));
    let seconds = tensor("seconds", "INT64", &json!([1]), &json!([1]));
    let with = |name: &str, change: fn(&mut Value)| {
        let mut changed = if name == "fare" { fare.clone() } else { seconds.clone() };
        change(&mut changed);
        let other = if name == "fare" { &seconds } else { &fare };
        json!({ "inputs": [other, changed] }).to_string()
    };
    for (body, part) in [
        ("{".to_owned(), "JSON Parse error"),
        ("[]".to_owned(), "the body must be a JSON object"),
        ("{}".to_owned(), "the key `inputs` is missing"),
        (json!({ "inputs": {} }).to_string(), "`inputs` must be a list"),
        (json!({ "inputs": [1] }).to_string(), "each of `inputs` must be an object"),
        (json!({ "inputs": [] }).to_string(), "missing inference input `fare` (FP64)"),
        (json!({ "inputs": [fare] }).to_string(), "missing inference input `seconds` (INT64)"),
        (
            json!({ "inputs": [fare] }).to_string(),
            "sent: {fare}; it takes fare FP64 [-1], seconds INT64 [-1], optional: miles FP64 [-1], company BYTES [-1]",
        ),
        (json!({ "id": 3, "inputs": [fare, seconds] }).to_string(), "`id` must be a string"),
        (json!({ "parameters": [], "inputs": [fare, seconds] }).to_string(), "`parameters` must be an object"),
        (json!({ "inputs": [fare, seconds, fare] }).to_string(), "input `fare`: the input is given twice"),
        (
            json!({ "inputs": [fare, seconds], "outputs": [{ "name": "y" }] }).to_string(),
            "unexpected inference output `y`",
        ),
        (json!({ "inputs": [fare, seconds], "outputs": [{}] }).to_string(), "an output lacks the key `name`"),
        (with("fare", |t| t["name"] = json!("fair")), "unexpected inference input `fair` for model `taxi`"),
        (with("fare", |t| drop(t.as_object_mut().unwrap().remove("name"))), "an input lacks the key `name`"),
        (with("fare", |t| drop(t.as_object_mut().unwrap().remove("shape"))), "lacks the key `shape`"),
        (with("fare", |t| drop(t.as_object_mut().unwrap().remove("datatype"))), "lacks the key `datatype`"),
        (with("fare", |t| drop(t.as_object_mut().unwrap().remove("data"))), "the key `data` is missing"),
        (with("fare", |t| t["datatype"] = json!("FP65")), "`FP65` is not a datatype"),
        (with("fare", |t| t["shape"] = json!([1, 2])), "the shape is [1, 2], and [-1] or [-1, 1] is expected"),
        (with("fare", |t| t["shape"] = json!([-1])), "input `fare`: each size of `shape` must be a whole number"),
        (with("fare", |t| t["shape"] = json!([2])), "2 rows are given, and the first input has 1"),
        (with("fare", |t| t["data"] = json!([1, 2])), "the shape [1] asks for 1 elements, and `data` has 2"),
        (with("fare", |t| t["data"] = json!([])), "asks for 1 elements, and `data` has 0"),
        (with("fare", |t| t["data"] = json!([[1]])), "the nesting of `data` does not match"),
        (with("fare", |t| t["data"] = json!(1)), "`data` must be a list"),
        (
            with("fare", |t| t["parameters"] = json!({ "shared_memory_region": "r" })),
            "`shared_memory_region` is not supported",
        ),
        (with("fare", |t| t["parameters"] = json!({ "binary_data_size": 8 })), "binary_data_size"),
        (
            json!({ "inputs": [tensor("fare", "FP64", &json!([1_u64 << 60]), &json!([1])), seconds] }).to_string(),
            "asks for 1152921504606846976 elements",
        ),
    ] {
        let (status, message) = server.error(INFER, &body);
        assert_eq!(status, 400, "{body}: {message}");
        assert!(message.contains(part), "{body}: {message}");
    }
    assert_eq!(server.error("/v2/models/none/infer", "{}"), (404, "unknown model `none`".to_owned()));
    let gone = (404, "model `taxi` has no version `9`".to_owned());
    assert_eq!(server.error("/v2/models/taxi/versions/9/infer", "{}"), gone);
    assert_eq!(server.get("/v2/models/taxi/versions/9/ready").0, 404);
    assert_eq!(server.get("/v2/models/none").0, 404);
}

/// A request in the form `tritonclient` sends by default: JSON, then tensors in binary.
fn binary_request(
    server: &Running,
    header: &Value,
    tensors: &[u8],
    json_bytes: Option<usize>,
) -> (u16, Option<usize>, Vec<u8>) {
    let json = header.to_string();
    let body = [json.as_bytes(), tensors].concat();
    let length = json_bytes.unwrap_or(json.len()).to_string();
    let request = crate::support::agent().post(server.url(INFER)).header("Inference-Header-Content-Length", &length);
    let mut response = request.send(&body[..]).unwrap();
    let length =
        response.headers().get("inference-header-content-length").map(|v| v.to_str().unwrap().parse().unwrap());
    let mut reply = Vec::new();
    response.body_mut().as_reader().read_to_end(&mut reply).unwrap();
    (response.status().as_u16(), length, reply)
}

fn binary_tensors() -> (Value, Vec<u8>) {
    let mut bytes = Vec::new();
    bytes.extend([12.5f64, 3.0].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend([600i32, 60].iter().flat_map(|value| value.to_le_bytes()));
    for text in ["Flash", "Nobody"] {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    let tensor = |name: &str, datatype: &str, size: usize| json!({ "name": name, "datatype": datatype, "shape": [2, 1], "parameters": { "binary_data_size": size } });
    let inputs = json!([tensor("fare", "FP64", 16), tensor("seconds", "INT32", 8), tensor("company", "BYTES", 19)]);
    (inputs, bytes)
}

#[test]
fn tensors_in_binary_go_in_and_out() {
    let (server, _, two) = server();
    let rows = [
        json!({ "fare": 12.5, "seconds": 600, "company": "Flash" }),
        json!({ "fare": 3.0, "seconds": 60, "company": "Nobody" }),
    ];
    let expected = two.predict_values(&two.batch_from_rows(&rows).unwrap()).unwrap();
    let (inputs, bytes) = binary_tensors();

    let header = json!({ "inputs": inputs, "parameters": { "binary_data_output": true } });
    let (status, length, reply) = binary_request(&server, &header, &bytes, None);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&reply));
    let (json, binary) = reply.split_at(length.unwrap());
    let json: Value = serde_json::from_slice(json).unwrap();
    assert_eq!(json["outputs"][0]["parameters"]["binary_data_size"], 16);
    assert!(json["outputs"][0].get("data").is_none());
    let got: Vec<f64> = binary.chunks(8).map(|chunk| f64::from_le_bytes(chunk.try_into().unwrap())).collect();
    assert_eq!(got, expected);

    let no =
        json!({ "inputs": inputs, "outputs": [{ "name": "probability", "parameters": { "binary_data": false } }] });
    let (_, length, reply) = binary_request(&server, &no, &bytes, None);
    assert_eq!(length, None);
    assert_eq!(serde_json::from_slice::<Value>(&reply).unwrap()["outputs"][0]["data"], json!(expected));
    let yes =
        json!({ "inputs": inputs, "outputs": [{ "name": "probability", "parameters": { "binary_data": true } }] });
    assert!(binary_request(&server, &yes, &bytes, None).1.is_some());
}

#[test]
fn binary_tensors_cut_short_or_too_long_are_refused() {
    let (server, ..) = server();
    let (inputs, bytes) = binary_tensors();
    let header = json!({ "inputs": inputs });
    for cut in 0..bytes.len() {
        assert_eq!(binary_request(&server, &header, &bytes[..cut], None).0, 400, "cut at {cut}");
    }
    assert_eq!(binary_request(&server, &header, &[&bytes[..], &[0]].concat(), None).0, 400);
    assert_eq!(binary_request(&server, &header, &bytes, Some(1 << 40)).0, 400);
    assert_eq!(binary_request(&server, &header, &bytes, Some(3)).0, 400);
    let mut hostile = bytes.clone();
    hostile[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(binary_request(&server, &header, &hostile, None).0, 400);
    hostile[24..28].copy_from_slice(&5u32.to_le_bytes());
    hostile[28] = 0xff;
    let (status, _, reply) = binary_request(&server, &header, &hostile, None);
    assert!(status == 400 && String::from_utf8_lossy(&reply).contains("is not UTF-8"));
}
