//! Columns of lists and of bytes through a whole pipeline: kept, known, left alone by what does not use them, and refused by name by
//! what cannot.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Float64Array, Int64Builder, ListBuilder, RecordBatch, StringArray, StringBuilder,
};
use tidemill_data::write_table;

use crate::support::Sandbox;

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
