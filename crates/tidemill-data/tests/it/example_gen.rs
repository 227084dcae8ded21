//! `ExampleGen` from file to artifact.
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill_core::{
    CancelFlag, Code, Component as _, ComponentError, FeatureType, NoProgress, Outcome, RunInfo, StepContext,
};
use tidemill_data::{ExampleGen, Examples, TaxiOptions, inferred_types_mark, write_taxi};

fn project(rows: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_taxi(&dir.path().join("trips.csv"), &TaxiOptions { rows, ..TaxiOptions::default() }).unwrap();
    dir
}

fn run(project: &Path, out: &Path, params: &Value, threads: usize) -> Result<Outcome, ComponentError> {
    ExampleGen::default().run(&StepContext {
        params,
        project_dir: project,
        inputs: &BTreeMap::new(),
        outputs: &BTreeMap::from([("examples".to_owned(), out.to_owned())]),
        progress: &NoProgress,
        cancel: &CancelFlag::default(),
        threads,
        run: &RunInfo { pipeline: "p".to_owned(), run_id: "r".to_owned(), step: "examples".to_owned() },
        work: None,
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
fn a_table_of_few_distinct_rows_is_cut_through_them() {
    // 600 rows of 6 kinds.
    let text = |order: &dyn Fn(usize) -> usize| {
        let row = |i: usize| format!("{},{}\n", ["a", "b", "c"][order(i) % 3], order(i) % 2);
        format!("group,bought\n{}", (0..600).map(row).collect::<String>())
    };
    let project = tempfile::tempdir().unwrap();
    let counts = |text: &str, params: &Value| {
        std::fs::write(project.path().join("t.csv"), text).unwrap();
        let out = tempfile::tempdir().unwrap();
        let outcome = run(project.path(), out.path(), params, 2).unwrap();
        let mut counts: BTreeMap<(String, String, i64), usize> = BTreeMap::new();
        let examples = Examples::open(out.path()).unwrap();
        for split in examples.splits() {
            for batch in examples.batches(&split.name, None).unwrap() {
                let batch = batch.unwrap();
                let (groups, bought) =
                    (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
                for row in 0..batch.num_rows() {
                    let kind = (split.name.clone(), groups.value(row).to_owned(), bought.value(row));
                    *counts.entry(kind).or_default() += 1;
                }
            }
        }
        (counts, outcome.warnings)
    };
    let params = json!({ "source": { "csv": "t.csv" }, "split_except": ["bought"] });
    let (whole, warnings) = counts(&text(&|i| i), &params);
    assert_eq!(whole.len(), 12, "every kind is in both splits: {whole:?}");
    // A third of 100 with a standard deviation of 4.7.
    assert!(whole.iter().all(|(kind, rows)| kind.0 == "train" || (15..=52).contains(rows)), "{whole:?}");
    assert_eq!(
        warnings,
        [
            "600 rows of 600 rows are equal to a row of another split; `split_by` keeps rows together that belong together"
        ]
    );
    // Shuffled (7 has no divisor in common with 600): the same rows in the same splits.
    assert_eq!(counts(&text(&|i| i * 7 % 600), &params).0, whole);
    // The label decides nothing: other labels, the same split of the groups.
    let by_group = |counts: &BTreeMap<(String, String, i64), usize>| {
        let mut groups: BTreeMap<(String, String), usize> = BTreeMap::new();
        counts
            .iter()
            .for_each(|((split, group, _), rows)| *groups.entry((split.clone(), group.clone())).or_default() += rows);
        groups
    };
    let swapped = text(&|i| i).replace(",0\n", ",2\n");
    assert_eq!(by_group(&counts(&swapped, &params).0), by_group(&whole));

    // A key of few values cannot keep to the shares, and this is said.
    let keyed = json!({ "source": { "csv": "t.csv" }, "split_by": ["bought"], "splits": { "train": 9, "eval": 1 } });
    let out = tempfile::tempdir().unwrap();
    let found = run(project.path(), out.path(), &keyed, 1);
    let said = found.map_or_else(|error| error.message, |outcome| outcome.warnings.join("\n"));
    assert!(said.contains("`split_by` has too few values") || said.contains("has no rows"), "{said}");
}

#[test]
fn the_schema_beside_the_pipeline_decides_types() {
    let project = tempfile::tempdir().unwrap();
    let rows: String = (0..60).map(|i| format!("{},{}\n", 1_000 + i, i)).collect();
    std::fs::write(project.path().join("t.csv"), format!("ticket,n\n{rows}")).unwrap();
    let params = json!({ "source": { "csv": "t.csv" } });
    let types = |params: &Value| {
        let out = tempfile::tempdir().unwrap();
        run(project.path(), out.path(), params, 1).unwrap();
        let schema = Examples::open(out.path()).unwrap().schema();
        schema.fields().iter().map(|field| field.data_type().to_string()).collect::<Vec<_>>()
    };
    let inputs = || ExampleGen::default().external_inputs(&params, project.path()).unwrap().len();
    assert_eq!((types(&params), inputs()), (vec!["Int64".to_owned(); 2], 1));
    // Inferred and not edited: nothing new. Edited: the step runs again, and reads the column as text.
    let schema = |of: &str| format!("version: 1\nfeatures:\n  ticket: {{ type: {of} }}\n");
    let mark = inferred_types_mark([("ticket", FeatureType::Int)].into_iter());
    std::fs::write(project.path().join("schema.yaml"), format!("{}{mark}\n", schema("int"))).unwrap();
    assert_eq!((types(&params)[0].as_str(), inputs()), ("Int64", 1));
    std::fs::write(project.path().join("schema.yaml"), format!("{}{mark}\n", schema("string"))).unwrap();
    assert_eq!((types(&params)[0].as_str(), inputs()), ("Utf8", 2));
    let given = json!({ "source": { "csv": { "path": "t.csv", "types": { "ticket": "float", "n": "string" } } } });
    assert_eq!(types(&given), ["Float64", "Utf8"]);
    let unknown = json!({ "source": { "csv": { "path": "t.csv", "types": { "tickets": "float" } } } });
    assert_eq!(fails(project.path(), &unknown).code, Code::ColumnNotFound);
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
    assert_eq!(ExampleGen::default().external_inputs(&params, project.path()).unwrap_err().code, Code::SourceNotFound);
    std::fs::write(project.path().join("trips.csv"), "a,b\n").unwrap();
    assert_eq!(fails(project.path(), &params).code, Code::SourceEmpty);
    std::fs::write(project.path().join("trips.csv"), "a,b\n1\n").unwrap();
    assert_eq!(fails(project.path(), &params).code, Code::RaggedRow);
    assert_eq!(fails(project.path(), &json!({ "source": { "parquet": "trips.csv" } })).code, Code::SourceMalformed);
    assert!(!ExampleGen::default().check(&json!({ "source": { "csv": "a" }, "split": {} })).is_empty());
}

#[test]
fn digests_follow_content() {
    let project = project(100);
    std::fs::create_dir(project.path().join("many")).unwrap();
    std::fs::copy(project.path().join("trips.csv"), project.path().join("many/copy.csv")).unwrap();
    let inputs = |source: &str| {
        ExampleGen::default().external_inputs(&json!({ "source": { "csv": source } }), project.path()).unwrap()
    };
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
    let result = ExampleGen::default().run(&StepContext {
        params: &json!({ "source": { "csv": "trips.csv" } }),
        project_dir: project.path(),
        inputs: &BTreeMap::new(),
        outputs: &BTreeMap::from([("examples".to_owned(), out.path().to_owned())]),
        progress: &NoProgress,
        cancel: &cancel,
        threads: 1,
        run: &RunInfo { pipeline: String::new(), run_id: String::new(), step: String::new() },
        work: None,
    });
    assert_eq!(result.unwrap_err().code, Code::Canceled);
}

/// A file of `rows` rows, all with the number `span`.
fn span_file(project: &Path, name: &str, span: i64, rows: i64) {
    let path = project.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lines: Vec<String> = (0..rows).map(|id| format!("{span},{id}")).collect();
    std::fs::write(path, format!("span,id\n{}\n", lines.join("\n"))).unwrap();
}

/// Runs and gives the outcome and the spans in the data with their rows.
fn spans(project: &Path, params: &Value) -> Result<(Outcome, Examples, BTreeMap<i64, u64>), ComponentError> {
    let out = tempfile::tempdir().unwrap();
    let outcome = run(project, out.path(), params, 1)?;
    let examples = Examples::open(out.path()).unwrap();
    let mut found = BTreeMap::new();
    for split in examples.splits() {
        for batch in examples.batches(&split.name, Some(&["span"])).unwrap() {
            for span in batch.unwrap().column(0).as_primitive::<arrow::datatypes::Int64Type>().values() {
                *found.entry(*span).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(found.values().sum::<u64>(), examples.manifest().rows);
    Ok((outcome, examples, found))
}

#[test]
fn the_newest_span_is_read_by_number() {
    let project = tempfile::tempdir().unwrap();
    for span in [2, 9, 10] {
        span_file(project.path(), &format!("data/span-{span}/t.csv"), span, 30);
    }
    std::fs::create_dir_all(project.path().join("data/span-11")).unwrap();
    let source = json!({ "csv": "data/span-{SPAN}/*.csv" });
    let (outcome, examples, found) = spans(project.path(), &json!({ "source": source })).unwrap();
    assert_eq!(found, BTreeMap::from([(10, 30)]), "10 is newer than 9, and 11 has no files yet");
    assert_eq!(outcome.properties["examples"]["span"], json!(10));
    assert_eq!(outcome.headline, "30 rows in 2 splits, span 10");
    assert_eq!(examples.manifest().spans[0].span, 10);
    assert_eq!(examples.manifest().sources[0].name, "data/span-10/t.csv");

    let named = |params: &Value| {
        let inputs = ExampleGen::default().external_inputs(params, project.path()).unwrap();
        inputs.into_iter().map(|input| input.name).collect::<Vec<_>>()
    };
    assert_eq!(named(&json!({ "source": source })), ["data/span-10/t.csv"]);
    let latest = json!({ "source": source, "range": { "latest": 2 } });
    assert_eq!(named(&latest), ["data/span-9/t.csv", "data/span-10/t.csv"]);
    span_file(project.path(), "data/span-11/t.csv", 11, 30);
    assert_eq!(named(&json!({ "source": source })), ["data/span-11/t.csv"], "a new span is new input");
    assert_eq!(named(&json!({ "source": source, "span": 2 })), ["data/span-2/t.csv"]);
}

#[test]
fn spans_are_picked_one_by_one_and_by_range() {
    let project = tempfile::tempdir().unwrap();
    for span in [1, 2, 4, 5] {
        span_file(project.path(), &format!("t-{span:03}.csv"), span, 20);
    }
    let with = |key: &str, value: Value| {
        let mut params = json!({ "source": { "csv": "t-{SPAN:3}.csv" } });
        params[key] = value;
        params
    };
    let (_, _, found) = spans(project.path(), &with("span", json!(2))).unwrap();
    assert_eq!(found, BTreeMap::from([(2, 20)]));
    let (outcome, examples, found) = spans(project.path(), &with("range", json!({ "latest": 3 }))).unwrap();
    assert_eq!(found, BTreeMap::from([(2, 20), (4, 20), (5, 20)]));
    assert_eq!(outcome.properties["examples"]["spans"], json!([2, 4, 5]));
    assert_eq!(outcome.properties["examples"]["span"], json!(5));
    assert_eq!(examples.manifest().spans.len(), 3);
    assert!(outcome.warnings.is_empty());
    let (outcome, _, found) = spans(project.path(), &with("range", json!({ "start": 2, "end": 4 }))).unwrap();
    assert_eq!(found, BTreeMap::from([(2, 20), (4, 20)]));
    assert_eq!(outcome.warnings, ["1 of the 3 spans asked for are not there, the first is 3"]);
    let (outcome, ..) = spans(project.path(), &with("range", json!({ "latest": 9 }))).unwrap();
    assert_eq!(outcome.warnings, ["only 4 of the 9 newest spans asked for are there"]);

    let error = fails(project.path(), &with("span", json!(3)));
    assert_eq!(error.code, Code::SourceNotFound);
    assert!(error.message.ends_with("has no span 3; its newest are `5`, `4`, `2`, `1`"), "{}", error.message);
    let error = fails(project.path(), &json!({ "source": { "csv": "u-{SPAN}.csv" } }));
    assert_eq!(error.code, Code::SourceNotFound);
    std::fs::copy(project.path().join("t-005.csv"), project.path().join("t-5.csv")).unwrap();
    let error = fails(project.path(), &json!({ "source": { "csv": "t-{SPAN}.csv" } }));
    assert!(error.message.contains("span 5 is there twice, as `005` and as `5`"), "{}", error.message);
}

#[test]
fn versions_and_dates_are_told_from_paths() {
    let project = tempfile::tempdir().unwrap();
    for (span, version) in [(1, 9), (2, 1), (2, 3)] {
        span_file(project.path(), &format!("span-{span}/ver-{version}/t.csv"), version, 30);
    }
    let source = json!({ "source": { "csv": "span-{SPAN}/ver-{VERSION}/t.csv" } });
    let (outcome, examples, found) = spans(project.path(), &source).unwrap();
    assert_eq!(found, BTreeMap::from([(3, 30)]));
    assert_eq!(outcome.properties["examples"]["version"], json!(3));
    assert_eq!((examples.manifest().spans[0].span, examples.manifest().spans[0].version), (2, Some(3)));

    span_file(project.path(), "days/2024/02/28.csv", 28, 30);
    span_file(project.path(), "days/2024/02/29.csv", 29, 30);
    let days = json!({ "csv": "days/{YYYY}/{MM}/{DD}.csv" });
    let (outcome, examples, found) = spans(project.path(), &json!({ "source": days })).unwrap();
    assert_eq!(found, BTreeMap::from([(29, 30)]));
    assert_eq!(outcome.properties["examples"]["span"], json!(19_782));
    assert_eq!(examples.manifest().spans[0].date.as_deref(), Some("2024-02-29"));
    let (.., found) = spans(project.path(), &json!({ "source": days, "span": "2024-02-28" })).unwrap();
    assert_eq!(found, BTreeMap::from([(28, 30)]));
    span_file(project.path(), "days/2023/02/29.csv", 29, 30);
    let error = fails(project.path(), &json!({ "source": days }));
    assert!(error.message.contains("2023-02-29 is not a date that exists"), "{}", error.message);
}

#[test]
fn splits_made_before_are_kept() {
    let project = tempfile::tempdir().unwrap();
    span_file(project.path(), "train/span-1/a.csv", 1, 30);
    span_file(project.path(), "train/span-2/a.csv", 2, 20);
    span_file(project.path(), "train/span-2/b.csv", 2, 10);
    span_file(project.path(), "eval/span-2/a.csv", 2, 7);
    let made = |train: &str, eval: &str| json!({ "source": { "csv": { "splits": { "train": train, "eval": eval } } } });
    let rows = |params: &Value| {
        let (_, examples, _) = spans(project.path(), params).unwrap();
        examples.splits().iter().map(|split| (split.name.clone(), split.rows)).collect::<Vec<_>>()
    };
    let expected = |train, eval| vec![("train".to_owned(), train), ("eval".to_owned(), eval)];
    assert_eq!(rows(&made("train/*/*.csv", "eval/*/*.csv")), expected(60, 7));
    assert_eq!(rows(&made("train/span-{SPAN}/*.csv", "eval/span-{SPAN}/*.csv")), expected(30, 7));
    let message = |params: &Value| fails(project.path(), params).message;
    span_file(project.path(), "eval/span-3/a.csv", 3, 7);
    assert_eq!(
        message(&made("train/span-{SPAN}/*.csv", "eval/span-{SPAN}/*.csv")),
        "split `train` comes to span 2, but split `eval` to span 3"
    );
    assert!(
        message(&made("train/*/a.csv", "*/span-1/a.csv")).contains("belongs to both split `train` and split `eval`")
    );
    std::fs::write(project.path().join("none.csv"), "span,id\n").unwrap();
    assert!(message(&made("train/*/*.csv", "none.csv")).contains("none.csv` has a header but no rows"));
    std::fs::write(project.path().join("text.csv"), "span,id\n1,x\n").unwrap();
    let (_, examples, _) = spans(project.path(), &made("train/*/*.csv", "text.csv")).unwrap();
    assert_eq!(examples.schema().field(1).data_type(), &arrow::datatypes::DataType::Utf8, "types hold for all splits");
}
