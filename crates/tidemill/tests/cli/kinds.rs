//! Columns of lists and of bytes through a whole pipeline: kept, known, left alone by what does not use them, and refused by name by
//! what cannot.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Float64Array, Int64Builder, ListBuilder, RecordBatch, StringArray, StringBuilder,
};
use serde_json::json;
use tidemill_data::write_table;

use crate::support::{Sandbox, Server};

const PIPELINE: &str = "\
version: 1
pipeline: kinds
steps:
  examples: { component: ExampleGen, source: { parquet: data/rides.parquet }, splits: { train: 2, eval: 1 } }
  statistics: { component: StatisticsGen, label: paid }
  schema: { component: SchemaGen, file: schema.yaml }
  validate: { component: ExampleValidator }
  transform:
    component: Transform
    label: { name: good, expression: \"fare > 20\" }
    features: { miles: z_score, paid: categorical }
  train: { component: Trainer, learner: { gradient_boosting: { rounds: 5 } } }
  evaluate: { component: Evaluator, slices: [ [], [paid] ] }
  push: { component: Pusher, model: kinds }
";

/// Rides with tags (lists, some empty or missing), stops (lists of numbers) and a picture (bytes).
fn rides(rows: usize) -> RecordBatch {
    let mut tags = ListBuilder::new(StringBuilder::new());
    let mut stops = ListBuilder::new(Int64Builder::new());
    let mut photo = BinaryBuilder::new();
    for row in 0..rows {
        match row % 5 {
            0 => tags.append_null(),
            few => tags.append_value((1..few).map(|tag| Some(format!("tag {tag}")))),
        }
        stops.append_value((0..row % 4).map(|stop| (stop != 2).then_some((row + stop) as i64)));
        if row % 7 == 0 {
            photo.append_null();
        } else {
            photo.append_value([&b"\x89PNG\r\n\x1a\n"[..], &(row as u32).to_le_bytes(), &[0xff]].concat());
        }
    }
    let number =
        |of: fn(usize) -> f64| Arc::new((0..rows).map(|row| Some(of(row))).collect::<Float64Array>()) as ArrayRef;
    let paid = (0..rows).map(|row| Some(["Cash", "Card", "Mobile"][row * 7 % 3])).collect::<StringArray>();
    RecordBatch::try_from_iter_with_nullable([
        ("fare", number(|row| (row * 37 % 400) as f64 / 10.0), true),
        ("miles", number(|row| (row * 37 % 400) as f64 / 20.0 + (row % 3) as f64), true),
        ("paid", Arc::new(paid) as ArrayRef, true),
        ("tags", Arc::new(tags.finish()) as ArrayRef, true),
        ("stops", Arc::new(stops.finish()) as ArrayRef, true),
        ("photo", Arc::new(photo.finish()) as ArrayRef, true),
    ])
    .expect("columns of one length")
}

fn project() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("pipeline.yaml", PIPELINE);
    sandbox.write("data/.keep", "");
    write_table(&sandbox.path("data/rides.parquet"), std::iter::once(Ok(rides(900)))).expect("a file can be written");
    sandbox
}

#[test]
fn lists_and_bytes_go_through_a_pipeline() {
    let sandbox = project();
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 0, "{run}");
    let schema = sandbox.read("schema.yaml");
    for line in ["tags:", "stops:", "photo:", "type: bytes"] {
        assert!(schema.contains(line), "{line}: {schema}");
    }
    let examples = sandbox.json(&["artifacts", "--type", "Statistics"]);
    assert!(examples.as_array().is_some_and(|found| !found.is_empty()), "{examples}");
    // The same file judged alone, by rows that show what is odd.
    let valid = sandbox.tidemill(&["validate", "data/rides.parquet"]);
    assert_eq!(valid.code, 0, "{valid}");
    let predicted = sandbox.tidemill(&["predict", "data/rides.parquet", "--out", "out.parquet"]);
    assert_eq!(predicted.code, 0, "{predicted}");
    let kept = sandbox.json(&["stats", "out.parquet"]);
    let names: Vec<&str> =
        kept["features"].as_array().into_iter().flatten().filter_map(|feature| feature["name"].as_str()).collect();
    assert!(["tags", "stops", "photo"].iter().all(|name| names.contains(name)), "{names:?}");
    // Nothing changed: nothing runs.
    let plan = sandbox.tidemill(&["plan"]);
    assert!(plan.stdout.contains("nothing to do"), "{plan}");
}

