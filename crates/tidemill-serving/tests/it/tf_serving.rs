//! TF Serving's REST dialect, from outside.

use std::io::Write as _;

use crate::support::{MODEL, Packages, Running, parsed, servable};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use tidemill_model::Model;

const PREDICT: &str = "/v1/models/taxi:predict";

fn row() -> Value {
    json!({ "fare": 12.5, "seconds": 600, "miles": 2.3, "company": "Flash", "shared": true })
}

/// The taxi model as version 7 with the label `stable`, and `half_plus_two` as version 123.
fn server() -> (Running, Model) {
    let packages = Packages::new();
    let taxi = packages.taxi(0.25);
    let (running, _) = Running::of(vec![
        servable(MODEL, 7, &taxi, &["stable"]),
        servable("half_plus_two", 123, &packages.half_plus_two(), &[]),
        servable("cost", 1, &packages.regression(), &[]),
    ]);
    let model = Model::load(&taxi).unwrap();
    // All is in memory: the packages may go.
    (running, model)
}

fn expected(model: &Model, rows: &[Value]) -> Vec<f64> {
    model.predict_values(&model.batch_from_rows(rows).unwrap()).unwrap()
}

#[test]
fn rows_and_columns_give_the_same_numbers_as_the_library() {
    let (server, model) = server();
    let missing = json!({ "fare": 3, "seconds": 60, "company": null });
    let value = expected(&model, &[row(), missing.clone()]);

    let (status, reply) = server.post(PREDICT, json!({ "instances": [row(), missing] }).to_string());
    assert_eq!((status, reply), (200, json!({ "predictions": value })));

    let columns = json!({ "inputs": {
        "company": ["Flash", null], "fare": [12.5, 3], "seconds": [600, 60], "miles": [2.3, null], "shared": [true, null],
    }});
    let (status, reply) = server.post(PREDICT, columns.to_string());
    assert_eq!((status, reply), (200, json!({ "outputs": value })));

    let nested = json!({ "signature_name": "serving_default", "instances": [
        { "fare": [12.5], "seconds": [600], "miles": [2.3], "company": [{ "b64": "Rmxhc2g=" }], "shared": [true] },
    ]});
    let (_, reply) = server.post(PREDICT, nested.to_string());
    assert_eq!(reply, json!({ "predictions": [value[0]] }));
    let columns = json!({ "inputs": { "fare": [[3.0]], "seconds": [[60]], "signature_name": null } });
    assert_eq!(server.post(PREDICT, columns.to_string()).0, 400, "no such input");
    let columns = json!({ "inputs": { "fare": [[3.0]], "seconds": [[60]] } });
    assert_eq!(server.post(PREDICT, columns.to_string()).1, json!({ "outputs": [value[1]] }));
}

