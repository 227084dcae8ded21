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
    entry_of(&Arc::new(Sink::for_all_models(&InferenceLogOptions::new(""))), model, x)
}

fn entry_of(sink: &Arc<Sink>, model: &str, x: &[Option<f64>]) -> Entry {
    let rows = x.len();
    let text = StringArray::from(vec![Some("a\"\n"); rows]);
    let inputs = batch(vec![
        ("x", Arc::new(Float64Array::from(x.to_vec()))),
        ("n", Arc::new(Int64Array::from(vec![7; rows]))),
        ("s", Arc::new(text)),
        ("_time", Arc::new(BooleanArray::from(vec![true; rows]))),
    ]);
    Entry {
        sink: Arc::clone(sink),
        groups: Vec::new(),
        model: model.to_owned(),
        version: 3,
        request_id: "r1".to_owned(),
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
        latency: Duration::from_micros(42),
        attributes: None,
        inputs,
        outputs: batch(vec![("probability", Arc::new(Float64Array::from(vec![0.5; rows])))]),
        bytes: 0,
    }
}

/// The output of a writer for entries.
fn written(options: InferenceLogOptions, entries: Vec<Entry>) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let counters = metrics.inference_log();
    let sink = Arc::new(Sink::for_all_models(&options));
    let (sender, receiver) = sync_channel(entries.len() + 1);
    for entry in entries {
        let entry = Entry { sink: Arc::clone(&sink), ..entry };
        sender.send(Message::Entry(Box::new(entry))).unwrap();
    }
    drop(sender);
    Writer::new(Arc::default(), counters, Arc::clone(&metrics)).run(&receiver);
    let text = metrics.render();
    assert!(text.contains(r#"tidemill_inference_log_requests_total{outcome="failed"} 0"#), "{text}");
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

/// A file system of 256 KiB. `None`, with a loud message, if it cannot be mounted.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(dir.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        assert!(std::env::var_os("TIDEMILL_REQUIRE_MOUNTS").is_none(), "a small file system cannot be mounted here");
        eprintln!("SKIPPED: a small file system cannot be mounted here, so a full disk is not tested");
        None
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_what_is_counted_as_written_is_there_and_no_file_is_torn() {
    for format in [LogFormat::JsonLines, LogFormat::PredictionLogs, LogFormat::Parquet] {
        let Some(disk) = SmallDisk::mount() else { return };
        let options = InferenceLogOptions {
            format,
            file_bytes_max: 60_000,
            sample: 1.0,
            ..InferenceLogOptions::new(disk.0.path())
        };
        let metrics = Arc::new(Metrics::new().unwrap());
        let counters = metrics.inference_log();
        let sink = Arc::new(Sink::for_all_models(&options));
        let (sender, receiver) = sync_channel(30_000);
        let sent = 20_000_u32;
        for number in 0..sent {
            let entry = Entry { sink: Arc::clone(&sink), ..entry("m", &[Some(f64::from(number) * 0.7)]) };
            sender.send(Message::Entry(Box::new(entry))).unwrap();
        }
        drop(sender);
        Writer::new(Arc::default(), counters, Arc::clone(&metrics)).run(&receiver);
        let text = metrics.render();
        let counted = |outcome: &str| {
            let name = format!("tidemill_inference_log_requests_total{{outcome=\"{outcome}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse::<usize>().unwrap()
        };
        let (written, failed) = (counted("written"), counted("failed"));
        assert_eq!(written + failed, sent as usize, "{format:?}");
        let mut found = 0;
        for path in files(disk.0.path(), "m") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!name.starts_with('.'), "{name}");
            let bytes = std::fs::read(&path).unwrap();
            found += match format {
                LogFormat::JsonLines => {
                    assert_eq!(bytes.last(), Some(&b'\n'), "{name} is torn");
                    let text = String::from_utf8(bytes).unwrap();
                    text.lines().inspect(|line| drop(serde_json::from_str::<Value>(line).unwrap())).count()
                }
                LogFormat::PredictionLogs => {
                    crate::models::warmup::read_records(&bytes).map(Result::unwrap).collect::<Vec<_>>().len()
                }
                LogFormat::Parquet => {
                    let file = std::fs::File::open(&path).unwrap();
                    parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
                        .unwrap()
                        .build()
                        .unwrap()
                        .map(|batch| batch.unwrap().num_rows())
                        .sum()
                }
            };
        }
        assert_eq!(found, written, "{format:?}");
        if format != LogFormat::Parquet {
            assert!(written > 100 && failed > 100, "{format:?}: {written} written, {failed} failed");
        }
    }
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

fn context() -> RequestContext {
    RequestContext { started: std::time::Instant::now(), id: None, trace: None, flags: None, attributes: None }
}

#[tokio::test]
async fn a_share_of_requests_is_chosen_and_none_where_the_share_is_0() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    for (sample, expected) in [(0.1, 900..1100), (0.0, 0..1), (1.0, 10_000..10_001)] {
        let options = InferenceLogOptions { sample, ..InferenceLogOptions::new(dir.path()) };
        let log = Logs::start(Some(&options), &metrics).unwrap();
        let chosen = (0..10_000).filter(|_| log.permit(&context(), "m", 100).is_some()).count();
        assert!(expected.contains(&chosen), "{sample}: {chosen}");
        log.finish().await;
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_at_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let error = Logs::start(Some(&InferenceLogOptions::new(file.path())), &metrics).unwrap_err();
    assert!(error.to_string().starts_with("the inference log cannot be written to"), "{error}");
}

#[tokio::test]
async fn models_get_and_lose_logs_of_their_own_while_the_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::start(None, &Arc::new(Metrics::new().unwrap())).unwrap();
    assert!(!logs.is_on() && logs.permit(&context(), "m", 1).is_none());
    let log = |name: &str, sample: f64| ModelLog {
        prefix: dir.path().join(name),
        format: LogFormat::PredictionLogs,
        sample,
        exclude: Vec::new(),
    };
    let wanted = |of: Vec<ModelLog>| BTreeMap::from([("m".to_owned(), of)]);
    logs.follow(&wanted(vec![log("a", 1.0), log("b", 0.1)]));
    assert!(logs.permit(&context(), "other", 1).is_none());
    let sinks: usize = (0..10_000).map(|_| logs.permit(&context(), "m", 1).unwrap().sinks.len()).sum();
    assert!((10_900..11_100).contains(&sinks), "{sinks}");
    // An unchanged log continues: its sample goes on where it was.
    let before = logs.permit(&context(), "m", 1).unwrap().sinks.remove(0);
    logs.follow(&wanted(vec![log("a", 1.0)]));
    assert!(Arc::ptr_eq(&before, &logs.permit(&context(), "m", 1).unwrap().sinks[0]));
    logs.follow(&BTreeMap::new());
    assert!(!logs.is_on() && logs.permit(&context(), "m", 1).is_none());
    logs.finish().await;
}

#[test]
fn prediction_logs_are_records_of_what_was_asked_and_answered() {
    use crate::protocol::grpc::proto::tensorflow::serving::PredictionLog;
    use crate::protocol::grpc::proto::tensorflow::serving::prediction_log::LogType;

    let dir = tempfile::tempdir().unwrap();
    let options = InferenceLogOptions {
        format: LogFormat::PredictionLogs,
        sample: 1.0,
        exclude: vec!["n".to_owned()],
        ..InferenceLogOptions::new(dir.path())
    };
    let mut ragged = entry("m", &[Some(1.5), None]);
    ragged.inputs = batch(vec![
        ("x", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
        ("s", Arc::new(StringArray::from(vec![None, Some("b")]))),
    ]);
    written(options, vec![entry("m", &[Some(1.5), Some(2.5)]), ragged]);
    let mut records = Vec::new();
    for path in files(dir.path(), "m") {
        let bytes = std::fs::read(path).unwrap();
        for record in crate::models::warmup::read_records(&bytes) {
            records.push(<PredictionLog as prost::Message>::decode(record.unwrap()).unwrap());
        }
    }
    let logged: Vec<_> = records
        .into_iter()
        .map(|record| match record.log_type {
            Some(LogType::PredictLog(log)) => {
                (record.log_metadata.unwrap(), log.request.unwrap(), log.response.unwrap())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(logged.len(), 3, "rows that lack different things are records of their own");
    let (metadata, request, response) = &logged[0];
    assert_eq!((metadata.timestamp_secs, metadata.sampling_config.unwrap().sampling_rate), (1, 1.0));
    assert_eq!(metadata.model_spec.as_ref().unwrap().name, "m");
    assert_eq!(request.inputs.keys().collect::<Vec<_>>(), ["_time", "s", "x"]);
    assert_eq!(request.inputs["x"].double_val, [1.5, 2.5]);
    assert_eq!(response.outputs["probability"].double_val, [0.5, 0.5]);
    assert_eq!(logged[1].1.inputs.keys().collect::<Vec<_>>(), ["x"]);
    assert_eq!(logged[2].1.inputs.keys().collect::<Vec<_>>(), ["s"]);
    assert_eq!(logged[2].2.outputs["probability"].double_val, [0.5]);
}
