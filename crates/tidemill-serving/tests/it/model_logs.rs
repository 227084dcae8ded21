//! `logging_config` of TF Serving's configuration: a share of a model's requests as `PredictionLog`s, which warm up the
//! next version; and the rest of what the configuration of a model says.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::support::{MODEL, Running, agent, options, write_taxi};
use prost::Message as _;
use tidemill_model::Task;
use tidemill_proto::tfrecord;
use tidemill_serving::proto::tensorflow::serving::PredictionLog;
use tidemill_serving::proto::tensorflow::serving::prediction_log::LogType;
use tidemill_serving::{ConfiguredSource, ServerOptions, warmup_file};

const BODY: &str = r#"{"instances":[{"fare":12.5,"seconds":600,"company":"Flash"}]}"#;

fn served(config: &Path, change: impl FnOnce(&mut ServerOptions)) -> Running {
    let mut options = options();
    change(&mut options);
    Running::start(options, Arc::new(ConfiguredSource::of_file(config, Some(Duration::from_millis(1))).unwrap()))
}

fn metrics(server: &Running) -> String {
    agent().get(server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap()
}

/// The value of a series; 0 if it is not there.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(series));
    line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

fn records(folder: &Path, prefix: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap().to_string_lossy().starts_with(prefix));
    files.sort();
    let mut records = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = tfrecord::length(rest).unwrap() as usize;
            records.push(rest[tfrecord::HEAD_BYTES..][..length].to_vec());
            rest = &rest[tfrecord::HEAD_BYTES + length + tfrecord::TAIL_BYTES..];
        }
    }
    records
}

#[test]
fn a_share_of_requests_is_logged_and_warms_up_the_next_version() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("taxi");
    write_taxi(&base.join("1"), Task::Binary, 0.5);
    let config = folder.path().join("models.config");
    let text = |rate: &str, more: &str| {
        let (base, prefix) = (base.display(), folder.path().join("logs/taxi"));
        let log = format!(
            "logging_config {{ log_collector_config {{ filename_prefix: '{}' }} sampling_config {{ sampling_rate: {rate} }} }}",
            prefix.display()
        );
        let text = format!("model_config_list {{ config {{ name: '{MODEL}' base_path: '{base}' {log} {more} }} }}");
        std::fs::write(&config, text).unwrap();
    };
    text("0.1", "");
    let server = served(&config, |_| {});
    let agent = agent();
    for _ in 0..2000 {
        let answer = agent.post(server.url("/v1/models/taxi:predict")).send(BODY).unwrap();
        assert_eq!(answer.status(), 200);
    }
    // Logging changes with the configuration, and no version is loaded for it.
    text("1.0", "logging_configs { log_collector_config { type: 'jsonl' filename_prefix: 'unused' } }");
    std::thread::sleep(Duration::from_millis(2));
    server.poll();
    for _ in 0..10 {
        let body = r#"{"examples":[{"fare":3,"seconds":60},{"fare":4,"seconds":60,"company":"Blue"}]}"#;
        assert_eq!(server.post("/v1/models/taxi:classify", body).0, 200);
    }
    while value(&metrics(&server), r#":tensorflow:serving:request_log_count{model_name="taxi",status_code="OK"}"#)
        < 160.0
    {
        std::thread::yield_now();
    }
    let loads = value(&metrics(&server), r#"tidemill_model_loads_total{model="taxi",outcome="ok"}"#);
    assert_eq!(loads, 1.0);
    drop(server);

    let records = records(&folder.path().join("logs"), "taxi-");
    let of_rows = |rows: i64| {
        let decode = |record: &Vec<u8>| match PredictionLog::decode(&record[..]).unwrap().log_type {
            Some(LogType::PredictLog(log)) => log.request.unwrap(),
            other => panic!("{other:?}"),
        };
        let rows_of = |inputs: &tidemill_serving::proto::tensorflow::serving::PredictRequest| {
            inputs.inputs["fare"].tensor_shape.as_ref().unwrap().dim[0].size
        };
        records.iter().map(decode).filter(|request| rows_of(request) == rows).collect::<Vec<_>>()
    };
    // 0.1 of 2,000, and two rows of each of ten: they lack different things, so each is a record of its own.
    assert!((170..=250).contains(&records.len()), "{} records", records.len());
    let all = of_rows(1);
    assert_eq!(all.len(), records.len());
    assert_eq!(all[0].inputs["company"].string_val, [&b"Flash"[..]]);
    let without = all.iter().filter(|request| !request.inputs.contains_key("company")).count();
    assert_eq!(without, 10);

    let next = base.join("2");
    write_taxi(&next, Task::Binary, 0.5);
    let mut file = Vec::new();
    for record in &records {
        tfrecord::append(&mut file, record);
    }
    std::fs::create_dir_all(warmup_file(&next).parent().unwrap()).unwrap();
    std::fs::write(warmup_file(&next), file).unwrap();
    let server = served(&config, |options| options.warmup_iterations = 2);
    assert_eq!(server.handle.models()[0].latest, Some(2), "{:?}", server.handle.models());
    let path = format!(r#"{{model_path="{}"}}"#, base.display());
    let read = value(&metrics(&server), &format!(":tensorflow:serving:model_warmup_records_read{path}"));
    assert_eq!(read, records.len() as f64);
}

#[test]
fn warm_up_requests_are_not_looked_at_where_they_are_not_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let version = folder.path().join("taxi/1");
    write_taxi(&version, Task::Binary, 0.5);
    std::fs::create_dir_all(warmup_file(&version).parent().unwrap()).unwrap();
    std::fs::write(warmup_file(&version), b"damaged").unwrap();
    let config = folder.path().join("models.config");
    let base = folder.path().join("taxi");
    std::fs::write(
        &config,
        format!("model_config_list {{ config {{ name: 'taxi' base_path: '{}' }} }}", base.display()),
    )
    .unwrap();
    assert_eq!(served(&config, |_| {}).post("/v1/models/taxi:predict", BODY).0, 404);
    let server = served(&config, |options| options.warmup = false);
    assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 200);
}

