//! Prometheus metrics of one server.
//!
//! Each server has its own registry, so several can run in one process. There is one place that records REST requests
//! and one for gRPC. The metrics have TF Serving's names, so that dashboards made for it work, and our own:
//!
//! | metric | labels |
//! |---|---|
//! | `:tensorflow:serving:request_count` | `model_name`, `status` (gRPC word) |
//! | `:tensorflow:serving:request_latency` (µs) | `model_name`, `API`, `entrypoint` (`REST`, `GRPC`) |
//! | `tidemill_requests_total` | `model`, `operation` (`predict`, over gRPC `grpc_predict`), `status` (`2xx`) |
//! | `tidemill_request_duration_seconds` | `model`, `operation`, `status` |
//! | `tidemill_model_loads_total` | `model`, `outcome` |
//! | `tidemill_model_load_duration_seconds` | `model` |
//! | `tidemill_source_errors_total` | |
//! | `tidemill_connections_refused_total` | |
//! | `:tensorflow:serving:runtime_latency` (µs) | `model_name`, `API`, `runtime` |
//! | `:tensorflow:serving:request_example_counts`, `…:request_example_count_total` (classify and regress) | `model` |
//! | `:tensorflow:serving:request_log_count` | `model_name`, `status_code` |
//! | `:tensorflow:serving:model_warmup_latency` (µs), `…:model_warmup_records_read` | `model_path` (of all versions), `status` |
//! | `:tensorflow:cc:saved_model:load_latency` (µs), `…:load_attempt_count` | `model_path` (of all versions), `status` |
//! | `:tensorflow:serving:mlmd_map` | `model_name`, `version`, `mlmd_uuid` |
//! | `tidemill_model_version_requests_total`, `tidemill_model_version_rows_total` | `model`, `version` (while it is loaded) |
//! | `:tensorflow:serving:batching_session:processed_batch_size`, `…:input_batch_size`, `…:padding_size`, `…:wrapped_run_count`, `…:queuing_latency` (µs) | `model_name` |
//! | `tidemill_batch_rows`, `tidemill_batch_queue_duration_seconds` | `model` |
//! | `tidemill_batch_requests_dropped_total` | `model`, `reason` (`gone`, `late`, `refused`) |
//! | `process_cpu_seconds_total`, `process_resident_memory_bytes` (Linux) | |
//! | `tidemill_input_findings_total` | `model`, `feature`, `rule` |
//! | `tidemill_inference_log_requests_total` | `outcome` (`written`, `dropped`: the queue was full, `failed`: the disk refused) |

mod model;
mod names;
mod process;

pub(crate) use model::{BatchMetrics, ModelMetrics};

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};

use self::names::{
    BATCH_DROPPED, BATCH_QUEUE, BATCH_ROWS, CONNECTIONS_REFUSED, DURATION, INFERENCE_LOG, INPUT_FINDINGS,
    LOAD_DURATION, LOADS, REQUESTS, SOURCE_ERRORS, TFS_BATCH_INPUT, TFS_BATCH_PADDING, TFS_BATCH_QUEUE, TFS_BATCH_ROWS,
    TFS_BATCH_RUNS, TFS_COUNT, TFS_EXAMPLES, TFS_EXAMPLES_TOTAL, TFS_LATENCY, TFS_LOAD_LATENCY, TFS_LOADS, TFS_LOGGED,
    TFS_RUNTIME, TFS_WARMUP, TFS_WARMUP_RECORDS,
};
use crate::ServeError;
use crate::observability::inference_log::LogCounters;
use crate::protocol::operation::Operation;
use crate::protocol::status::{Status, grpc_word};

/// The metrics of one server.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// Handles of the series already seen, by model: finding one costs a lookup and no allocation.
    series: RwLock<HashMap<String, SeriesOfModel>>,
}

type SeriesOfModel = HashMap<(Operation, Status), Series>;

#[derive(Clone)]
struct Series {
    requests: Counter,
    duration: Histogram,
    tfs: Option<(Counter, Histogram)>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, ServeError> {
        let recorder = names::recorder()?;
        let handle = recorder.handle();
        // A series that exists from the start with 0 differs from a metric that nothing counts.
        recorder.register_counter(&Key::from_static_name(SOURCE_ERRORS), &METADATA).increment(0);
        Ok(Self { recorder, handle, series: RwLock::default() })
    }

