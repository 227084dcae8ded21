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
    ] {
        sandbox.write("bad.jsonl", text);
        let stats = sandbox.tidemill(&["stats", "bad.jsonl"]);
        assert_ne!(stats.code, 0, "{stats}");
        assert!(stats.stderr.contains(message), "{stats}");
    }
}

#[test]
fn json_that_no_column_can_hold_is_left_out_and_named() {
    let sandbox = Sandbox::empty();
    sandbox.write("nested.jsonl", "{\"fare\": 1}\n{\"stops\": [[1, 2]]}\n");
    let stats = sandbox.tidemill(&["stats", "nested.jsonl"]);
    assert_eq!(stats.code, 0, "{stats}");
    assert!(stats.stderr.contains("column `stops` is left out: it holds a list of lists"), "{stats}");
}

fn joined<'a>(first: &[&'a str], flags: &[&'a str]) -> Vec<&'a str> {
    [first, flags].concat()
}

/// The same trips, written in another way, are the same data to every command and to a pipeline.
#[test]
fn flags_and_parameters_say_how_csv_is_written() {
    let sandbox = Sandbox::taxi(600);
    let trips = sandbox.read("data/trips.csv");
    assert!(!trips.contains([';', '"']), "the sample can be written anew cell by cell");
    let (head, rows) = trips.split_once('\n').unwrap_or_default();
    let cells = |line: &str| {
        let cells: Vec<&str> = line.split(',').map(|cell| if cell.is_empty() { "NA" } else { cell }).collect();
        cells.join(";") + "\n"
    };
    let rows: String = rows.lines().map(cells).collect();
    sandbox.write("data/other.csv", &rows);
    let flags = ["--delimiter", ";", "--null-tokens", "NA,null", "--columns", head];
    let stats = sandbox.json(&joined(&["stats", "data/other.csv"], &flags));
    assert_eq!(stats["features"], sandbox.json(&["stats", "data/trips.csv"])["features"]);
    let inferred = sandbox.tidemill(&joined(&["infer-schema", "data/other.csv", "--out", "schema.yaml"], &flags));
    assert_eq!(inferred.code, 0, "{inferred}");
    assert_eq!(sandbox.tidemill(&joined(&["validate", "data/other.csv"], &flags)).code, 0);
    assert_eq!(sandbox.tidemill(&joined(&["drift", "data/other.csv", "data/other.csv"], &flags)).code, 0);
    // Without the flags there is one column, and a word of warning.
    sandbox.write("data/semicolons.csv", "a;b\n1;2\n");
    let doubtful = sandbox.tidemill(&["stats", "data/semicolons.csv"]);
    let warning = "warning: `data/semicolons.csv` has one column; with the delimiter `;` it would have 2";
    assert!(doubtful.stderr.contains(warning), "{doubtful}");
    let wrong = sandbox.tidemill(&["stats", "data/semicolons.csv", "--delimiter", ";;"]);
    assert!(wrong.stderr.contains("`;;` is not a delimiter: one ASCII character, or `tab`"), "{wrong}");
    // In the pipeline file.
    let source = format!(
        "{{ csv: {{ path: data/other.csv, delimiter: \";\", null_tokens: [NA], header: false, columns: [{head}] }} }}"
    );
    sandbox.edit("pipeline.yaml", "{ csv: data/trips.csv }", &source);
    let run = sandbox.tidemill(&["run"]);
    assert!(format!("{run}").contains("600 rows in 2 splits"), "{run}");
    sandbox.edit("pipeline.yaml", "header: false, ", "");
    let check = sandbox.tidemill(&["check"]);
    assert!(format!("{check}").contains("the columns have names already, in the header"), "{check}");
}

#[test]
fn the_newest_span_runs_and_the_artifact_says_which() {
    let sandbox = Sandbox::taxi(600);
    sandbox.edit("pipeline.yaml", "{ csv: data/trips.csv }", "{ csv: \"data/span-{SPAN}/*.csv\" }");
    let trips = sandbox.read("data/trips.csv");
    for span in [9, 10] {
        sandbox.write(&format!("data/span-{span}/trips.csv"), &trips);
    }
    let run = sandbox.tidemill(&["run"]);
    assert!(format!("{run}").contains("in 2 splits, span 10"), "{run}");
    let examples = sandbox.json(&["artifacts", "--type", "Examples"]);
    assert!(examples.to_string().contains("\"span\":10"), "{examples}");

    // The same again is cached; a newer span is not.
    let again = sandbox.tidemill(&["run"]);
    assert!(!format!("{again}").contains("span 11"), "{again}");
    sandbox.write("data/span-11/trips.csv", &trips);
    let newer = sandbox.tidemill(&["run"]);
    assert!(format!("{newer}").contains("in 2 splits, span 11"), "{newer}");

    sandbox.edit("pipeline.yaml", "*.csv\" }", "*.csv\" }\n    span: 12");
    let none = sandbox.tidemill(&["run"]);
    assert!(format!("{none}").contains("has no span 12; its newest are `11`, `10`, `9`"), "{none}");
    sandbox.edit("pipeline.yaml", "{SPAN}", "{SPAN}-{YYYY}");
    let mixed = sandbox.tidemill(&["run"]);
    assert!(format!("{mixed}").contains("needs all of `{YYYY}`, `{MM}` and `{DD}`"), "{mixed}");
}
