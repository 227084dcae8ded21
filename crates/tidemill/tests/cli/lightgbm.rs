//! Gradient boosting against LightGBM's recorded losses, on the same rows with the same parameters: `lightgbm/record.py`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::Sandbox;

const RECORDED: &str = include_str!("lightgbm/recorded.json");
const TRIP_COLUMNS: [&str; 5] =
    ["trip_miles", "trip_seconds", "trip_start_hour", "pickup_latitude", "pickup_longitude"];

/// Trains on `train` with the parameters of the tables and returns the metrics on `eval`.
fn metrics(train: &str, eval: &str) -> Value {
    let ours =
        "gradient_boosting: { rounds: 60, learning_rate: 0.1, leaves: 15, min_data_in_leaf: 20, early_stopping: 0 }";
    metrics_of(ours, train, eval)
}

/// Trains a learner on `train` and returns the metrics on `eval`. The last column of the CSVs is the label.
fn metrics_of(learner: &str, train: &str, eval: &str) -> Value {
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
    learner: {{ {learner} }}
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

const BREAST_CANCER: [&str; 2] =
    [include_str!("lightgbm/breast_cancer.train.csv"), include_str!("lightgbm/breast_cancer.eval.csv")];
const DIABETES: [&str; 2] = [include_str!("lightgbm/diabetes.train.csv"), include_str!("lightgbm/diabetes.eval.csv")];

/// Train and eval rows of the example's trips that have a fare.
fn trips() -> [String; 2] {
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
    splits
}

#[test]
fn two_classes() {
    let found = metrics(BREAST_CANCER[0], BREAST_CANCER[1]);
    // 189 rows: one more row on the wrong side is 5 %.
    assert_loss("breast_cancer", "log_loss", &found, 0.10);
    assert!(found["auc"].as_f64().expect("a number") >= recorded("breast_cancer", "auc") - 0.001);
}

#[test]
fn regression() {
    assert_loss("diabetes", "rmse", &metrics(DIABETES[0], DIABETES[1]), 0.02);
}

#[test]
fn regression_with_missing_cells() {
    let [train, eval] = trips();
    assert_loss("trips", "rmse", &metrics(&train, &eval), 0.02);
}

/// The blocks `lightgbm:` and `xgboost:` of a pipeline file give models as good as the libraries' own.
#[test]
fn blocks_of_other_libraries_learn_what_the_libraries_learn() {
    let recorded: Value = serde_json::from_str(RECORDED).expect("the recorded file is JSON");
    let [train, eval] = trips();
    let mut wrong = Vec::new();
    for variant in recorded["variants"].as_array().expect("a list") {
        let (table, library) =
            (variant["table"].as_str().expect("a name"), variant["library"].as_str().expect("a name"));
        let [train, eval] = match table {
            "breast_cancer" => BREAST_CANCER,
            "diabetes" => DIABETES,
            _ => [train.as_str(), eval.as_str()],
        };
        let found = metrics_of(&format!("{library}: {}", variant["parameters"]), train, eval);
        for (metric, theirs) in variant["metrics"].as_object().expect("metrics") {
            let (ours, theirs) = (found[metric].as_f64().expect("a number"), theirs.as_f64().expect("a number"));
            // Small tables, and draws of our own where something is drawn.
            let (share, absolute) = if table == "trips" { (0.04, 0.0) } else { (0.10, 0.01) };
            let is_as_good = match metric.as_str() {
                "auc" => ours >= theirs - 0.003,
                _ => ours <= theirs * (1.0 + share) + absolute,
            };
            if !is_as_good {
                wrong.push(format!("{}: {metric} {ours}, {library} {theirs}", variant["parameters"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
