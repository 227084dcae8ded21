use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use serde_json::{Value, json};

use super::*;
use writer::Writer;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn entry(model: &str, x: &[Option<f64>]) -> Entry {
    let rows = x.len();
    let text = StringArray::from(vec![Some("a\"\n"); rows]);
    let inputs = batch(vec![
        ("x", Arc::new(Float64Array::from(x.to_vec()))),
        ("n", Arc::new(Int64Array::from(vec![7; rows]))),
        ("s", Arc::new(text)),
        ("_time", Arc::new(BooleanArray::from(vec![true; rows]))),
    ]);
    Entry {
        model: model.to_owned(),
        version: 3,
        request_id: "r1".to_owned(),
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
        latency: Duration::from_micros(42),
        inputs,
        outputs: batch(vec![("probability", Arc::new(Float64Array::from(vec![0.5; rows])))]),
        bytes: 0,
    }
}

/// What a writer makes of entries.
fn written(options: InferenceLogOptions, entries: Vec<Entry>) -> LogCounters {
    let metrics = Metrics::new().unwrap();
    let counters = metrics.inference_log();
    let (sender, receiver) = sync_channel(entries.len() + 1);
    for entry in entries {
        sender.send(Message::Entry(Box::new(entry))).unwrap();
    }
    drop(sender);
    Writer::new(options, Arc::default(), counters.clone()).run(&receiver);
    let text = metrics.render();
    assert!(text.contains(r#"tidemill_inference_log_requests_total{outcome="failed"} 0"#), "{text}");
    counters
}

fn files(dir: &Path, model: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(dir.join(model)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn json_lines_hold_inputs_outputs_and_what_the_log_adds() {
    let dir = tempfile::tempdir().unwrap();
    written(
        InferenceLogOptions::new(dir.path()),
        vec![entry("m", &[Some(1.5), None]), entry("m", &[Some(f64::INFINITY)])],
    );
    let paths = files(dir.path(), "m");
    assert_eq!(paths.len(), 1);
    let text = std::fs::read_to_string(&paths[0]).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = |x: Value, row: u64| {
        json!({"x": x, "n": 7, "s": "a\"\n", "_time": true, "_probability": 0.5, "_row": row,
            "__time": "1970-01-01T00:00:01.500000Z", "_model": "m", "_version": 3, "_request_id": "r1", "_latency_us": 42})
    };
    assert_eq!(rows, [expected(json!(1.5), 0), expected(Value::Null, 1), expected(Value::Null, 0)]);
}

#[test]
fn parquet_holds_the_same_in_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let options = InferenceLogOptions {
        format: LogFormat::Parquet,
        exclude: vec!["s".to_owned(), "_request_id".to_owned(), "_model".to_owned()],
        ..InferenceLogOptions::new(dir.path())
    };
    let entries = (0..3000).map(|number| entry("m", &[Some(f64::from(number)), None])).collect();
    written(options, entries);
    let paths = files(dir.path(), "m");
    assert_eq!(paths.len(), 1);
    let file = std::fs::File::open(&paths[0]).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let names: Vec<&str> = batches[0].schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["x", "n", "_time", "_probability", "__time", "_version", "_row", "_latency_us"]);
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 6000);
    let first = &batches[0];
    assert_eq!(first["x"].as_primitive::<Float64Type>().value(4), 2.0);
    assert_eq!(first["_row"].as_primitive::<Int64Type>().values()[..4], [0, 1, 0, 1]);
    assert_eq!(first["__time"].as_string::<i32>().value(0), "1970-01-01T00:00:01.500000Z");
}

#[test]
fn files_are_closed_by_size_and_by_columns_and_each_model_has_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let options = InferenceLogOptions { file_bytes_max: 400, ..InferenceLogOptions::new(dir.path()) };
    let mut other = entry("a", &[Some(1.0)]);
    other.inputs = batch(vec![("y", Arc::new(Int64Array::from(vec![1])))]);
    let mut entries: Vec<Entry> = (0..9).map(|_| entry("a", &[Some(1.0)])).collect();
    entries.extend([other, entry("b/c", &[Some(1.0)])]);
    written(options, entries);
    let lines: Vec<usize> =
        files(dir.path(), "a").iter().map(|path| std::fs::read_to_string(path).unwrap().lines().count()).collect();
    assert_eq!(lines, [3, 3, 3, 1]);
    assert_eq!(files(dir.path(), "b%2Fc").len(), 1);
    assert!(files(dir.path(), "a").iter().all(|path| path.extension().is_some_and(|kind| kind == "jsonl")));
}

#[test]
fn everything_may_be_excluded() {
    let dir = tempfile::tempdir().unwrap();
    let all =
        ["x", "n", "s", "_time", "_probability", "__time", "_model", "_version", "_request_id", "_row", "_latency_us"];
    let exclude = all.map(str::to_owned).to_vec();
    written(InferenceLogOptions { exclude, ..InferenceLogOptions::new(dir.path()) }, vec![entry("m", &[None])]);
    assert_eq!(std::fs::read_to_string(&files(dir.path(), "m")[0]).unwrap(), "{}\n");
}

fn trail() -> Trail {
    Trail { started: std::time::Instant::now(), id: None, trace: None, flags: None }
}

#[tokio::test]
async fn a_share_of_requests_is_chosen_and_none_where_the_share_is_0() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = Metrics::new().unwrap();
    for (sample, expected) in [(0.1, 900..1100), (0.0, 0..1), (1.0, 10_000..10_001)] {
        let options = InferenceLogOptions { sample, ..InferenceLogOptions::new(dir.path()) };
        let log = InferenceLog::start(options, &metrics).unwrap();
        let chosen = (0..10_000).filter(|_| log.ticket(&trail(), 100).is_some()).count();
        assert!(expected.contains(&chosen), "{sample}: {chosen}");
        log.finish().await;
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_at_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = InferenceLog::start(InferenceLogOptions::new(file.path()), &Metrics::new().unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("the inference log cannot be written to"), "{error}");
}
