//! `ExampleGen` from file to artifact.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::array::AsArray;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill_core::{CancelFlag, Code, Component as _, ComponentError, NoProgress, Outcome, RunInfo, StepContext};
use tidemill_data::{ExampleGen, Examples, TaxiOptions, write_taxi};

fn project(rows: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_taxi(&dir.path().join("trips.csv"), &TaxiOptions { rows, ..TaxiOptions::default() }).unwrap();
    dir
}

fn run(project: &Path, out: &Path, params: &Value, threads: usize) -> Result<Outcome, ComponentError> {
    ExampleGen.run(&StepContext {
        params,
        project_dir: project,
        inputs: &BTreeMap::new(),
        outputs: &BTreeMap::from([("examples".to_owned(), out.to_owned())]),
        progress: &NoProgress,
        cancel: &CancelFlag::default(),
        threads,
        run: &RunInfo { pipeline: "p".to_owned(), run_id: "r".to_owned(), step: "examples".to_owned() },
    })
}

fn fails(project: &Path, params: &Value) -> ComponentError {
    let out = tempfile::tempdir().unwrap();
    run(project, out.path(), params, 1).unwrap_err()
}

/// Every row as text, with its split.
fn membership(dir: &Path) -> HashMap<String, String> {
    let examples = Examples::open(dir).unwrap();
    let mut rows = HashMap::new();
    for split in examples.splits() {
        let mut count = 0;
        for batch in examples.batches(&split.name, None).unwrap() {
            let batch = batch.unwrap();
            count += batch.num_rows() as u64;
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = batch
                    .columns()
                    .iter()
                    .map(|column| arrow::util::display::array_value_to_string(column, row).unwrap())
                    .collect();
                rows.insert(cells.join("|"), split.name.clone());
            }
        }
        assert_eq!(count, split.rows);
    }
    rows
}

#[test]
fn rows_are_split_two_to_one() {
    let project = project(15_000);
    let out = tempfile::tempdir().unwrap();
    let outcome = run(project.path(), out.path(), &json!({ "source": { "csv": "trips.csv" } }), 2).unwrap();
    assert_eq!(outcome.headline, "15,000 rows in 2 splits");
    let examples = Examples::open(out.path()).unwrap();
    let rows: Vec<u64> = examples.splits().iter().map(|split| split.rows).collect();
    assert_eq!(rows.iter().sum::<u64>(), 15_000);
    let share = rows[0] as f64 / 15_000.0;
    assert!((share - 2.0 / 3.0).abs() < 0.015, "{share}");
    assert_eq!(outcome.properties["examples"]["splits"]["train"], json!(rows[0]));
    let source = &examples.manifest().sources[0];
    assert_eq!((source.name.as_str(), source.rows), ("trips.csv", 15_000));
}

#[test]
fn the_artifact_is_the_same_at_any_number_of_threads() {
    let project = project(20_000);
    let params = json!({ "source": { "csv": "trips.csv" }, "splits": { "train": 6, "eval": 2, "test": 2 } });
    let read_all = |threads| {
        let out = tempfile::tempdir().unwrap();
        run(project.path(), out.path(), &params, threads).unwrap();
        let shard = |split| out.path().join(format!("Split-{split}/part-00000-of-00001.parquet"));
        ["train", "eval", "test"]
            .map(|split| std::fs::read(shard(split)).unwrap())
            .into_iter()
            .chain([std::fs::read(out.path().join("examples.json")).unwrap()])
            .collect::<Vec<_>>()
    };
    assert!(read_all(1) == read_all(4));
}

