//! The server's answer is the library's answer, bit for bit.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use support::{MODEL, Packages, Running, servable};
use tidemill_model::Model;

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

    let agent = support::agent();
    for (row, expected) in rows.iter().zip(&expected) {
        let body = json!({ "instances": [row] }).to_string();
        let (_, reply) = support::parsed(agent.post(server.url(predict)).send(&body).unwrap());
        assert_eq!(bits(&reply["predictions"]), [*expected], "{row}");
    }
}
