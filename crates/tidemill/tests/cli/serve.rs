//! The server over the registry: equal to batch prediction, new versions without a failed request, clear answers.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::support::{Sandbox, Server, golden, rows};

/// The columns of a row that the model takes.
fn features(server: &Server, row: &Map<String, Value>) -> Map<String, Value> {
    let (_, metadata) = server.get("/v2/models/taxi-tips");
    let inputs = metadata["inputs"].as_array().expect("inputs").iter();
    let names: Vec<&str> = inputs.filter_map(|input| input["name"].as_str()).collect();
    row.iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[test]
fn the_server_answers_what_batch_prediction_says_bit_for_bit() {
    let sandbox = Sandbox::trained(3000);
    sandbox.tidemill(&["predict", "data/trips.csv", "--keep", "tips", "--out", "out.csv"]);
    let batch: Vec<f64> =
        rows(&sandbox.path("out.csv"), 1000).iter().filter_map(|row| row["probability"].as_f64()).collect();
    let server = Server::start(&sandbox);
    let inputs: Vec<Map<String, Value>> =
        rows(&sandbox.path("data/trips.csv"), 1000).iter().map(|row| features(&server, row)).collect();
    // Rows together, over TF Serving's protocol.
    let (status, answer) = server.post("/v1/models/taxi-tips:predict", &json!({ "instances": inputs }).to_string());
    assert_eq!(status, 200, "{answer}");
    let together: Vec<f64> =
        answer["predictions"].as_array().expect("predictions").iter().filter_map(Value::as_f64).collect();
    assert_eq!(together, batch);
    // A row alone, by label and by version.
    for (row, expected) in inputs.iter().zip(&batch).take(20) {
        for path in ["/v1/models/taxi-tips/labels/champion:predict", "/v1/models/taxi-tips/versions/1:predict"] {
            let (_, answer) = server.post(path, &json!({ "instances": [row] }).to_string());
            assert_eq!(answer["predictions"][0].as_f64(), Some(*expected));
        }
    }
    // Columns, over the Open Inference Protocol.
    let complete: Vec<usize> = (0..inputs.len()).filter(|index| inputs[*index].len() == 14).take(50).collect();
    let (_, metadata) = server.get("/v2/models/taxi-tips");
    let tensors: Vec<Value> = metadata["inputs"]
        .as_array()
        .expect("inputs")
        .iter()
        .map(|input| {
            let name = input["name"].as_str().expect("a name");
            let data: Vec<&Value> = complete.iter().map(|index| &inputs[*index][name]).collect();
            json!({ "name": name, "datatype": input["datatype"], "shape": [data.len()], "data": data })
        })
        .collect();
    let (status, answer) = server.post("/v2/models/taxi-tips/infer", &json!({ "inputs": tensors }).to_string());
    assert_eq!(status, 200, "{answer}");
    let columns: Vec<f64> =
        answer["outputs"][0]["data"].as_array().expect("data").iter().filter_map(Value::as_f64).collect();
    assert_eq!(columns, complete.iter().map(|index| batch[*index]).collect::<Vec<f64>>());
}

#[test]
fn a_pushed_version_is_picked_up_without_a_failed_request() {
    let sandbox = Sandbox::trained(3000);
    let server = Server::start(&sandbox);
    let row = features(&server, &rows(&sandbox.path("data/trips.csv"), 1)[0]);
    let body = json!({ "instances": [row] }).to_string();
    let before = server.post("/v1/models/taxi-tips:predict", &body).1;
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let (status, answer) = server.post("/v1/models/taxi-tips:predict", &body);
                assert_eq!(status, 200, "{answer}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        let run = sandbox.tidemill(&["run", "--param", "learning_rate=0.05"]);
        assert_eq!(run.code, 0, "{run}");
        let deadline = Instant::now() + Duration::from_mins(1);
        while server.post("/v1/models/taxi-tips:predict", &body).1 == before {
            assert!(Instant::now() < deadline, "the new version was not picked up");
        }
        done.store(true, Ordering::Relaxed);
        client.join().expect("no request failed");
    });
    assert!(answered.load(Ordering::Relaxed) > 0);
    // The version before is still there for those who ask for it.
    assert_eq!(server.post("/v1/models/taxi-tips/versions/1:predict", &body).1, before);
}

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let sandbox = Sandbox::trained(3000);
    let server = Server::start(&sandbox);
    let good = features(&server, &rows(&sandbox.path("data/trips.csv"), 1)[0]);
    let with = |name: &str, value: Value| {
        let mut row = good.clone();
        row.insert(name.to_owned(), value);
        json!({ "instances": [row] }).to_string()
    };
    let mut lacking = good.clone();
    lacking.remove("fare");
    let requests = [
        ("/v1/models/taxi-tips:predict", "{\"instances\": [".to_owned()),
        ("/v1/models/taxi-tips:predict", json!({ "instances": [lacking] }).to_string()),
        ("/v1/models/taxi-tips:predict", with("fair", json!(1.5))),
        ("/v1/models/taxi-tips:predict", with("fare", json!("12 dollars"))),
        ("/v1/models/taxi-tips:predict", with("trip_start_hour", json!(7.5))),
        ("/v1/models/taxi-tips:predict", with("fare", Value::Null)),
        ("/v1/models/taxi-tops:predict", with("fare", json!(1.5))),
        ("/v1/models/taxi-tips/versions/9:predict", with("fare", json!(1.5))),
        ("/v1/models/taxi-tips/labels/chalenger:predict", with("fare", json!(1.5))),
        ("/v2/models/taxi-tips/infer", "{\"inputs\": []}".to_owned()),
        (
            "/v2/models/taxi-tips/infer",
            json!({ "inputs": [{ "name": "fare", "shape": [2], "datatype": "FP64", "data": [1.0] }] }).to_string(),
        ),
    ];
    let answers = requests.iter().map(|(path, body)| {
        let (status, answer) = server.post(path, body);
        let shown: String = body.chars().take(60).collect();
        format!("POST {path} {shown}\n{status} {}\n", answer["error"].as_str().unwrap_or("no reason"))
    });
    golden("serve-errors", answers.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_port_in_use_is_said_so() {
    let sandbox = Sandbox::trained(3000);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let served = sandbox.tidemill(&["serve", "--rest_api_port", &port, "--port", "off"]);
    assert_eq!(served.code, 3, "{served}");
    assert!(served.stderr.contains("TM7001") && served.stderr.contains(&port), "{served}");
    let served = sandbox.tidemill(&["serve", "--rest_api_port", "0", "--port", &port]);
    assert_eq!(served.code, 3, "{served}");
    assert!(served.stderr.contains("TM7001") && served.stderr.contains(&port), "{served}");
    let served = sandbox.tidemill(&["serve", "--port", "none"]);
    assert_eq!(served.code, 2, "{served}");
    assert!(served.stderr.contains("or `off`"), "{served}");
}

#[cfg(unix)]
#[test]
fn a_server_that_finds_nothing_to_serve_can_still_be_stopped() {
    let sandbox = Sandbox::empty();
    let args = ["serve", "--rest_api_port", "0", "--port", "off", "--model_base_path", "nowhere"];
    let mut server = sandbox.command(&args).stderr(Stdio::piped()).spawn().expect("it starts");
    // Its first complaint says that it is at work.
    let mut line = String::new();
    BufReader::new(server.stderr.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let stopped = Command::new("kill").arg(server.id().to_string()).status().expect("kill is there");
    assert!(stopped.success());
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
}

#[test]
fn an_alias_moved_by_hand_is_followed_and_not_undone_by_the_next_run() {
    let sandbox = Sandbox::trained(3000);
    assert_eq!(sandbox.tidemill(&["run", "--param", "learning_rate=0.05"]).code, 0);
    let server = Server::start(&sandbox);
    let row = features(&server, &rows(&sandbox.path("data/trips.csv"), 1)[0]);
    let body = json!({ "instances": [row] }).to_string();
    let first = server.post("/v1/models/taxi-tips/versions/1:predict", &body).1;
    assert_ne!(server.post("/v1/models/taxi-tips:predict", &body).1, first);
    let moved = sandbox.tidemill(&["alias", "taxi-tips", "@champion", "1"]);
    assert_eq!((moved.code, moved.stdout.as_str()), (0, "taxi-tips@champion 2 → 1\n"));
    let deadline = Instant::now() + Duration::from_mins(1);
    while server.post("/v1/models/taxi-tips:predict", &body).1 != first {
        assert!(Instant::now() < deadline, "the alias was not followed");
    }
    assert_eq!(sandbox.tidemill(&["run", "--param", "learning_rate=0.05"]).code, 0);
    assert_eq!(sandbox.json(&["models", "taxi-tips"])["model"]["aliases"][0]["version"], 1);
    assert_eq!(sandbox.tidemill(&["alias", "taxi-tips", "champion", "7"]).code, 2);
}