#[test]
fn a_version_says_itself_how_it_batches() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("taxi");
    write_taxi(&base.join("1"), Task::Binary, 0.5);
    let file = base.join("1/batching_params.pbtxt");
    std::fs::write(&file, "max_batch_size { value: 8 } batch_timeout_micros { value: 10 }").unwrap();
    let config = folder.path().join("models.config");
    std::fs::write(
        &config,
        format!("model_config_list {{ config {{ name: 'taxi' base_path: '{}' }} }}", base.display()),
    )
    .unwrap();
    let series = r#":tensorflow:serving:batching_session:wrapped_run_count{model_name="taxi"}"#;
    let asked = |of_models: bool| {
        let server = served(&config, |options| options.batching_of_models = of_models);
        assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 200);
        value(&metrics(&server), series)
    };
    assert_eq!((asked(false), asked(true)), (0.0, 1.0));
    std::fs::write(&file, "max_batch { }").unwrap();
    let server = served(&config, |options| options.batching_of_models = true);
    let error = server.handle.models()[0].versions[0].error.clone().unwrap();
    assert!(error.contains("batching_params.pbtxt") && error.contains("line 1"), "{error}");
}

#[test]
fn a_model_keeps_its_platform() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("taxi");
    write_taxi(&base.join("1"), Task::Binary, 0.5);
    let config = folder.path().join("models.config");
    let text = |platform: &str, more: &str| {
        let base = base.display();
        let text = format!(
            "model_config_list {{ config {{ name: 'taxi' base_path: '{base}' model_platform: '{platform}' }} {more} }}"
        );
        std::fs::write(&config, text).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    };
    text("tensorflow", "");
    let server = served(&config, |_| {});
    text("other", "");
    server.poll();
    assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 200, "the configuration stays as it was");
    text("", &format!("config {{ name: 'second' base_path: '{}' }}", base.display()));
    server.poll();
    assert_eq!(server.post("/v1/models/second:predict", BODY).0, 200, "none is TensorFlow's, as in TF Serving");
}

#[test]
fn a_version_that_does_not_load_is_not_tried_for_ever_where_that_is_said() {
    let packages = crate::support::Packages::new();
    let broken = packages.broken();
    let series = r#"tidemill_model_loads_total{model="taxi",outcome="failed"}"#;
    // Polls until a version was tried so many times, and a few times more: how often it was tried in the end.
    let tried = |retries: Option<u32>, times: f64| {
        let source = tidemill_serving::StaticSource::new(vec![crate::support::servable(MODEL, 1, &broken, &[])]);
        let mut options = options();
        (options.load_retry_first, options.load_retry_longest) = (Duration::ZERO, Duration::ZERO);
        options.load_retries_max = retries;
        let server = Running::start(options, Arc::new(source));
        while value(&metrics(&server), series) < times {
            server.poll();
        }
        for _ in 0..4 {
            server.poll();
        }
        value(&metrics(&server), series)
    };
    assert_eq!((tried(Some(2), 3.0), tried(Some(0), 1.0)), (3.0, 1.0));
    assert!(tried(None, 6.0) >= 6.0);
}
