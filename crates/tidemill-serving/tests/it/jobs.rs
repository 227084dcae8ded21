//! Asynchronous requests: submitted, answered later, cancelled, tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_serving::endpoint::spec::EndpointSpec;
use tidemill_serving::jobs::{JobOptions, JobStore, MemoryJobs};
use tidemill_serving::{ServerOptions, StaticSource};

use crate::support::{Packages, Running, agent, options, parsed, servable};

fn start(endpoints: Vec<EndpointSpec>) -> (Running, Packages) {
    let packages = Packages::new();
    let source = StaticSource::new(vec![servable("taxi", 1, &packages.taxi(0.5), &["champion"])]);
    source.set_endpoints(endpoints);
    let job_options = JobOptions { retry_first: Duration::from_millis(1), attempts_max: 3, ..JobOptions::default() };
    let store: Arc<dyn JobStore> = Arc::new(MemoryJobs::default());
    let options = ServerOptions { jobs: Some(store), job_options, ..options() };
    (Running::start(options, Arc::new(source)), packages)
}

fn body() -> String {
    json!({ "instances": [{ "fare": 12.5, "seconds": 600, "company": "Flash", "shared": true }] }).to_string()
}

#[test]
fn a_job_is_answered_as_the_same_request_would_be() {
    let (server, _packages) = start(Vec::new());
    let expected = server.post("/v1/models/taxi:predict", body()).1;
    let (status, submitted) = server.post("/v1/models/taxi:submit", body());
    assert_eq!(status, 202, "{submitted}");
    let id = submitted["job"].as_str().unwrap();
    assert_eq!((id.len(), &submitted["status_url"]), (32, &json!(format!("/jobs/{id}"))));
    assert_eq!(server.get(&format!("/jobs/{id}?wait=30")), (200, expected.clone()));
    // With a label, and over the Open Inference Protocol.
    let (_, labelled) = server.post("/v1/models/taxi/labels/champion:submit", body());
    assert_eq!(server.get(&format!("{}?wait=30", labelled["status_url"].as_str().unwrap())), (200, expected));
    let columns = json!({ "inputs": [
        { "name": "fare", "datatype": "FP64", "shape": [1], "data": [12.5] },
        { "name": "seconds", "datatype": "INT64", "shape": [1], "data": [600] },
    ] });
    let expected = server.post("/v2/models/taxi/infer", columns.to_string()).1;
    let (status, submitted) = server.post("/v2/models/taxi/infer?async=true", columns.to_string());
    assert_eq!(status, 202);
    assert_eq!(server.get(&format!("{}?wait=30", submitted["status_url"].as_str().unwrap())), (200, expected));
    assert_eq!(server.get("/jobs").1["done"], json!(3));
    // What can never be answered is refused at once.
    assert_eq!(server.post("/v1/models/taxi:submit", r#"{"instances": [{}]}"#).0, 400);
    assert_eq!(server.post("/v1/models/other:submit", body()).0, 404);
    assert_eq!(server.get("/jobs/0123").0, 404);
    assert_eq!(server.get(&format!("/jobs/{id}?wait=x")).0, 400);
}

#[test]
fn a_request_that_is_sent_again_with_its_key_is_the_same_job() {
    let (server, _packages) = start(Vec::new());
    let send = |key: &str| {
        let request = agent().post(server.url("/v1/models/taxi:submit")).header("Idempotency-Key", key);
        parsed(request.send(body()).unwrap()).1
    };
    let (first, again, other) = (send("order-1"), send("order-1"), send("order-2"));
    assert_eq!((&first["job"], &again["is_new"]), (&again["job"], &json!(false)));
    assert_ne!(first["job"], other["job"]);
}

#[test]
fn a_job_that_fails_too_often_is_dead_until_it_is_tried_again() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", dead.local_addr().unwrap());
    drop(dead);
    let spec = json!({
        "version": 1, "endpoint": "rides",
        "models": { "far": { "model": "x", "url": url }, "here": { "model": "taxi" } },
        "route": [{ "to": "far" }],
        "shadow": [{ "to": "here" }],
    });
    let (server, _packages) = start(vec![EndpointSpec::parse(&spec).unwrap()]);
    let (status, submitted) = server.post("/v1/models/rides:submit", body());
    assert_eq!(status, 202, "{submitted}");
    let url = submitted["status_url"].as_str().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let dead = loop {
        let (status, job) = server.get(&format!("{url}?wait=1"));
        if status != 202 {
            break (status, job);
        }
        assert!(Instant::now() < deadline, "{job}");
    };
    assert_eq!((dead.0, &dead.1["state"], &dead.1["attempts"]), (502, &json!("dead"), &json!(3)), "{}", dead.1);
    assert!(dead.1["last_error"].as_str().unwrap().contains("no connection"), "{}", dead.1);
    let (status, again) = server.post(&format!("{url}:retry"), "");
    assert_eq!((status, &again["state"]), (200, &json!("waiting")), "{again}");
    let delete = |url: &str| -> (u16, Value) { parsed(agent().delete(server.url(url)).call().unwrap()) };
    while server.get(&format!("{url}?wait=1")).0 == 202 {
        assert!(Instant::now() < deadline);
    }
    // It has ended, so it cannot be cancelled.
    assert_eq!(delete(url).0, 409);
    assert_eq!(server.get("/jobs").1["dead"], json!(1));
}

#[test]
fn a_server_without_a_queue_says_so() {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![servable("taxi", 1, &packages.taxi(0.5), &[])]);
    assert_eq!(server.post("/v1/models/taxi:submit", body()).0, 501);
    assert_eq!(server.get("/jobs").0, 501);
}
