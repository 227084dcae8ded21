//! The inference log: what the server writes is data for every other command.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Sandbox, Server, rows};

/// The files of a model's log that have a name.
fn files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(sandbox.path("log/taxi-tips")).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    paths
}

/// Serves with a log, sends trips, and stops the server as an operator would.
fn serve_and_stop(sandbox: &Sandbox, flags: &[&str], trips: usize) -> Server {
    let mut server = Server::start_with(sandbox, &[&["--log", "log"], flags].concat(), &[]);
    let (_, metadata) = server.get("/v2/models/taxi-tips");
    let inputs = metadata["inputs"].as_array().cloned().unwrap_or_default();
    let takes = |name: &str| inputs.iter().any(|input| input["name"] == name);
    for row in rows(&sandbox.path("data/trips.csv"), trips) {
        let row: serde_json::Map<String, Value> = row.into_iter().filter(|(name, _)| takes(name)).collect();
        let (status, answer) = server.post("/v1/models/taxi-tips:predict", &json!({ "instances": [row] }).to_string());
        assert_eq!(status, 200, "{answer}");
    }
    server.terminate();
    server
}

#[test]
fn the_log_is_flushed_when_the_server_is_stopped_and_is_data_for_every_command() {
    let sandbox = Sandbox::trained(1500);
    serve_and_stop(&sandbox, &[], 300);
    let files = files(&sandbox);
    assert_eq!(files.len(), 1, "{files:?}");
    let text = std::fs::read_to_string(&files[0]).expect("the log");
    let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["_model"], &first["_version"]), (&json!("taxi-tips"), &json!(1)));
    assert!(first["_probability"].is_f64() && first["_latency_us"].is_u64() && first["fare"].is_number(), "{first}");

    let stats = sandbox.json(&["stats", "log/taxi-tips"]);
    assert!(stats.to_string().contains("\"trip_miles\""), "{stats}");
    // What the model takes keeps the schema; the label and what it does not take are not in the log.
    let valid = sandbox.tidemill(&["validate", "log/taxi-tips", "--environment", "SERVING"]);
    let wrong: Vec<&str> = valid.stdout.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(wrong.iter().all(|line| line.contains("the column is missing")), "{valid}");
    assert!(wrong.iter().any(|line| line.contains("`tips`")), "{valid}");
    let drift = sandbox.tidemill(&["drift", "log/taxi-tips", "log/taxi-tips"]);
    assert_eq!(drift.code, 0, "{drift}");
    // ExampleGen takes it as a source.
    sandbox.write(
        "monitor/pipeline.yaml",
        "version: 1\npipeline: monitor\nsteps:\n  examples:\n    component: ExampleGen\n    source: { json: ../log/taxi-tips/*.jsonl }\n  statistics: { component: StatisticsGen }\n",
    );
    let run = sandbox.tidemill(&["run", "monitor"]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn parquet_and_exclusions_and_a_name_for_the_request() {
    let sandbox = Sandbox::trained(1500);
    serve_and_stop(&sandbox, &["--log_format", "parquet", "--log_exclude", "fare,_model"], 50);
    let files = files(&sandbox);
    assert_eq!(files.len(), 1, "{files:?}");
    let file = files[0].to_str().expect("a path");
    assert!(file.ends_with(".parquet"), "{file}");
    let stats = sandbox.json(&["stats", file]).to_string();
    assert!(stats.contains("\"trip_miles\"") && stats.contains("\"_request_id\""), "{stats}");
    assert!(!stats.contains("\"fare\"") && !stats.contains("\"_model\""), "{stats}");
}

#[test]
fn what_a_killed_server_wrote_is_there_after_the_next_start() {
    let sandbox = Sandbox::trained(1500);
    let server = Server::start_with(&sandbox, &["--log", "log"], &[]);
    let (_, metadata) = server.get("/v2/models/taxi-tips");
    let row: serde_json::Map<String, Value> = rows(&sandbox.path("data/trips.csv"), 1)
        .remove(0)
        .into_iter()
        .filter(|(name, _)| {
            metadata["inputs"].as_array().is_some_and(|all| all.iter().any(|input| input["name"] == **name))
        })
        .collect();
    server.post("/v1/models/taxi-tips:predict", &json!({ "instances": [row] }).to_string());
    // Lines go to the system once a second.
    let partial = || {
        let entries = std::fs::read_dir(sandbox.path("log/taxi-tips")).into_iter().flatten().flatten();
        entries.map(|entry| entry.metadata().map_or(0, |metadata| metadata.len())).sum::<u64>()
    };
    while partial() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(server);
    assert!(files(&sandbox).is_empty());
    drop(serve_and_stop(&sandbox, &[], 1));
    assert_eq!(files(&sandbox).len(), 2);
}

#[test]
fn wrong_flags_are_told() {
    let sandbox = Sandbox::trained(1500);
    let wrong = sandbox.tidemill(&["serve", "--log", "log", "--log_sample", "2"]);
    assert_eq!(wrong.code, 2, "{wrong}");
    sandbox.write("taken", "");
    let taken = sandbox.tidemill(&["serve", "--log", "taken", "--port", "0", "--rest_api_port", "0"]);
    assert_eq!(taken.code, 3, "{taken}");
    assert!(taken.stderr.contains("inference log"), "{taken}");
}

#[test]
fn a_log_is_compacted_and_a_person_is_erased_from_it() {
    let sandbox = Sandbox::trained(1500);
    sandbox.write("key", "0123456789abcdef0123456789abcdef");
    serve_and_stop(&sandbox, &["--log_hash", "company", "--log_hash_key", "key"], 120);
    let company = rows(&sandbox.path("data/trips.csv"), 1)[0]["company"].as_str().expect("a text").to_owned();
    let text = std::fs::read_to_string(&files(&sandbox)[0]).expect("the log");
    assert!(!text.contains(&company), "a hashed column is not in the log");
    let status = sandbox.json(&["inference-log", "status", "log"]);
    assert_eq!((&status[0]["rows"], &status[0]["hours"]), (&json!(120), &json!(0)));
    let early = sandbox.json(&["inference-log", "compact", "log"]);
    assert_eq!((&early[0]["rows"], &early[0]["left"]), (&json!(0), &json!(1)), "a young file is left");
    let done = sandbox.tidemill(&["inference-log", "compact", "log", "--hold", "0s"]);
    assert!(done.code == 0 && done.stdout.contains("120 rows of 1 file"), "{done}");
    let erase = ["inference-log", "erase", "log", "--column", "company", "--hash-key", "key", "--value", &company];
    let erased = sandbox.json(&erase)[0]["rows"].as_u64().expect("a count");
    assert!(erased > 0 && erased < 120, "{erased}");
    let status = sandbox.json(&["inference-log", "status", "log"]);
    assert_eq!(status[0]["rows"], json!(120 - erased));
    // The hours are data for every command.
    let stats = sandbox.json(&["stats", "log/taxi-tips/hours/*.parquet"]);
    assert_eq!(stats["num_examples"], json!(120 - erased), "{stats}");
    let wrong = sandbox.tidemill(&["inference-log", "status", "log", "--model", "taxi-tip"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("did you mean `taxi-tips`"), "{wrong}");
}