    /// Records a response. `model` is a name that the server knows, or empty: names sent by clients must not create
    /// series.
    pub(crate) fn record_response(&self, model: &str, operation: Operation, status: Status, took: Duration) {
        let key = (operation, status);
        let known = {
            let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
            series.get(model).and_then(|of_model| of_model.get(&key)).cloned()
        };
        let series = known.unwrap_or_else(|| {
            let made = self.make_series(model, operation, status);
            let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
            series.entry(model.to_owned()).or_default().entry(key).or_insert(made).clone()
        });
        series.requests.increment(1);
        series.duration.record(took.as_secs_f64());
        if let Some((count, latency)) = series.tfs {
            count.increment(1);
            latency.record(took.as_secs_f64() * 1e6);
        }
    }

    /// Records the load of a model version in `folder`, successful or not.
    pub(crate) fn loaded(&self, model: &str, folder: &Path, ok: bool, took: Duration) {
        let outcome = if ok { "ok" } else { "failed" };
        self.counter(LOADS, vec![label("model", model), label("outcome", outcome)]).increment(1);
        self.histogram(LOAD_DURATION, vec![label("model", model)]).record(took.as_secs_f64());
        let status = label("status", if ok { "success" } else { "fail" });
        self.counter(TFS_LOADS, vec![base_path(folder), status]).increment(1);
        if ok {
            self.counter(TFS_LOAD_LATENCY, vec![base_path(folder)]).increment(took.as_micros() as u64);
        }
    }

    /// Records the warm-up of a model version in `folder`, successful or not.
    pub(crate) fn record_warmup(&self, folder: &Path, records: usize, ok: bool, took: Duration) {
        let status = label("status", if ok { "OK" } else { "INVALID_ARGUMENT" });
        self.histogram(TFS_WARMUP, vec![base_path(folder), status]).record(took.as_secs_f64() * 1e6);
        self.counter(TFS_WARMUP_RECORDS, vec![base_path(folder)]).increment(records as u64);
    }

    /// The series of a model that batches.
    pub(crate) fn batches(&self, model: &str) -> BatchMetrics {
        let of = || vec![label("model", model)];
        let of_tfs = || vec![label("model_name", model)];
        let dropped = |reason: &str| self.counter(BATCH_DROPPED, vec![label("model", model), label("reason", reason)]);
        BatchMetrics {
            rows: [self.histogram(BATCH_ROWS, of()), self.histogram(TFS_BATCH_ROWS, of_tfs())],
            queue: self.histogram(BATCH_QUEUE, of()),
            tfs_queue: self.histogram(TFS_BATCH_QUEUE, of_tfs()),
            runs: self.counter(TFS_BATCH_RUNS, of_tfs()),
            input: self.histogram(TFS_BATCH_INPUT, of_tfs()),
            padding: self.histogram(TFS_BATCH_PADDING, of_tfs()),
            gone: dropped("gone"),
            late: dropped("late"),
            refused: dropped("refused"),
        }
    }

    /// The series of a model that need no lookup per request.
    pub(crate) fn of_model(&self, model: &str) -> ModelMetrics {
        let runtime = |api: &str| {
            let labels = vec![label("model_name", model), label("API", api), label("runtime", "tidemill")];
            self.histogram(TFS_RUNTIME, labels)
        };
        ModelMetrics {
            runtime: [runtime("predict"), runtime("classify"), runtime("regress")],
            examples: self.histogram(TFS_EXAMPLES, vec![label("model", model)]),
            examples_total: self.counter(TFS_EXAMPLES_TOTAL, vec![label("model", model)]),
        }
    }

    /// Records a connection that was closed because there were too many.
    pub(crate) fn connection_refused(&self) {
        self.counter(CONNECTIONS_REFUSED, Vec::new()).increment(1);
    }

    /// Records that the source of models failed.
    pub(crate) fn source_failed(&self) {
        self.counter(SOURCE_ERRORS, Vec::new()).increment(1);
    }

    /// Records `count` values of an input in one request that broke a rule of the schema.
    pub(crate) fn input_findings(&self, model: &str, feature: &str, rule: &str, count: u64) {
        let labels = vec![label("model", model), label("feature", feature), label("rule", rule)];
        self.counter(INPUT_FINDINGS, labels).increment(count);
    }

