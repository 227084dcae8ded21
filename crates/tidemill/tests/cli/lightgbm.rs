//! Gradient boosting against LightGBM's recorded losses, on the same rows with the same parameters: `lightgbm/record.py`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::Sandbox;

const RECORDED: &str = include_str!("lightgbm/recorded.json");
const TRIP_COLUMNS: [&str; 5] =
    ["trip_miles", "trip_seconds", "trip_start_hour", "pickup_latitude", "pickup_longitude"];

/// Trains on `train` with the recorded parameters and returns the metrics on `eval`. The last column of the CSVs is the label.
fn metrics(train: &str, eval: &str) -> Value {
    let sandbox = Sandbox::empty();
    sandbox.write("data/train.csv", train);
    sandbox.write("data/eval.csv", eval);
    let header = train.lines().next().expect("a header");
    let (columns, label) = header.rsplit_once(',').expect("a label");
    let mut features = String::new();
    for column in columns.split(',') {
        writeln!(features, "      {column}: numeric").expect("text can be written");
    }
    let pipeline = format!(
        "\
version: 1
pipeline: compared
steps:
  examples:
    component: ExampleGen
    source: {{ csv: {{ splits: {{ train: data/train.csv, eval: data/eval.csv }} }} }}
  transform:
    component: Transform
    label: {{ column: {label} }}
    features:
{features}
  train:
    component: Trainer
    learner: {{ gradient_boosting: {{ rounds: 60, learning_rate: 0.1, leaves: 15, min_data_in_leaf: 20 }} }}
  evaluate: {{ component: Evaluator }}
  push: {{ component: Pusher, model: compared }}
"
    );
    sandbox.write("pipeline.yaml", pipeline);
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 0, "{run}");
    let models = sandbox.tidemill(&["models", "compared", "-o", "json"]);
    let models: Value = serde_json::from_str(&models.stdout).expect("models in JSON");
    models["model"]["versions"][0]["properties"].clone()
}

/// The cells of a line whose quoted cells hold no quotes.
fn cells(line: &str) -> Vec<&str> {
    let mut quoted = false;
    line.split(|letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
    .collect()
}

/// The metric of LightGBM's model on a table.
fn recorded(table: &str, metric: &str) -> f64 {
    let recorded: Value = serde_json::from_str(RECORDED).expect("the recorded file is JSON");
    recorded["tables"][table][metric].as_f64().expect("the metric is recorded")
}

/// The loss is at most `share` above LightGBM's.
fn assert_loss(table: &str, metric: &str, found: &Value, share: f64) {
    let (found, recorded) = (found[metric].as_f64().expect("a number"), recorded(table, metric));
    assert!(found <= recorded * (1.0 + share), "{table}: {metric} {found}, LightGBM {recorded}");
}

#[test]
fn two_classes() {
    let found =
        metrics(include_str!("lightgbm/breast_cancer.train.csv"), include_str!("lightgbm/breast_cancer.eval.csv"));
    // 189 rows: one more row on the wrong side is 5 %.
    assert_loss("breast_cancer", "log_loss", &found, 0.10);
    assert!(found["auc"].as_f64().expect("a number") >= recorded("breast_cancer", "auc") - 0.001);
}

#[test]
fn regression() {
    let found = metrics(include_str!("lightgbm/diabetes.train.csv"), include_str!("lightgbm/diabetes.eval.csv"));
    assert_loss("diabetes", "rmse", &found, 0.02);
}

#[test]
fn regression_with_missing_cells() {
    let trips = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/taxi/data/trips.csv");
    let trips = fs::read_to_string(trips).expect("the trips of the example");
    let mut lines = trips.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let at = |name: &str| header.iter().position(|column| *column == name).expect("a column of the trips");
    let columns: Vec<usize> = TRIP_COLUMNS.into_iter().chain(["fare"]).map(at).collect();
    let with_fare = lines.map(cells).filter(|row| !row[at("fare")].is_empty());
    let mut splits = [const { String::new() }; 2];
    for split in &mut splits {
        writeln!(split, "{},fare", TRIP_COLUMNS.join(",")).expect("text can be written");
    }
    for (number, row) in with_fare.take(6_000).enumerate() {
        let cells: Vec<&str> = columns.iter().map(|column| row[*column]).collect();
        writeln!(splits[usize::from(number % 3 == 2)], "{}", cells.join(",")).expect("text can be written");
    }
    assert_loss("trips", "rmse", &metrics(&splits[0], &splits[1]), 0.02);
}