#[test]
fn what_cannot_use_a_list_or_bytes_names_the_column() {
    for (from, to, expected) in [
        ("miles: z_score", "stops: z_score", "stops"),
        ("miles: z_score", "photo: categorical", "photo"),
        ("miles: z_score", "tags: categorical", "tags"),
        ("\"fare > 20\"", "\"stops > 20\"", "stops"),
        ("[paid] ]", "[tags] ]", "tags"),
        ("[paid] ]", "[photo] ]", "photo"),
        ("label: paid", "label: tags", "tags"),
        ("label: paid", "slices: [stops]", "stops"),
        ("label: paid", "weight: photo", "photo"),
    ] {
        let sandbox = project();
        sandbox.edit("pipeline.yaml", from, to);
        let run = sandbox.tidemill(&["run"]);
        assert!(run.code == 1 || run.code == 2, "{to}: {run}");
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains(&format!("`{expected}`")), "{to}: {run}");
        assert!(!said.contains("TM9002"), "{to} is no fault of ours: {run}");
        assert_eq!(sandbox.staged(), 0, "{to}: nothing half-written");
    }
}

const WINE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tidemill-train/tests/recorded/wine.csv"));

const WINES: &str = "\
version: 1
pipeline: wine
steps:
  examples: { component: ExampleGen, source: { csv: wine.csv }, splits: { train: 2, eval: 1 } }
  transform:
    component: Transform
    label: { name: cultivar, expression: cultivar }
    features: { alcohol: numeric, flavanoids: numeric, color_intensity: z_score, hue: numeric, proline: numeric }
  train: { component: Trainer, learner: LEARNER }
  evaluate: { component: Evaluator, thresholds: { accuracy: { at_least: 0.8 }, auc: { at_least: 0.9 } } }
  check: { component: InfraValidator }
  push: { component: Pusher, model: wine }
";

#[test]
fn a_label_of_three_classes_is_trained_judged_pushed_predicted_and_served() {
    for learner in ["{ gradient_boosting: { rounds: 40, min_data_in_leaf: 5 } }", "linear"] {
        let sandbox = Sandbox::empty();
        sandbox.write("pipeline.yaml", WINES.replace("LEARNER", learner));
        sandbox.write("wine.csv", WINE);
        let run = sandbox.tidemill(&["run"]);
        assert_eq!(run.code, 0, "{run}");
        assert!(["accuracy 0.9", "accuracy 1.0"].iter().any(|good| run.stdout.contains(good)), "{run}");

        let predicted = sandbox.tidemill(&["predict", "wine.csv", "--keep", "cultivar", "--out", "predicted.csv"]);
        assert_eq!(predicted.code, 0, "{predicted}");
        let text = sandbox.read("predicted.csv");
        let head = text.lines().next().expect("a head");
        assert_eq!(head, "cultivar,class,probabilities[Barbera],probabilities[Barolo],probabilities[Grignolino]");
        let right = text.lines().skip(1).filter(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            cells[0] == cells[1]
        });
        assert!(right.count() > 160, "{text}");

        // What was written is judged by the names of its columns.
        let args = ["evaluate", "predicted.csv", "--label", "cultivar", "--prediction", "probabilities"];
        let judged = sandbox.json(&args);
        assert_eq!(judged["task"]["multi_class"]["classes"][0], "Barbera");
        assert!(judged["slices"][0]["metrics"]["accuracy"].as_f64() > Some(0.9), "{judged}");

        let server = Server::start(&sandbox);
        let row =
            json!({ "alcohol": 14.23, "flavanoids": 3.06, "color_intensity": 5.64, "hue": 1.04, "proline": 1065.0 });
        let (status, answer) = server.post("/v1/models/wine:predict", &json!({ "instances": [row] }).to_string());
        assert_eq!((status, &answer["predictions"][0]["class"]), (200, &json!("Barolo")), "{answer}");
        let first: Vec<f64> = text
            .lines()
            .nth(1)
            .map(|line| line.split(',').skip(2).filter_map(|cell| cell.parse().ok()).collect())
            .unwrap_or_default();
        assert_eq!(answer["predictions"][0]["probabilities"], json!(first));
        let inputs: Vec<_> = row
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| json!({ "name": name, "datatype": "FP64", "shape": [1], "data": [value] }))
            .collect();
        let (status, answer) = server.post("/v2/models/wine/infer", &json!({ "inputs": inputs }).to_string());
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["outputs"][0]["data"], json!(["Barolo"]), "{answer}");
        assert_eq!((&answer["outputs"][1]["shape"], &answer["outputs"][1]["data"]), (&json!([1, 3]), &json!(first)));
    }
}
