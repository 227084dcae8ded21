//! The server's answer is the library's answer, bit for bit.

use crate::support::{MODEL, Packages, Running, grpc, servable};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tidemill_model::Model;
use tidemill_serving::proto::inference::{InferTensorContents, ModelInferRequest};
use tidemill_serving::proto::tensorflow::serving::PredictRequest;

fn any_row() -> impl Strategy<Value = Value> {
    let float = || prop_oneof![any::<f64>().prop_filter("finite", |x| x.is_finite()), -50.0..50.0f64, Just(-0.0)];
    let company = prop_oneof![Just("Flash".to_owned()), Just("Grün".to_owned()), any::<String>()];
    (float(), any::<i64>(), prop::option::of(float()), prop::option::of(company), prop::option::of(any::<bool>())).prop_map(
        |(fare, seconds, miles, company, shared)| {
            json!({ "fare": fare, "seconds": seconds, "miles": miles, "company": company, "shared": shared })
        },
    )
}

fn bits(values: &Value) -> Vec<u64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap().to_bits()).collect()
}

fn column(rows: &[Value], name: &str) -> Vec<Value> {
    rows.iter().map(|row| row[name].clone()).collect()
}

#[test]
fn a_thousand_rows_alone_and_together_over_both_protocols() {
    let packages = Packages::new();
    let package = packages.taxi(0.1);
    let (server, _) = Running::of(vec![servable(MODEL, 1, &package, &[])]);
    let model = Model::load(&package).unwrap();
    let mut runner = TestRunner::deterministic();
    let rows: Vec<Value> = (0..1000).map(|_| any_row().new_tree(&mut runner).unwrap().current()).collect();
    let expected = model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap();
    let expected: Vec<u64> = expected.into_iter().map(f64::to_bits).collect();
    assert!(expected.iter().collect::<std::collections::HashSet<_>>().len() > 10, "the rows differ");

    let predict = "/v1/models/taxi:predict";
    let (_, reply) = server.post(predict, json!({ "instances": rows }).to_string());
    assert_eq!(bits(&reply["predictions"]), expected);

    let names = ["fare", "seconds", "miles", "company", "shared"];
    let columns: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), column(&rows, name).into())).collect();
    let (_, reply) = server.post(predict, json!({ "inputs": columns }).to_string());
    assert_eq!(bits(&reply["outputs"]), expected);

    let datatypes = ["FP64", "INT64", "FP64", "BYTES", "BOOL"];
    let inputs: Vec<Value> = names
        .iter()
        .zip(datatypes)
        .map(|(name, datatype)| json!({ "name": name, "datatype": datatype, "shape": [1000], "data": column(&rows, name) }))
        .collect();
    let (status, reply) = server.post("/v2/models/taxi/infer", json!({ "inputs": inputs }).to_string());
    assert_eq!(status, 200, "{reply}");
    assert_eq!(bits(&reply["outputs"][0]["data"]), expected);

    let agent = crate::support::agent();
    for (row, expected) in rows.iter().zip(&expected) {
        let body = json!({ "instances": [row] }).to_string();
        let (_, reply) = crate::support::parsed(agent.post(server.url(predict)).send(&body).unwrap());
        assert_eq!(bits(&reply["predictions"]), [*expected], "{row}");
    }
}

/// The features a row has, as tensors of one row in both protocols.
fn tensors(row: &Value) -> (PredictRequest, ModelInferRequest) {
    let mut tfs = PredictRequest { model_spec: Some(grpc::spec(MODEL)), ..PredictRequest::default() };
    let mut inputs = Vec::new();
    for (name, value) in row.as_object().unwrap() {
        let mut contents = InferTensorContents::default();
        let (tensor, datatype) = match value {
            Value::Null => continue,
            Value::Bool(value) => {
                contents.bool_contents.push(*value);
                (grpc::bools(&[*value]), "BOOL")
            }
            Value::String(text) => {
                contents.bytes_contents = grpc::bytes(&[text]);
                (grpc::texts(&[text]), "BYTES")
            }
            number if name == "seconds" => {
                contents.int64_contents.push(number.as_i64().unwrap());
                (grpc::longs(&contents.int64_contents), "INT64")
            }
            number => {
                contents.fp64_contents.push(number.as_f64().unwrap());
                (grpc::doubles(&contents.fp64_contents), "FP64")
            }
        };
        tfs.inputs.insert(name.clone(), tensor);
        inputs.push(grpc::oip(name, datatype, 1, Some(contents)));
    }
    (tfs, grpc::infer(inputs))
}

#[test]
fn a_thousand_rows_over_grpc_alone_and_together() {
    let packages = Packages::new();
    let package = packages.taxi(0.1);
    let (server, _) = Running::of(vec![servable(MODEL, 1, &package, &[])]);
    let model = Model::load(&package).unwrap();
    let mut runner = TestRunner::deterministic();
    let rows: Vec<Value> = (0..1000).map(|_| any_row().new_tree(&mut runner).unwrap().current()).collect();
    let expected = model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap();
    let (mut prediction, mut inference) = (server.prediction(), server.inference());
    server.runtime.block_on(async {
        for (row, expected) in rows.iter().zip(&expected) {
            let (tfs, oip) = tensors(row);
            let reply = prediction.predict(tfs).await.unwrap().into_inner();
            assert_eq!(grpc::bits(&reply.outputs["probability"].double_val), [expected.to_bits()], "{row}");
            let reply = inference.model_infer(oip).await.unwrap().into_inner();
            let contents = reply.outputs[0].contents.as_ref().unwrap();
            assert_eq!(grpc::bits(&contents.fp64_contents), [expected.to_bits()], "{row}");
        }
    });

    // Texts and booleans have no missing value in a tensor.
    let full: Vec<usize> =
        (0..1000).filter(|&row| !rows[row]["company"].is_null() && !rows[row]["shared"].is_null()).collect();
    let full = full.repeat(3);
    assert!(full.len() > 256, "more rows than are answered in place");
    let column = |name: &str| full.iter().map(|&row| rows[row][name].clone()).collect::<Vec<Value>>();
    let floats = |name: &str| column(name).iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect::<Vec<f64>>();
    let seconds: Vec<i64> = column("seconds").iter().map(|x| x.as_i64().unwrap()).collect();
    let company: Vec<String> = column("company").iter().map(|x| x.as_str().unwrap().to_owned()).collect();
    let company: Vec<&str> = company.iter().map(String::as_str).collect();
    let shared: Vec<bool> = column("shared").iter().map(|x| x.as_bool().unwrap()).collect();
    let expected: Vec<u64> = full.iter().map(|&row| expected[row].to_bits()).collect();
    let inputs = [
        ("fare", grpc::doubles(&floats("fare"))),
        ("seconds", grpc::longs(&seconds)),
        ("miles", grpc::doubles(&floats("miles"))),
        ("company", grpc::texts(&company)),
        ("shared", grpc::bools(&shared)),
    ];
    let inputs = inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    let request = PredictRequest { model_spec: Some(grpc::spec(MODEL)), inputs, output_filter: Vec::new() };
    let reply = server.runtime.block_on(prediction.predict(request)).unwrap().into_inner();
    assert_eq!(grpc::bits(&reply.outputs["probability"].double_val), expected);
}
