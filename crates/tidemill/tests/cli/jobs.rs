//! Asynchronous requests through kills: every acknowledged job is answered, and once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Sandbox, Server};

const KILLS: u64 = 12;

#[test]
fn every_acknowledged_job_is_answered_once_through_kills() {
    let sandbox = Sandbox::taxi(200);
    sandbox.write(
        "endpoint.yaml",
        "version: 1\nendpoint: slow\ninputs: { x: FP64 }\nmodels: { m: { expression: \"x * 2\" } }\n",
    );
    // The store is made by the first command that writes to it.
    let applied = sandbox.tidemill(&["endpoint", "apply", "endpoint.yaml"]);
    assert_eq!(applied.code, 0, "{applied}");
    let mut acknowledged: Vec<(u64, String)> = Vec::new();
    let mut next = 0;
    for kill in 0..KILLS {
        let server = Server::start(&sandbox);
        let until = Instant::now() + Duration::from_millis(30 + 37 * kill % 200);
        while Instant::now() < until {
            let body = json!({ "instances": [{ "x": next }] }).to_string();
            let (status, submitted) = server.post("/v1/models/slow:submit", &body);
            // While the endpoint is being built, there is none.
            if status == 202 {
                acknowledged.push((next, submitted["job"].as_str().expect("an id").to_owned()));
                next += 1;
            }
        }
        // Dropped, the server is killed.
        drop(server);
    }
    assert!(!acknowledged.is_empty());
    let server = Server::start(&sandbox);
    let deadline = Instant::now() + Duration::from_mins(2);
    for (number, id) in &acknowledged {
        let answer = loop {
            let (status, answer) = server.get(&format!("/jobs/{id}?wait=10"));
            if status == 200 {
                break answer;
            }
            assert!(status == 202 && Instant::now() < deadline, "job {id}: {status} {answer}");
        };
        assert_eq!(answer["predictions"][0].as_f64(), Some(2.0 * *number as f64), "job {id}");
    }
    let counts = server.get("/jobs").1;
    let waiting: u64 =
        ["waiting", "running", "dead", "cancelled"].iter().filter_map(|state| counts[state].as_u64()).sum();
    assert!(waiting <= KILLS, "{counts}");
    // A job that was written but whose acknowledgement was lost is one more; no job is there twice.
    let done = counts["done"].as_u64().expect("a number");
    assert!((acknowledged.len() as u64..=acknowledged.len() as u64 + KILLS).contains(&done), "{counts}");
    assert_eq!(server.get("/jobs/none").1["code"], Value::from("TM7002"));
}
