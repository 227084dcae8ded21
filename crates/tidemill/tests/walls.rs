//! The walls of ARCHITECTURE.md: no crate reaches what its row forbids.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// For each crate: the crates of this project it may depend on, and what it must never reach, by any path.
const WALLS: &[(&str, &[&str], &[&str])] = &[
    ("tidemill-core", &[], &["tokio", "arrow", "parquet", "sqlx-core", "hyper", "axum"]),
    ("tidemill-files", &["tidemill-core"], &["tokio", "arrow", "parquet", "sqlx-core", "hyper", "axum"]),
    ("tidemill-store-suite", &["tidemill-core", "tidemill-metadata"], &["datafusion", "arrow", "hyper", "axum"]),
    ("tidemill-metadata", &["tidemill-core"], &["datafusion", "arrow", "hyper", "axum"]),
    ("tidemill-proto", &[], &["tokio", "arrow", "hyper", "axum"]),
    (
        "tidemill-data",
        &["tidemill-core", "tidemill-files", "tidemill-proto"],
        &["datafusion", "tidemill-validation", "tidemill-metadata", "sqlx-core", "hyper", "axum"],
    ),
    (
        "tidemill-validation",
        &["tidemill-core", "tidemill-data", "tidemill-files", "tidemill-proto"],
        &["datafusion", "tidemill-metadata", "sqlx-core", "hyper", "axum"],
    ),
    ("tidemill-model", &["tidemill-core"], &["datafusion", "sqlx-core", "hyper", "axum", "tokio", "tract-onnx", "ort"]),
    (
        "tidemill-onnx",
        &["tidemill-core", "tidemill-model", "tidemill-proto"],
        &["datafusion", "sqlx-core", "hyper", "axum", "tokio"],
    ),
    (
        "tidemill-transform",
        &["tidemill-core", "tidemill-data", "tidemill-model", "tidemill-validation"],
        &["tidemill-metadata", "tidemill-pipeline", "hyper", "axum"],
    ),
    (
        "tidemill-train",
        &[
            "tidemill-core",
            "tidemill-data",
            "tidemill-files",
            "tidemill-model",
            "tidemill-onnx",
            "tidemill-proto",
            "tidemill-tune",
            "tidemill-validation",
        ],
        &["tidemill-metadata", "tidemill-pipeline", "hyper", "axum"],
    ),
    ("tidemill-schedule", &["tidemill-core"], &["arrow", "tokio", "sqlx-core", "hyper", "axum"]),
    ("tidemill-tune", &["tidemill-core"], &["arrow", "tokio", "datafusion", "hyper", "axum"]),
    (
        "tidemill-evaluate",
        &["tidemill-core", "tidemill-data", "tidemill-model", "tidemill-onnx", "tidemill-proto"],
        &["tidemill-metadata", "tidemill-pipeline", "hyper", "axum"],
    ),
    (
        "tidemill-engine",
        &["tidemill-core", "tidemill-data", "tidemill-validation"],
        &["tidemill-metadata", "tidemill-pipeline", "axum"],
    ),
    (
        "tidemill-monitor",
        &["tidemill-core", "tidemill-data", "tidemill-validation"],
        &["datafusion", "sqlx-core", "axum", "tidemill-metadata", "tidemill-pipeline", "tidemill-serving"],
    ),
    (
        "tidemill-remote",
        &["tidemill-core", "tidemill-data"],
        &["datafusion", "tidemill-metadata", "tidemill-pipeline", "axum"],
    ),
    ("tidemill-loadtest", &["tidemill-core"], &["datafusion", "arrow", "sqlx-core", "axum"]),
    (
        "tidemill-pipeline",
        &["tidemill-core", "tidemill-metadata", "tidemill-schedule"],
        &[
            "tidemill-data",
            "tidemill-model",
            "tidemill-onnx",
            "tidemill-transform",
            "tidemill-validation",
            "tidemill-train",
            "tidemill-evaluate",
            "tidemill-serving",
            "arrow",
            "hyper",
        ],
    ),
    (
        "tidemill-serving",
        &["tidemill-core", "tidemill-model", "tidemill-onnx", "tidemill-proto"],
        &["datafusion", "sqlx-core", "tidemill-data", "tidemill-validation", "tidemill-metadata", "tidemill-pipeline"],
    ),
    (
        "tidemill-cli",
        &["tidemill-core", "tidemill-serving"],
        &["datafusion", "sqlx-core", "tidemill-data", "tidemill-metadata", "tidemill-pipeline"],
    ),
    (
        "tidemill-server",
        &["tidemill-cli", "tidemill-core", "tidemill-serving"],
        &["datafusion", "sqlx-core", "tidemill-data", "tidemill-metadata", "tidemill-pipeline", "tidemill-project"],
    ),
    (
        "tidemill-project",
        &[
            "tidemill-core",
            "tidemill-data",
            "tidemill-engine",
            "tidemill-evaluate",
            "tidemill-metadata",
            "tidemill-model",
            "tidemill-monitor",
            "tidemill-onnx",
            "tidemill-pipeline",
            "tidemill-remote",
            "tidemill-serving",
            "tidemill-train",
            "tidemill-transform",
            "tidemill-tune",
            "tidemill-validation",
        ],
        &["clap", "console", "indicatif", "tidemill-cli"],
    ),
];

