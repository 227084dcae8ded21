//! The dashboard shows what the server counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::{Packages, Running, agent, options, servable};
use serde_json::Value;
use tidemill_serving::{InferenceLogOptions, ServerOptions, StaticSource};

/// The expressions of all panels.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("expr").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// The names of metrics in an expression: what stands before a selector or a range.
fn names(expression: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = expression.split(|c: char| !is_name(c));
    let prefixes = ["tidemill_", "process_", ":tensorflow:"];
    words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix))).map(str::to_owned).collect()
}

#[test]
fn every_metric_of_the_dashboard_exists() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/grafana/tidemill-serving.json");
    let dashboard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    let wanted: BTreeSet<String> = found.iter().flat_map(|expression| names(expression)).collect();
    assert!(wanted.len() >= 8, "{wanted:?}");

    let (packages, log) = (Packages::new(), tempfile::tempdir().unwrap());
    let source = StaticSource::new(vec![servable("half", 1, &packages.half_plus_two(), &[])]);
    let inference_log = Some(InferenceLogOptions::new(log.path()));
    let server = Running::start(ServerOptions { inference_log, ..options() }, Arc::new(source));
    assert_eq!(server.post("/v1/models/half:predict", r#"{"instances": [1.0]}"#).0, 200);
    let text = agent().get(server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    let there: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split(['{', ' ']).next().filter(|name| !name.starts_with('#'))).collect();
    let missing: Vec<&String> = wanted.iter().filter(|name| !there.contains(name.as_str())).collect();
    assert!(missing.is_empty() || !cfg!(target_os = "linux"), "{missing:?} are not in\n{text}");
}
