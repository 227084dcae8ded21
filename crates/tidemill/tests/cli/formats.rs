//! Every stored format of version 1 is read: files that an earlier build wrote, committed in `tests/golden-formats/1`.
//!
//! ```text
//! golden-formats/1/
//! ├── project/        pipeline.yaml, tidemill.toml, schema.yaml, data/trips.csv
//! ├── backup/         a store with one run of it: database, artifacts of every type, a model package
//! ├── log/            the inference log as JSON lines and Parquet
//! ├── statistics.*    statistics as JSON and as the messages of TensorFlow Metadata
//! └── expected/       what the commands below printed
//! ```
//!
//! `TIDEMILL_WRITE_GOLDEN_FORMATS=1 cargo test -p tidemill --test cli formats::` writes the folder anew. Do that only for
//! a version that does not exist yet: a file that was released must stay readable as it is.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Sandbox, Server, rows};

const STATISTICS: [&str; 4] = ["statistics.json", "statistics.pb", "statistics.pbtxt", "statistics.tfrecord"];
const LOGS: [&str; 2] = ["jsonl", "parquet"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-formats/1")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())).flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::write(to, fs::read(entry.path()).expect("a file")).expect("a copy");
        }
    }
}

/// What is asked of a restored project, by name: these answers stay the same.
fn answers(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let version = sandbox.json(&["models", "taxi-tips"])["model"]["versions"][0]["properties"].clone();
    let mut artifacts: Vec<String> = sandbox
        .json(&["artifacts", "-n", "100"])
        .as_array()
        .expect("a list")
        .iter()
        .map(|record| format!("{} {}", record["artifact"]["artifact_type"], record["artifact"]["digest"]))
        .collect();
    artifacts.sort();
    let predicted = sandbox.tidemill(&["predict", "data/trips.csv", "--keep", "trip_miles"]);
    assert_eq!(predicted.code, 0, "{predicted}");
    vec![
        ("metrics.json", format!("{version:#}\n")),
        ("artifacts.txt", artifacts.join("\n") + "\n"),
        ("predictions.csv", predicted.stdout),
    ]
}

fn write() {
    let (sandbox, to) = (Sandbox::trained(1200), folder());
    let _ = fs::remove_dir_all(&to);
    for name in ["pipeline.yaml", "tidemill.toml", "schema.yaml", "data/trips.csv"] {
        let to = to.join("project").join(name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(sandbox.path(name), to).expect("a copy");
    }
    for name in STATISTICS {
        let out = to.join(name).display().to_string();
        let written = sandbox.tidemill(&["stats", "data/trips.csv", "--out", &out]);
        assert_eq!(written.code, 0, "{written}");
    }
    for format in LOGS {
        let log = to.join("log").join(format).display().to_string();
        let mut server = Server::start_with(&sandbox, &["--log", &log, "--log_format", format], &[]);
        let (_, metadata) = server.get("/v2/models/taxi-tips");
        let inputs = metadata["inputs"].as_array().cloned().unwrap_or_default();
        let takes = |name: &str| inputs.iter().any(|input| input["name"] == name);
        for row in rows(&sandbox.path("data/trips.csv"), 20) {
            let row: serde_json::Map<String, Value> = row.into_iter().filter(|(name, _)| takes(name)).collect();
            let body = json!({ "instances": [row] }).to_string();
            assert_eq!(server.post("/v1/models/taxi-tips:predict", &body).0, 200);
        }
        server.terminate();
    }
    let backup = to.join("backup").display().to_string();
    assert_eq!(sandbox.tidemill(&["store", "backup", &backup]).code, 0);
    for (name, text) in answers(&sandbox) {
        fs::create_dir_all(to.join("expected")).expect("a folder");
        fs::write(to.join("expected").join(name), text).expect("a file");
    }
}

#[test]
fn every_format_of_version_1_is_read() {
    if std::env::var_os("TIDEMILL_WRITE_GOLDEN_FORMATS").is_some() {
        write();
    }
    let (from, sandbox) = (folder(), Sandbox::empty());
    copy(&from.join("project"), &sandbox.path("."));
    let backup = from.join("backup").display().to_string();
    let restored = sandbox.tidemill(&["store", "restore", &backup]);
    assert_eq!(restored.code, 0, "{restored}");
    let check = sandbox.tidemill(&["store", "check"]);
    assert_eq!(check.code, 0, "{check}");
    for (name, text) in answers(&sandbox) {
        let expected = fs::read_to_string(from.join("expected").join(name)).expect("a file");
        assert_eq!(text, expected, "{name}");
    }
    // The pages are made of the artifacts: evaluation, blessing, statistics, anomalies.
    for args in [
        &["report"][..],
        &["report", "--type", "statistics"],
        &["lineage", "taxi-tips"],
        &["model", "show", "taxi-tips"],
    ] {
        let shown = sandbox.tidemill(args);
        assert_eq!(shown.code, 0, "{shown}");
    }
    // Rows of a split, as every command reads them.
    let artifacts = sandbox.json(&["artifacts", "--type", "Examples"]);
    let digest = artifacts[0]["artifact"]["digest"].as_str().expect("a digest").to_owned();
    let examples = sandbox.json(&["artifacts", &digest])["path"].as_str().expect("a path").to_owned();
    let split = sandbox.json(&["stats", &format!("{examples}/Split-train")]);
    assert!(split["num_examples"].as_u64().is_some_and(|rows| rows > 500), "{split}");
    for name in STATISTICS {
        let of = from.join(name).display().to_string();
        let same = sandbox.tidemill(&["drift", &of, "data/trips.csv"]);
        assert_eq!(same.code, 0, "{same}");
    }
    for format in LOGS {
        let log = from.join("log").join(format).join("taxi-tips").display().to_string();
        let read = sandbox.json(&["stats", &log]);
        assert_eq!(read["num_examples"], 20, "{format}: {read}");
    }
}