#[test]
fn the_golden_request_of_tf_serving_has_its_golden_answer() {
    let (server, _) = server();
    let path = "/v1/models/half_plus_two:predict";
    assert_eq!(server.post_text(path, r#"{"instances":[1.0,2.0,5.0]}"#).1, r#"{"predictions":[2.5,3.0,4.5]}"#);
    assert_eq!(server.post_text(path, r#"{"instances":[[1.0],[2],{"x":5}]}"#).0, 400, "values and objects are mixed");
    assert_eq!(server.post_text(path, r#"{"inputs":[1.0,2.0,5.0]}"#).1, r#"{"outputs":[2.5,3.0,4.5]}"#);
    assert_eq!(server.post_text(path, r#"{"inputs":{"x":[[1.0],[5]]}}"#).1, r#"{"outputs":[2.5,4.5]}"#);
    assert_eq!(server.post_text(path, r#"{"inputs":[]}"#).1, r#"{"outputs":[]}"#);
    assert_eq!(
        server.post_text("/v1/models/half_plus_two:regress", r#"{"examples":[{"x":1.0},{"x":[2.0]}]}"#).1,
        r#"{"results":[2.5,3.0]}"#
    );
}

#[test]
fn special_numbers_and_whole_numbers_are_exact() {
    let (server, model) = server();
    // A bare NaN is a missing value where the input is optional.
    let body =
        r#"{"instances":[{"fare":Infinity,"seconds":9007199254740993,"miles":NaN}, {"fare":-Infinity,"seconds":-1}]}"#;
    let rows = [
        json!({ "fare": "Infinity", "seconds": 9_007_199_254_740_993_i64 }),
        json!({ "fare": "-Infinity", "seconds": -1 }),
    ];
    assert_eq!(server.post(PREDICT, body).1, json!({ "predictions": expected(&model, &rows) }));
    let (status, message) = server.error(PREDICT, r#"{"instances":[{"fare":NaN,"seconds":1}]}"#);
    assert_eq!(status, 400);
    assert!(message.contains("fare"), "{message}");
}

#[test]
fn classes_and_values_follow_the_task() {
    let (server, model) = server();
    let value = expected(&model, &[row()])[0];
    let body = json!({ "context": { "company": "Flash", "shared": true }, "examples": [{ "fare": 12.5, "seconds": [600], "miles": 2.3 }] });
    let (status, reply) = server.post("/v1/models/taxi:classify", body.to_string());
    assert_eq!((status, reply), (200, json!({ "results": [[["0", 1.0 - value], ["1", value]]] })));

    let named = json!({ "signature_name": "classification", "examples": [row()] });
    assert_eq!(server.post("/v1/models/taxi:classify", named.to_string()).0, 200);
    let (status, message) = server.error("/v1/models/taxi:regress", &json!({ "examples": [row()] }).to_string());
    assert_eq!(status, 400);
    assert!(message.contains("tensorflow/serving/regress") && message.contains("\"classification\""), "{message}");
    assert_eq!(server.post("/v1/models/cost:regress", json!({ "examples": [row()] }).to_string()).0, 200);
    assert_eq!(server.post("/v1/models/cost:classify", json!({ "examples": [row()] }).to_string()).0, 400);
}

#[test]
fn examples_have_no_booleans() {
    let (server, model) = server();
    let value = expected(&model, &[json!({ "fare": 12.5, "seconds": 1, "shared": true })])[0];
    let path = "/v1/models/taxi:classify";
    for example in [
        json!({ "fare": 12.5, "seconds": 1, "shared": 1 }),
        json!({ "fare": 12.5, "seconds": true, "shared": [true] }),
        json!({ "fare": [12.5], "seconds": [true], "shared": [1] }),
    ] {
        let (status, reply) = server.post(path, json!({ "examples": [example] }).to_string());
        assert_eq!((status, &reply["results"][0][1][1]), (200, &json!(value)), "{reply}");
    }
    for (example, part) in [
        (json!({ "fare": 12.5, "seconds": 1, "shared": 2 }), "is not of expected type: bool"),
        (json!({ "fare": true, "seconds": 1 }), "is not of expected type: double"),
    ] {
        let (status, message) = server.error(path, &json!({ "examples": [example] }).to_string());
        assert!(status == 400 && message.contains(part), "{message}");
    }
    let tensors = json!({ "instances": [{ "fare": 12.5, "seconds": true }] });
    assert_eq!(server.post(PREDICT, tensors.to_string()).0, 400, "tensors have them, and keep them apart");
}

#[test]
fn versions_and_labels_lead_to_the_model_in_any_case() {
    let (server, _) = server();
    let body = json!({ "instances": [row()] }).to_string();
    for path in [
        "/v1/models/taxi/versions/7:predict",
        "/v1/models/taxi/versions/0007:predict",
        "/v1/models/taxi/labels/stable:predict",
        "/V1/MODELS/taxi/LABELS/stable:PREDICT",
    ] {
        assert_eq!(server.post(path, &body).0, 200, "{path}");
    }
}

#[test]
fn status_and_metadata_have_tf_servings_shape() {
    let (server, _) = server();
    let status = json!({ "model_version_status": [
        { "version": "123", "state": "AVAILABLE", "status": { "error_code": "OK", "error_message": "" } },
    ]});
    assert_eq!(server.get("/v1/models/half_plus_two"), (200, status.clone()));
    assert_eq!(server.get("/v1/models/half_plus_two/versions/123"), (200, status));
    let (_, by_label) = server.get("/v1/models/taxi/labels/stable");
    assert_eq!(by_label["model_version_status"][0]["version"], "7");
    assert_eq!(server.get("/v1/models/taxi/labels/gone").0, 400);
    assert_eq!(server.get("/"), (200, json!({ "status": "alive" })), "where KServe's clients of v1 look");

    let tensor = |dtype: &str, name: &str| {
        json!({
            "dtype": dtype, "tensor_shape": { "dim": [{ "size": "-1", "name": "" }], "unknown_rank": false }, "name": name,
        })
    };
    let signature = |method: &str| {
        json!({
            "inputs": { "x": tensor("DT_DOUBLE", "x:0") },
            "outputs": { "prediction": tensor("DT_DOUBLE", "prediction:0") },
            "method_name": method,
            "defaults": {},
        })
    };
    let metadata = json!({
        "model_spec": { "name": "half_plus_two", "signature_name": "", "version": "123" },
        "metadata": { "signature_def": { "signature_def": {
            "serving_default": signature("tensorflow/serving/predict"),
            "regression": signature("tensorflow/serving/regress"),
        }}},
    });
    assert_eq!(server.get("/v1/models/half_plus_two/metadata"), (200, metadata));
    let (_, taxi) = server.get("/v1/models/taxi/labels/stable/metadata");
    let inputs = &taxi["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"];
    let dtypes: Vec<_> = inputs.as_object().unwrap().values().map(|input| input["dtype"].as_str().unwrap()).collect();
    assert_eq!(dtypes, ["DT_DOUBLE", "DT_INT64", "DT_DOUBLE", "DT_STRING", "DT_BOOL"]);
}

#[test]
fn what_does_not_exist_is_said_in_tf_servings_words() {
    let (server, _) = server();
    let body = r#"{"instances":[1.0]}"#;
    for (path, status, message) in [
        ("/v1/models/half:predict", 404, "Servable not found for request: Latest(half)"),
        ("/v1/models/taxi/versions/9:predict", 404, "Servable not found for request: Specific(taxi, 9)"),
        ("/v1/models/taxi/labels/gone:predict", 400, "Unrecognized servable version label: gone"),
        ("/v1/models/taxi:explode", 400, "Malformed request: POST /v1/models/taxi:explode"),
        ("/v1/models/taxi", 400, "Malformed request: POST /v1/models/taxi"),
        ("/elsewhere", 404, "no such path: POST /elsewhere"),
    ] {
        assert_eq!(server.error(path, body), (status, message.to_owned()));
    }
    assert_eq!(server.get("/v1/models/half").0, 404);
    assert_eq!(server.get("/v1/models/taxi/versions/8").0, 404);
    assert_eq!(server.get("/v1/models/half/metadata").0, 404);
}

#[test]
fn malformed_bodies_are_told_what_is_wrong() {
    let (server, _) = server();
    let half = "/v1/models/half_plus_two:predict";
    let classify = "/v1/models/taxi:classify";
    for (path, body, part) in [
        (PREDICT, "", "JSON Parse error: The document is empty. at offset: 0"),
        (PREDICT, "{\"instances\": [1,", "JSON Parse error: "),
        (PREDICT, "{\"instances\": [}", "at offset: 15"),
        (PREDICT, "[1]", "JSON Value: [1] Is not object"),
        (PREDICT, "{}", "Missing 'inputs' or 'instances' key"),
        (
            PREDICT,
            r#"{"instances": [{"fare":1,"seconds":1}], "inputs": {}}"#,
            "expecting only one of 'inputs' or 'instances'",
        ),
        (PREDICT, r#"{"instances": []}"#, "No values in 'instances' array"),
        (PREDICT, r#"{"instances": 3}"#, "Expecting 'instances' to be an list/array"),
        (PREDICT, r#"{"instances": [1.0]}"#, "instances is a plain list, but expecting list of objects"),
        (PREDICT, r#"{"inputs": [1.0]}"#, "inputs is a plain value/list, but expecting an object"),
        (
            PREDICT,
            r#"{"signature_name": "s", "inputs": {"fare":[1],"seconds":[1]}}"#,
            "Serving signature name: \"s\" not found in signature def",
        ),
        (PREDICT, r#"{"signature_name": 1}"#, "'signature_name' key must be a string value"),
        (PREDICT, r#"{"instances": [{"fare":1}]}"#, "Missing named input: seconds (INT64)"),
        (PREDICT, r#"{"instances": [{"fare":1}]}"#, "keys must be equal to: fare,seconds. "),
        (
            PREDICT,
            r#"{"instances": [{"fare":1}]}"#,
            "The model takes: fare FP64 [-1], seconds INT64 [-1], optional: miles",
        ),
        (
            PREDICT,
            r#"{"instances": [{"fare":1,"seconds":null}]}"#,
            "key: seconds of 'instances' list. Error: null is given",
        ),
        (PREDICT, r#"{"instances": [{"fare":1,"second":1}]}"#, "does not have named input: second"),
        (PREDICT, r#"{"instances": [{"fare":1,"second":1}]}"#, "did you mean `seconds`?"),
        (PREDICT, r#"{"instances": [{"fare":1,"seconds":1,"fare":2}]}"#, "given twice"),
        (
            PREDICT,
            r#"{"instances": [{"fare":"x","seconds":1}]}"#,
            "JSON Value: \"x\" Type: String is not of expected type: double",
        ),
        (
            PREDICT,
            r#"{"instances": [{"fare":1,"seconds":1.5}]}"#,
            "JSON Value: 1.5 Type: Number is not of expected type: int64",
        ),
        (PREDICT, r#"{"instances": [{"fare":1,"seconds":9223372036854775808}]}"#, "is not of expected type: int64"),
        (PREDICT, r#"{"instances": [{"fare":9007199254740993,"seconds":1}]}"#, "to double without loss of precision"),
        (PREDICT, r#"{"instances": [{"fare":1e999,"seconds":1}]}"#, "Number too big to be stored in double."),
        (PREDICT, r#"{"instances": [{"fare":true,"seconds":1}]}"#, "Type: True is not of expected type: double"),
        (
            PREDICT,
            r#"{"instances": [{"fare":1,"seconds":1,"shared":0}]}"#,
            "Type: Number is not of expected type: bool",
        ),
        (PREDICT, r#"{"instances": [{"fare":1,"seconds":1,"company":{"b64":"?"}}]}"#, "Unable to base64 decode"),
        (
            PREDICT,
            r#"{"instances": [{"fare":1,"seconds":1,"company":{"b64":1}}]}"#,
            "not formatted correctly for base64 data",
        ),
        (PREDICT, r#"{"instances": [{"fare":1,"seconds":1,"company":{"b64":"/w=="}}]}"#, "not UTF-8"),
        (PREDICT, r#"{"instances": [{"fare":[1,2],"seconds":1}]}"#, "Encountered list at unexpected size: 2"),
        (PREDICT, r#"{"instances": [{"fare":[],"seconds":1}]}"#, "Encountered list at unexpected size: 0"),
        (PREDICT, r#"{"instances": [{"fare":[[1]],"seconds":1}]}"#, "Encountered list at unexpected level"),
        (
            PREDICT,
            r#"{"instances": [{"fare":1,"seconds":1}, 2]}"#,
            "Expecting object but got list at item 1 of input list",
        ),
        (half, r#"{"instances": [1, {"x":1}]}"#, "Expecting value/list but got object at item 1 of input list"),
        (half, r#"{"instances": ["a"]}"#, "Failed to process element: 0 of 'instances' list."),
        (PREDICT, r#"{"inputs": {"fare":[1]}}"#, "Missing named input: seconds (INT64) in 'inputs' object."),
        (PREDICT, r#"{"inputs": {"fare":[1]}}"#, "Sent: {fare}. The model takes: fare FP64 [-1], seconds INT64 [-1]"),
        (
            PREDICT,
            r#"{"inputs": {"fare":[1,2],"seconds":[1]}}"#,
            "Tensor name: seconds has inconsistent batch size: 1 expecting: 2",
        ),
        (PREDICT, r#"{"inputs": {"fare":1,"seconds":[1]}}"#, "is not a list with a value for each row"),
        (
            PREDICT,
            r#"{"inputs": {"fare":[1],"seconds":["a"]}}"#,
            "named input: seconds, row 0: JSON Value: \"a\" Type: String",
        ),
        (PREDICT, "{\"instances\": [{\"fare\":1,\"seconds\":1,\"company\":\"a\u{1}\"}]}", "JSON Parse error"),
        (classify, "{}", "key 'examples' is expected and was not found"),
        (classify, r#"{"examples": {}}"#, "Expecting 'examples' value to be an list/array"),
        (classify, r#"{"examples": []}"#, "'examples' value is an empty array"),
        (classify, r#"{"examples": [1]}"#, "is not of expected type: object"),
        (classify, r#"{"context": 1, "examples": [{}]}"#, "Example must be JSON object but got JSON Number"),
        (classify, r#"{"context": {"fare":1}, "examples": [{"fare":1,"seconds":1}]}"#, "given twice"),
    ] {
        let (status, message) = server.error(path, body);
        assert_eq!(status, 400, "{body}: {message}");
        assert!(message.contains(part), "{body}: {message}");
    }
    let (status, reply) = server.post(PREDICT, [b"{\"instances\": [\"".as_slice(), &[0xff, 0xfe], b"\"]}"].concat());
    assert_eq!(
        (status, reply["error"].as_str()),
        (400, Some("JSON Parse error: Invalid encoding in string. at offset: 16"))
    );
}

#[test]
fn compressed_bodies_are_inflated_within_limits() {
    let (server, model) = server();
    let send = |coding: &str, body: &[u8]| {
        parsed(crate::support::agent().post(server.url(PREDICT)).header("content-encoding", coding).send(body).unwrap())
    };
    let gzip = |body: &[u8]| {
        let mut to = GzEncoder::new(Vec::new(), Compression::best());
        to.write_all(body).unwrap();
        to.finish().unwrap()
    };
    let mut deflate = ZlibEncoder::new(Vec::new(), Compression::fast());
    let body = json!({ "instances": [row()] }).to_string();
    deflate.write_all(body.as_bytes()).unwrap();
    let deflated = deflate.finish().unwrap();
    let predictions = json!({ "predictions": expected(&model, &[row()]) });
    for (coding, body) in
        [("gzip", gzip(body.as_bytes())), ("deflate", deflated.clone()), ("identity", body.clone().into_bytes())]
    {
        assert_eq!(send(coding, &body), (200, predictions.clone()), "{coding}");
    }
    let whole = gzip(body.as_bytes());
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 17);
    for (coding, body, status, part) in [
        ("gzip", &b"x"[..], 400, "the body is not whole in gzip"),
        ("gzip", &whole[..whole.len() - 9], 400, "the body is not whole in gzip"),
        ("deflate", &whole, 400, "the body is not whole in deflate"),
        ("gzip", &bomb, 413, "larger than the limit of 1048576 bytes once it is inflated"),
        ("br", &whole, 415, "`gzip` and `deflate` are"),
        ("gzip", &gzip(b"{"), 400, "JSON Parse error"),
    ] {
        let (found, reply) = send(coding, body);
        let message = reply["error"].as_str().unwrap();
        assert!(found == status && message.contains(part), "{coding}: {found} {message}");
    }
    // All room that was made is given back: readiness would end with it.
    assert_eq!(server.get("/readyz").0, 200);
}

#[test]
fn bodies_that_are_too_large_are_refused() {
    let (server, _) = server();
    let body = " ".repeat((1 << 20) + 1);
    assert_eq!(server.error(PREDICT, &body).0, 413);
    assert_eq!(server.post(PREDICT, json!({ "instances": [row()] }).to_string()).0, 200, "the server goes on");
}

#[test]
fn an_explanation_sums_to_the_score_and_names_the_features() {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    let rows =
        r#"{"instances":[{"fare":12.5,"seconds":600,"company":"Flash"},{"fare":3.25,"seconds":60,"miles":1.5}]}"#;
    let (status, reply) = server.post("/v1/models/taxi:explain", rows);
    assert_eq!(status, 200, "{reply}");
    let (_, predicted) = server.post("/v1/models/taxi:predict", rows);
    let explanations = reply["explanations"].as_array().unwrap();
    assert_eq!(explanations.len(), 2);
    for (explanation, predicted) in explanations.iter().zip(predicted["predictions"].as_array().unwrap()) {
        let contributions = explanation["contributions"].as_object().unwrap();
        let names: Vec<_> = contributions.keys().map(String::as_str).collect();
        assert_eq!(names, ["fare", "seconds", "miles", "company", "shared"]);
        let sum: f64 = contributions.values().map(|value| value.as_f64().unwrap()).sum();
        let score = explanation["base"].as_f64().unwrap() + sum;
        assert!((score - explanation["score"].as_f64().unwrap()).abs() < 1e-12);
        // Scores of a binary model are log-odds.
        assert!((1.0 / (1.0 + (-score).exp()) - predicted.as_f64().unwrap()).abs() < 1e-12);
    }
    // The way through the first trees, if it is asked for.
    let (_, with_paths) = server.post("/v1/models/taxi:explain?paths=2", rows);
    let (plain, full) = (&reply["explanations"][0], &with_paths["explanations"][0]);
    assert_eq!((plain.get("paths"), &plain["score"]), (None, &full["score"]));
    let paths = full["paths"].as_array().unwrap();
    assert!(!paths.is_empty() && paths.len() <= 2, "{full}");
    for step in paths.iter().flat_map(|path| path["steps"].as_array().unwrap()) {
        assert!(step["feature"].is_string() && step["yes"].is_boolean(), "{step}");
    }
    assert!(paths.iter().all(|path| path["leaf"].is_number()));
    assert_eq!(server.error("/v1/models/taxi:explain?paths=x", rows).0, 400);
    assert_eq!(server.error("/v1/models/taxi:explain", r#"{"instances":[{"fare":1}]}"#).0, 400);
    assert_eq!(server.post("/v1/models/nobody:explain", rows).0, 404);
}

#[test]
fn mlflow_bodies_are_answered() {
    let packages = Packages::new();
    let (server, source) = Running::of(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    let row = json!({ "fare": 12.5, "seconds": 600, "company": "Flash", "shared": true });
    let (_, expected) = server.post("/v1/models/taxi:predict", json!({ "instances": [row] }).to_string());
    // As `DataFrame.to_dict` writes it, with the label among the columns; a missing value makes integers real.
    let split = json!({ "dataframe_split": {
        "index": [0], "columns": ["seconds", "tips", "shared", "fare", "company", "miles"],
        "data": [[600.0, 2.5, true, 12.5, "Flash", null]],
    } });
    let mut frame = row.clone();
    frame["tips"] = json!(2.5);
    let columns = json!({ "fare": [12.5], "seconds": [600], "company": ["Flash"], "shared": [true] });
    for body in [
        split.clone(),
        json!({ "dataframe_records": [frame] }),
        json!({ "instances": [row] }),
        json!({ "inputs": columns, "params": {} }),
        json!({ "inputs": [row] }),
    ] {
        assert_eq!(server.post("/invocations", body.to_string()), (200, expected.clone()), "{body}");
        assert_eq!(server.post("/endpoints/taxi/invocations", body.to_string()), (200, expected.clone()), "{body}");
    }
    for (body, part) in [
        ("{}", "one of `dataframe_split`"),
        (r#"{"dataframe_records": []}"#, "has no rows"),
        (r#"{"dataframe_records": [{"fare": 1.0}]}"#, "Missing named input: seconds"),
        (r#"{"dataframe_split": {"columns": ["fare"], "data": [[1.0]]}}"#, "the column `seconds` is missing"),
        (r#"{"dataframe_split": {"columns": ["fare", "seconds"], "data": [[1.0]]}}"#, "row 0 of `data` has 1 values"),
        (r#"{"dataframe_split": {"columns": ["fare", "seconds"], "data": [[1.0, 1.5]]}}"#, "row 0, column `seconds`"),
        (r#"{"instances": [], "inputs": {}}"#, "has no rows"),
        (r#"{"rows": []}"#, "`rows` is not a key of the body"),
        (r#"{"inputs": {}, "params": {"temperature": 1}}"#, "seconds"),
        ("[1]", "must be a JSON object"),
    ] {
        let (status, error) = server.error("/invocations", body);
        assert!(status == 400 && error.contains(part), "{body}: {error}");
    }
    source.set(vec![servable(MODEL, 1, &packages.taxi(0.0), &[]), servable("half", 1, &packages.half_plus_two(), &[])]);
    server.poll();
    let (status, error) = server.error("/invocations", &split.to_string());
    assert!(status == 400 && error.contains("/endpoints/NAME/invocations"), "{error}");
    let bare = r#"{"instances": [1.0, 2.0, 5.0]}"#;
    assert_eq!(server.post("/endpoints/half/invocations", bare), (200, json!({ "predictions": [2.5, 3.0, 4.5] })));
    assert_eq!(server.post("/endpoints/nobody/invocations", bare).0, 404);
}

#[test]
fn the_openapi_document_describes_the_models_that_are_served() {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![servable("a b/c", 3, &packages.taxi(0.0), &[])]);
    let (status, document) = server.get("/openapi.json");
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let predict = &document["paths"]["/v1/models/a%20b%2Fc:predict"]["post"];
    let row = &predict["requestBody"]["content"]["application/json"]["schema"]["oneOf"][0]["properties"]["instances"];
    let reference = row["items"]["$ref"].as_str().unwrap().trim_start_matches('#');
    let schema = document.pointer(reference).unwrap_or_else(|| panic!("{reference} is not in the document"));
    assert_eq!(schema["required"], json!(["fare", "seconds"]));
    assert_eq!(schema["properties"]["fare"], json!({ "type": "number" }));
    assert_eq!(schema["properties"]["shared"]["oneOf"][0], json!({ "type": "boolean" }));
    assert!(document["paths"].get("/v2/repository/models/{model}/load").is_none(), "model control is off");
    let model = &document["x-tidemill-models"][0];
    assert_eq!((&model["name"], &model["version"]), (&json!("a b/c"), &json!(3)));
    assert_eq!(
        model["inputs"][0],
        json!({ "name": "fare", "datatype": "FP64", "shape": [-1], "optional": false, "form": "value" })
    );
    let body = json!({ "instances": [{ "fare": 12.5, "seconds": 600 }] }).to_string();
    assert_eq!(server.post("/v1/models/a%20b%2Fc:predict", body).0, 200, "the path works as it is written");
    let paths = document["paths"].as_object().unwrap();
    for path in paths.keys().filter(|path| paths[*path].get("get").is_some() && *path != "/metrics") {
        assert!([200, 503].contains(&server.get(path).0), "{path}");
    }
}
