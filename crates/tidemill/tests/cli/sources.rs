//! Data as it comes: the formats and places that sources are read from.

use serde_json::Value;

use crate::support::Sandbox;

/// The features of a file, by name.
fn features(sandbox: &Sandbox, file: &str) -> Vec<Value> {
    let mut features = sandbox.json(&["stats", file])["features"].as_array().cloned().unwrap_or_default();
    features.sort_by_key(|feature| feature["name"].to_string());
    features
}

#[test]
fn json_lines_are_read_by_every_command() {
    let sandbox = Sandbox::trained(3000);
    for name in ["trips.jsonl", "trips.ndjson.gz", "trips.csv"] {
        let made = sandbox.tidemill(&["sample", "taxi", "--rows", "3000", "--out", name]);
        assert_eq!(made.code, 0, "{made}");
    }
    let expected = features(&sandbox, "trips.csv");
    assert_eq!(expected.len(), 18);
    assert_eq!(features(&sandbox, "trips.jsonl"), expected);
    assert_eq!(features(&sandbox, "trips.ndjson.gz"), expected);
    let inferred = |file: &str| sandbox.tidemill(&["infer-schema", file]).stdout;
    assert_eq!(inferred("trips.jsonl"), inferred("trips.csv"));
    let valid = sandbox.tidemill(&["validate", "trips.jsonl"]);
    assert_eq!(valid.code, sandbox.tidemill(&["validate", "trips.csv"]).code, "{valid}");
    let predicted = |file: &str| sandbox.tidemill(&["predict", file, "--keep", "fare"]).stdout;
    assert_eq!(predicted("trips.jsonl"), predicted("trips.csv"));
}

#[test]
fn json_that_breaks_a_rule_is_located() {
    let sandbox = Sandbox::empty();
    for (text, message) in [
        ("{\"fare\": 1}\n{\"fare\": 2,}\n", "`bad.jsonl` line 2 column 12: trailing comma"),
        ("{\"fare\": 1, \"fare\": 2}\n", "`bad.jsonl` line 1 column 21: key `fare` is there twice"),
        ("{\"fare\": 1}\n{\"stops\": [1, 2]}\n", "`bad.jsonl` line 2 column 11: `stops` holds a list"),
    ] {
        sandbox.write("bad.jsonl", text);
        let stats = sandbox.tidemill(&["stats", "bad.jsonl"]);
        assert_ne!(stats.code, 0, "{stats}");
        assert!(stats.stderr.contains(message), "{stats}");
    }
}
