//! Every datatype of the Open Inference Protocol, in every way it can be written: the same rows, the same answer.

use std::sync::LazyLock;

use crate::support::{MODEL, Packages, Running, servable};
use proptest::prelude::*;
use serde_json::{Value, json};

static SERVER: LazyLock<Running> = LazyLock::new(|| {
    let packages = Packages::new();
    Running::of(vec![
        servable(MODEL, 1, &packages.taxi(0.25), &[]),
        servable("half_plus_two", 1, &packages.half_plus_two(), &[]),
    ])
    .0
});

/// The elements of a tensor of whole numbers between 0 and 100 in binary.
fn binary(datatype: &str, values: &[u8]) -> Vec<u8> {
    let each = |value: &u8| -> Vec<u8> {
        let value = *value;
        match datatype {
            "BOOL" | "UINT8" | "INT8" => vec![value],
            "UINT16" | "INT16" => u16::from(value).to_le_bytes().to_vec(),
            "UINT32" | "INT32" => u32::from(value).to_le_bytes().to_vec(),
            "UINT64" | "INT64" => u64::from(value).to_le_bytes().to_vec(),
            "FP16" => half::f16::from_f32(f32::from(value)).to_le_bytes().to_vec(),
            "BF16" => half::bf16::from_f32(f32::from(value)).to_le_bytes().to_vec(),
            "FP32" => f32::from(value).to_le_bytes().to_vec(),
            "FP64" => f64::from(value).to_le_bytes().to_vec(),
            other => panic!("{other}"),
        }
    };
    values.iter().flat_map(each).collect()
}

/// Posts JSON, and tensors behind it where there are any.
fn infer(model: &str, request: &Value, tensors: &[u8]) -> (u16, Value) {
    let json = request.to_string();
    let body = [json.as_bytes(), tensors].concat();
    let agent = crate::support::agent();
    let mut post = agent.post(SERVER.url(&format!("/v2/models/{model}/infer")));
    if !tensors.is_empty() {
        post = post.header("Inference-Header-Content-Length", json.len().to_string());
    }
    crate::support::parsed(post.send(&body[..]).unwrap())
}

const NUMBERS: [&str; 12] =
    ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "BF16", "FP32", "FP64"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn numbers_of_every_type_flat_nested_and_binary_are_the_same_rows(
        datatype in prop::sample::select(&NUMBERS[..]),
        values in prop::collection::vec(0u8..100, 1..6),
    ) {
        let rows = values.len();
        let half = |shape: Value, data: Value| {
            json!({ "inputs": [{ "name": "x", "datatype": datatype, "shape": shape, "data": data }] })
        };
        let nested: Vec<Vec<u8>> = values.iter().map(|value| vec![*value]).collect();
        let (status, flat) = infer("half_plus_two", &half(json!([rows]), json!(values)), b"");
        prop_assert_eq!(status, 200, "{}", flat);
        let expected = flat["outputs"][0]["data"].clone();
        prop_assert_eq!(expected.as_array().unwrap().len(), rows);
        for request in [half(json!([rows, 1]), json!(values)), half(json!([rows, 1]), json!(nested))] {
            let (status, reply) = infer("half_plus_two", &request, b"");
            prop_assert_eq!((status, &reply["outputs"][0]["data"]), (200, &expected), "{}", reply);
        }
        let bytes = binary(datatype, &values);
        let header = json!({ "inputs": [{ "name": "x", "datatype": datatype, "shape": [rows],
            "parameters": { "binary_data_size": bytes.len() } }] });
        let (status, reply) = infer("half_plus_two", &header, &bytes);
        prop_assert_eq!((status, &reply["outputs"][0]["data"]), (200, &expected), "{}", reply);

        // One element too many or too few: both numbers are told.
        let (status, reply) = infer("half_plus_two", &half(json!([rows + 1]), json!(values)), b"");
        let message = reply["error"].as_str().unwrap_or_default();
        prop_assert_eq!(status, 400);
        let both = format!("asks for {} elements, and `data` has {rows}", rows + 1);
        prop_assert!(message.contains(&both), "{}", message);
    }

    #[test]
    fn booleans_and_texts_flat_nested_and_binary_are_the_same_rows(
        values in prop::collection::vec((any::<bool>(), "[ -~é東]{0,8}"), 1..5),
    ) {
        let rows = values.len();
        let (shared, company): (Vec<bool>, Vec<String>) = values.into_iter().unzip();
        let numbers = |name: &str, datatype: &str| {
            json!({ "name": name, "datatype": datatype, "shape": [rows], "data": vec![1; rows] })
        };
        let (fare, seconds) = (numbers("fare", "FP64"), numbers("seconds", "INT64"));
        let tensor = |name: &str, datatype: &str, shape: Value, data: Value| {
            json!({ "name": name, "datatype": datatype, "shape": shape, "data": data })
        };
        let flat = json!({ "inputs": [fare, seconds, tensor("shared", "BOOL", json!([rows]), json!(shared)),
            tensor("company", "BYTES", json!([rows]), json!(company))] });
        let (status, reply) = infer(MODEL, &flat, b"");
        prop_assert_eq!(status, 200, "{}", reply);
        let expected = reply["outputs"][0]["data"].clone();
        let nested = json!({ "inputs": [fare, seconds,
            tensor("shared", "BOOL", json!([rows, 1]), shared.iter().map(|value| json!([value])).collect()),
            tensor("company", "BYTES", json!([rows, 1]), company.iter().map(|value| json!([value])).collect())] });
        let (status, reply) = infer(MODEL, &nested, b"");
        prop_assert_eq!((status, &reply["outputs"][0]["data"]), (200, &expected), "{}", reply);

        let mut bytes: Vec<u8> = shared.iter().map(|value| u8::from(*value)).collect();
        let shared_bytes = bytes.len();
        for text in &company {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        let in_binary = |name: &str, datatype: &str, size: usize| {
            json!({ "name": name, "datatype": datatype, "shape": [rows], "parameters": { "binary_data_size": size } })
        };
        let header = json!({ "inputs": [fare, seconds, in_binary("shared", "BOOL", shared_bytes),
            in_binary("company", "BYTES", bytes.len() - shared_bytes)] });
        let (status, reply) = infer(MODEL, &header, &bytes);
        prop_assert_eq!((status, &reply["outputs"][0]["data"]), (200, &expected), "{}", reply);
    }
}

#[test]
fn parameters_of_every_kind_are_passed_over() {
    let parameters = json!({ "a": true, "b": 1, "c": "text", "d": 1.5, "e": 18_446_744_073_709_551_615_u64 });
    let request = json!({
        "id": "7", "parameters": parameters,
        "inputs": [{ "name": "x", "datatype": "FP64", "shape": [1], "data": [1], "parameters": parameters }],
        "outputs": [{ "name": "prediction", "parameters": parameters }],
    });
    let (status, reply) = infer("half_plus_two", &request, b"");
    assert_eq!((status, &reply["id"], &reply["outputs"][0]["data"]), (200, &json!("7"), &json!([2.5])), "{reply}");
}