    /// Counters of the inference log.
    pub(crate) fn inference_log(&self) -> LogCounters {
        let counter = |outcome: &str| self.counter(INFERENCE_LOG, vec![label("outcome", outcome)]);
        LogCounters { written: counter("written"), dropped: counter("dropped"), failed: counter("failed") }
    }

    /// Records requests for `model` that were selected for the log, with the outcome as a gRPC status.
    pub(crate) fn logged(&self, model: &str, status: &'static str, requests: u64) {
        self.counter(TFS_LOGGED, vec![label("model_name", model), label("status_code", status)]).increment(requests);
    }

    /// Prometheus text: everything recorded, and CPU time and memory of the process.
    pub(crate) fn render(&self) -> String {
        let mut text = self.handle.render();
        text.push_str(&process::render());
        text
    }

    /// Folds the samples since the last call into the buckets; otherwise memory would grow until the next scrape.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    fn make_series(&self, model: &str, operation: Operation, status: Status) -> Series {
        let class = format!("{}xx", status.http().as_u16() / 100);
        let (entrypoint, operation_name) = match status {
            Status::Rest(_) => ("REST", operation.name().to_owned()),
            Status::Grpc(_) => ("GRPC", format!("grpc_{}", operation.name())),
        };
        let labels = || vec![label("model", model), label("operation", &operation_name), label("status", &class)];
        let tfs = operation.tfs_api().map(|api| {
            let count = vec![label("model_name", model), label("status", grpc_word(status.grpc()))];
            let latency = vec![label("model_name", model), label("API", api), label("entrypoint", entrypoint)];
            (self.counter(TFS_COUNT, count), self.histogram(TFS_LATENCY, latency))
        });
        Series { requests: self.counter(REQUESTS, labels()), duration: self.histogram(DURATION, labels()), tfs }
    }

    fn counter(&self, name: &'static str, labels: Vec<Label>) -> Counter {
        self.recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str, labels: Vec<Label>) -> Histogram {
        self.recorder.register_histogram(&Key::from_parts(name, labels), &METADATA)
    }
}

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The base folder of the versions, under TF Serving's label. The folder of each version would create a series per
/// version.
fn base_path(version: &Path) -> Label {
    label("model_path", &version.parent().unwrap_or(version).to_string_lossy())
}

fn label(name: &'static str, value: &str) -> Label {
    Label::new(name, value.to_owned())
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use tonic::Code;

    use super::*;

    #[test]
    fn names_of_tf_serving_keep_their_colons() {
        let metrics = Metrics::new().unwrap();
        metrics.record_response("taxi", Operation::Predict, Status::Rest(StatusCode::OK), Duration::from_micros(17));
        metrics.record_response("taxi", Operation::Predict, Status::Rest(StatusCode::OK), Duration::from_micros(19));
        metrics.record_response("", Operation::Live, Status::Rest(StatusCode::OK), Duration::ZERO);
        metrics.record_response("taxi", Operation::Predict, Status::Grpc(Code::OutOfRange), Duration::ZERO);
        metrics.upkeep();
        let text = metrics.render();
        for line in [
            r#":tensorflow:serving:request_count{model_name="taxi",status="OK"} 2"#,
            r#":tensorflow:serving:request_latency_bucket{model_name="taxi",API="predict",entrypoint="REST",le="18"} 1"#,
            r#":tensorflow:serving:request_latency_count{model_name="taxi",API="predict",entrypoint="REST"} 2"#,
            r#":tensorflow:serving:request_count{model_name="taxi",status="OUT_OF_RANGE"} 1"#,
            r#":tensorflow:serving:request_latency_count{model_name="taxi",API="predict",entrypoint="GRPC"} 1"#,
            r#"tidemill_requests_total{model="taxi",operation="predict",status="2xx"} 2"#,
            r#"tidemill_requests_total{model="taxi",operation="grpc_predict",status="4xx"} 1"#,
            r#"tidemill_request_duration_seconds_bucket{model="taxi",operation="predict",status="2xx",le="0.00005"} 2"#,
            r#"tidemill_requests_total{model="",operation="live",status="2xx"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
