//! Inputs against the schema that a package carries.

use std::sync::Arc;

use crate::support::{Packages, Running, agent, options, servable};
use serde_json::{Value, json};
use tidemill_core::{Domain, Feature, FeatureType, Schema};
use tidemill_model::add_schema;
use tidemill_serving::{InputPolicy, ServerOptions, StaticSource};

/// `x` lies between 0 and 10.
fn schema() -> Schema {
    let mut x = Feature::new(FeatureType::Float);
    x.domain = Some(Domain::Float { min: Some(0.0), max: Some(10.0), disallow_nan: false, disallow_inf: false });
    let other = Feature::new(FeatureType::Int);
    Schema { version: 1, features: [("x".to_owned(), x), ("label".to_owned(), other)].into(), ..Schema::default() }
}

fn server(input_policy: InputPolicy) -> (Running, Packages) {
    let packages = Packages::new();
    let path = packages.half_plus_two();
    add_schema(&path, &schema()).unwrap();
    let source = StaticSource::new(vec![servable("half", 1, &path, &[])]);
    (Running::start(ServerOptions { input_policy, ..options() }, Arc::new(source)), packages)
}

/// Status, flags and body of an answer.
fn ask(server: &Running, path: &str, body: &Value) -> (u16, Option<String>, Value) {
    let mut response = agent().post(server.url(path)).send(body.to_string()).unwrap();
    let flags = response.headers().get("x-tidemill-input-flags").map(|flags| flags.to_str().unwrap().to_owned());
    let text = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), flags, serde_json::from_str(&text).unwrap())
}

const PREDICT: &str = "/v1/models/half:predict";

#[test]
fn what_the_training_data_had_is_answered_without_a_word() {
    for policy in [InputPolicy::Off, InputPolicy::Flag, InputPolicy::Reject] {
        let (server, _packages) = server(policy);
        let answered = ask(&server, PREDICT, &json!({ "instances": [1.0, 2.0, 5.0] }));
        assert_eq!(answered, (200, None, json!({ "predictions": [2.5, 3.0, 4.5] })), "{policy:?}");
    }
}

#[test]
fn what_it_had_not_is_flagged_and_counted() {
    let (server, _packages) = server(InputPolicy::Flag);
    let (status, flags, body) = ask(&server, PREDICT, &json!({ "instances": [1.0, 11.0, 12.0, -1.0] }));
    assert_eq!((status, body["predictions"].as_array().map(Vec::len)), (200, Some(4)));
    let flags = flags.unwrap();
    assert!(flags.contains("x=") && flags.matches("x=").count() == 2, "{flags}");
    let tensor = json!({ "name": "x", "datatype": "FP64", "shape": [1], "data": [99.0] });
    let (status, flags, _) = ask(&server, "/v2/models/half/infer", &json!({ "inputs": [tensor] }));
    assert!(status == 200 && flags.is_some());
    let text = agent().get(server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    let counted: Vec<&str> = text.lines().filter(|line| line.starts_with("tidemill_input_findings_total{")).collect();
    assert_eq!(counted.len(), 2, "{counted:?}");
    assert!(counted.iter().all(|line| line.contains(r#"model="half",feature="x",rule=""#)), "{counted:?}");
    assert!(counted.iter().any(|line| line.ends_with(" 3")) && counted.iter().any(|line| line.ends_with(" 1")));
}

#[test]
fn or_refused_with_the_feature_the_rule_and_what_was_sent() {
    let (server, _packages) = server(InputPolicy::Reject);
    let (status, flags, body) = ask(&server, PREDICT, &json!({ "instances": [1.0, 11.5] }));
    assert_eq!((status, flags), (400, None));
    let error = body["error"].as_str().unwrap();
    let expected = "inputs violate the schema of the training data: row 1: `x`: `11.5` is above the most allowed (`float` domain, min 0, max 10)";
    assert_eq!(error, expected);
}

#[test]
fn or_nobody_looks() {
    let (server, _packages) = server(InputPolicy::Off);
    let (status, flags, _) = ask(&server, PREDICT, &json!({ "instances": [11.0] }));
    assert_eq!((status, flags), (200, None));
}

#[test]
fn a_schema_that_was_altered_makes_the_package_broken() {
    let packages = Packages::new();
    let path = packages.half_plus_two();
    add_schema(&path, &schema()).unwrap();
    let file = path.join("schema.json");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("10", "99")).unwrap();
    let (server, _source) = Running::of(vec![servable("half", 1, &path, &[])]);
    let (_, status) = server.get("/v1/models/half");
    assert!(status.to_string().contains("schema.json"), "{status}");
}