#[test]
fn membership_survives_shuffling_cutting_and_another_format() {
    let project = project(3_000);
    let text = std::fs::read_to_string(project.path().join("trips.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.reverse();
    rows.rotate_left(1_234);
    std::fs::create_dir(project.path().join("cut")).unwrap();
    for (i, part) in rows.chunks(700).enumerate() {
        let part = format!("{header}\r\n{}\r\n", part.join("\r\n"));
        std::fs::write(project.path().join(format!("cut/{i}.csv")), part).unwrap();
    }
    write_taxi(&project.path().join("trips.parquet"), &TaxiOptions { rows: 3_000, ..TaxiOptions::default() }).unwrap();

    let split = |source: Value| {
        let out = tempfile::tempdir().unwrap();
        run(project.path(), out.path(), &json!({ "source": source }), 2).unwrap();
        membership(out.path())
    };
    let whole = split(json!({ "csv": "trips.csv" }));
    assert_eq!(whole.len(), 3_000);
    assert!(whole == split(json!({ "csv": "cut" })));
    assert!(whole == split(json!({ "csv": "cut/*.csv" })));
    assert!(whole == split(json!({ "parquet": "trips.parquet" })));
}

#[test]
fn a_key_never_straddles_splits() {
    let project = project(4_000);
    let out = tempfile::tempdir().unwrap();
    let by_area = json!({ "source": { "csv": "trips.csv" }, "split_by": ["trip_start_month", "trip_start_day"] });
    run(project.path(), out.path(), &by_area, 1).unwrap();
    let examples = Examples::open(out.path()).unwrap();
    let mut split_of = HashMap::new();
    for split in examples.splits() {
        for batch in examples.batches(&split.name, Some(&["trip_start_month", "trip_start_day"])).unwrap() {
            let batch = batch.unwrap();
            let column = |i| batch.column(i).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec();
            for key in column(0).into_iter().zip(column(1)) {
                let known = split_of.entry(key).or_insert_with(|| split.name.clone());
                assert_eq!(known, &split.name);
            }
        }
    }
    assert_eq!(examples.manifest().split_by, ["trip_start_month", "trip_start_day"]);
}

#[test]
fn what_cannot_be_split_is_explained() {
    let project = project(500);
    let by = |columns: &[&str]| json!({ "source": { "csv": "trips.csv" }, "split_by": columns });
    let error = fails(project.path(), &by(&["fare"]));
    assert_eq!(error.code, Code::ColumnType);
    assert!(error.message.contains("column `fare` is of type float"), "{}", error.message);
    let error = fails(project.path(), &by(&["company"]));
    assert!(error.message.contains("column `company` has no value in row"), "{}", error.message);
    let error = fails(project.path(), &by(&["payment_typ"]));
    assert_eq!((error.code, error.hint.as_deref()), (Code::ColumnNotFound, Some("did you mean `payment_type`?")));
    let rare = json!({ "source": { "csv": "trips.csv" }, "splits": { "train": 100_000_000, "eval": 1 } });
    let error = fails(project.path(), &rare);
    assert_eq!(error.code, Code::EmptySplit);
    assert_eq!(error.message, "split `eval` has no rows: none of 500 rows fell into its share");
}

#[test]
fn bad_sources_are_explained() {
    let project = tempfile::tempdir().unwrap();
    let params = json!({ "source": { "csv": "trips.csv" } });
    assert_eq!(fails(project.path(), &params).code, Code::SourceNotFound);
    assert_eq!(ExampleGen.external_inputs(&params, project.path()).unwrap_err().code, Code::SourceNotFound);
    std::fs::write(project.path().join("trips.csv"), "a,b\n").unwrap();
    assert_eq!(fails(project.path(), &params).code, Code::SourceEmpty);
    std::fs::write(project.path().join("trips.csv"), "a,b\n1\n").unwrap();
    assert_eq!(fails(project.path(), &params).code, Code::RaggedRow);
    assert_eq!(fails(project.path(), &json!({ "source": { "parquet": "trips.csv" } })).code, Code::SourceMalformed);
    assert!(!ExampleGen.check(&json!({ "source": { "csv": "a" }, "split": {} })).is_empty());
}

#[test]
fn digests_follow_content() {
    let project = project(100);
    std::fs::create_dir(project.path().join("many")).unwrap();
    std::fs::copy(project.path().join("trips.csv"), project.path().join("many/copy.csv")).unwrap();
    let inputs =
        |source: &str| ExampleGen.external_inputs(&json!({ "source": { "csv": source } }), project.path()).unwrap();
    let (file, folder) = (inputs("./trips.csv"), inputs("many"));
    assert_eq!((file[0].name.as_str(), folder[0].name.as_str()), ("./trips.csv", "many/copy.csv"));
    assert_eq!(file[0].digest, folder[0].digest);
    let bytes = std::fs::read(project.path().join("trips.csv")).unwrap();
    assert_eq!(file[0].digest.as_str(), blake3::hash(&bytes).to_hex().as_str());
}

#[test]
fn a_column_without_values_is_mentioned() {
    let project = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..50).map(|i| format!("{i},")).collect();
    std::fs::write(project.path().join("t.csv"), format!("a,b\n{}\n", rows.join("\n"))).unwrap();
    let out = tempfile::tempdir().unwrap();
    let outcome = run(project.path(), out.path(), &json!({ "source": { "csv": "t.csv" } }), 1).unwrap();
    assert_eq!(outcome.warnings, ["column `b` has no value in any row; it is taken as int"]);
}

#[test]
fn a_cancelled_run_stops() {
    let project = project(100);
    let out = tempfile::tempdir().unwrap();
    let cancel = CancelFlag::default();
    cancel.cancel();
    let result = ExampleGen.run(&StepContext {
        params: &json!({ "source": { "csv": "trips.csv" } }),
        project_dir: project.path(),
        inputs: &BTreeMap::new(),
        outputs: &BTreeMap::from([("examples".to_owned(), out.path().to_owned())]),
        progress: &NoProgress,
        cancel: &cancel,
        threads: 1,
        run: &RunInfo { pipeline: String::new(), run_id: String::new(), step: String::new() },
    });
    assert_eq!(result.unwrap_err().code, Code::Canceled);
}