/// Every crate that writes files for others to read writes them through this one.
const WRITING: &str = "tidemill-files";

/// Normal dependencies (not for tests, not for builds) by package name, as resolved.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    // Only what this machine builds: dependencies of other platforms need not have been fetched.
    let version = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name_of: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
        .collect();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let edges = graph.entry(name_of[node["id"].as_str().unwrap()].to_owned()).or_default();
        for dependency in node["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                edges.insert(name_of[dependency["pkg"].as_str().unwrap()].to_owned());
            }
        }
    }
    graph
}

/// The shortest path from `from` to `to`, if there is any.
fn path(graph: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> Option<Vec<String>> {
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut open = std::collections::VecDeque::from([vec![from.to_owned()]]);
    while let Some(path) = open.pop_front() {
        for next in graph.get(path.last().unwrap()).into_iter().flatten() {
            let longer: Vec<String> = path.iter().chain([next]).cloned().collect();
            if next == to {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                open.push_back(longer);
            }
        }
    }
    None
}

#[test]
fn no_crate_reaches_what_its_row_forbids() {
    let graph = graph();
    let mut broken = Vec::new();
    for (name, may_use, never) in WALLS {
        for used in graph[*name].iter().filter(|used| used.starts_with("tidemill")) {
            if !may_use.contains(&used.as_str()) && used.as_str() != WRITING {
                broken.push(format!("`{name}` depends on `{used}`"));
            }
        }
        for forbidden in *never {
            if let Some(path) = path(&graph, name, forbidden) {
                broken.push(format!("`{name}` reaches `{forbidden}`: {}", path.join(" → ")));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    let missing: Vec<&String> = graph
        .keys()
        .filter(|name| name.starts_with("tidemill-") && !WALLS.iter().any(|(wall, ..)| wall == name))
        .collect();
    assert!(missing.is_empty(), "no wall is drawn around {missing:?}");
}

#[test]
fn the_build_that_only_serves_brings_nothing_to_train_or_query_with() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "tidemill-server", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let there: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let ours: Vec<&&str> = there.iter().filter(|name| name.starts_with("tidemill")).collect();
    assert_eq!(
        ours,
        [
            &"tidemill-cli",
            &"tidemill-core",
            &"tidemill-files",
            &"tidemill-model",
            &"tidemill-onnx",
            &"tidemill-proto",
            &"tidemill-server",
            &"tidemill-serving"
        ]
    );
    for never in ["datafusion", "sqlx-core", "object_store", "reqwest"] {
        assert!(!there.contains(never), "`{never}` is in the build that only serves");
    }
}
