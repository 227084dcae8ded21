//! Prometheus metrics of one server.
//!
//! Each server has a registry of its own, so several can run in one process. Requests are recorded in one place for
//! each of REST and gRPC. Names are TF Serving's, so that dashboards made for it work, and ours beside them:
//!
//! | metric | labels |
//! |---|---|
//! | `:tensorflow:serving:request_count` | `model_name`, `status` (gRPC word) |
//! | `:tensorflow:serving:request_latency` (µs) | `model_name`, `API`, `entrypoint` (`REST`, `GRPC`) |
//! | `tidemill_requests_total` | `model`, `endpoint` (`predict`, over gRPC `grpc_predict`), `status` (`2xx`) |
//! | `tidemill_request_duration_seconds` | `model`, `endpoint`, `status` |
//! | `tidemill_model_loads_total` | `model`, `outcome` |
//! | `tidemill_model_load_duration_seconds` | `model` |
//! | `tidemill_source_errors_total` | |
//! | `:tensorflow:serving:batching_session:processed_batch_size`, `…:queuing_latency` (µs) | `model_name` |
//! | `tidemill_batch_rows`, `tidemill_batch_queue_duration_seconds` | `model` |
//! | `tidemill_batch_requests_dropped_total` | `model`, `reason` (`gone`, `late`, `refused`) |
//! | `process_cpu_seconds_total`, `process_resident_memory_bytes` (Linux) | |
//! | `tidemill_input_findings_total` | `model`, `feature`, `rule` |
//! | `tidemill_inference_log_requests_total` | `outcome` (`written`, `dropped`: the queue was full, `failed`: the disk refused) |

mod process;

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::ServeError;
use crate::inference_log::LogCounters;
use crate::route::Endpoint;
use crate::status::{Status, grpc_word};

const TFS_COUNT: &str = ":tensorflow:serving:request_count";
const TFS_LATENCY: &str = ":tensorflow:serving:request_latency";
const REQUESTS: &str = "tidemill_requests_total";
const DURATION: &str = "tidemill_request_duration_seconds";
const LOADS: &str = "tidemill_model_loads_total";
const LOAD_DURATION: &str = "tidemill_model_load_duration_seconds";
const SOURCE_ERRORS: &str = "tidemill_source_errors_total";
const BATCH_ROWS: &str = "tidemill_batch_rows";
const BATCH_QUEUE: &str = "tidemill_batch_queue_duration_seconds";
const BATCH_DROPPED: &str = "tidemill_batch_requests_dropped_total";
const TFS_BATCH_ROWS: &str = ":tensorflow:serving:batching_session:processed_batch_size";
const TFS_BATCH_QUEUE: &str = ":tensorflow:serving:batching_session:queuing_latency";
const INPUT_FINDINGS: &str = "tidemill_input_findings_total";
const INFERENCE_LOG: &str = "tidemill_inference_log_requests_total";

/// Upper bounds in seconds, from 50 µs to 10 s.
const DURATION_BUCKETS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Rows of a batch, in powers of two.
const ROWS_BUCKETS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
const LOAD_BUCKETS: [f64; 8] = [0.01, 0.05, 0.25, 1.0, 5.0, 25.0, 100.0, 500.0];

/// The metrics of one server.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// Handles of the series already seen, by model: finding one costs a lookup and no allocation.
    series: RwLock<HashMap<String, SeriesOfModel>>,
}

type SeriesOfModel = HashMap<(Endpoint, Status), Series>;

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
        // TF Serving's buckets: 33 of them from 10 µs, each 1.8 times the one before.
        let tfs_buckets: Vec<f64> = (0..33).map(|power| 10.0 * 1.8f64.powi(power)).collect();
        let mut builder = PrometheusBuilder::new();
        for (name, buckets) in [
            (TFS_LATENCY, &tfs_buckets[..]),
            (TFS_BATCH_QUEUE, &tfs_buckets[..]),
            (TFS_BATCH_ROWS, &ROWS_BUCKETS),
            (DURATION, &DURATION_BUCKETS),
            (LOAD_DURATION, &LOAD_BUCKETS),
            (BATCH_ROWS, &ROWS_BUCKETS),
            (BATCH_QUEUE, &DURATION_BUCKETS),
        ] {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
                .map_err(|error| ServeError::Metrics { reason: error.to_string() })?;
        }
        let recorder = builder.build_recorder();
        for (name, help) in [
            (TFS_COUNT, "Requests by model and status."),
            (REQUESTS, "Requests by model, endpoint and status class."),
            (LOADS, "Model versions loaded, by outcome."),
            (SOURCE_ERRORS, "Times the source of models did not answer."),
            (BATCH_DROPPED, "Requests that left a batching queue without an answer of the model, by reason."),
            (INPUT_FINDINGS, "Values of inputs that the schema of the training data does not allow."),
            (INFERENCE_LOG, "Requests for the inference log, by what became of them."),
        ] {
            recorder.describe_counter(KeyName::from(name), None, SharedString::from(help));
        }
        for (name, help) in [
            (TFS_LATENCY, "Request latency in microseconds."),
            (DURATION, "Request latency in seconds."),
            (LOAD_DURATION, "Time to load and check a model version, in seconds."),
            (BATCH_ROWS, "Rows of a batch that ran."),
            (BATCH_QUEUE, "Time requests waited for their batch, in seconds."),
            (TFS_BATCH_ROWS, "Rows of a batch that ran."),
            (TFS_BATCH_QUEUE, "Time requests waited for their batch, in microseconds."),
        ] {
            recorder.describe_histogram(KeyName::from(name), None, SharedString::from(help));
        }
        let handle = recorder.handle();
        // A series that is there from the start can be told from one that nobody counts.
        recorder.register_counter(&Key::from_static_name(SOURCE_ERRORS), &METADATA).increment(0);
        Ok(Self { recorder, handle, series: RwLock::default() })
    }

    /// A request was answered. `model` is a name the server knows, or empty: names sent by clients must not make
    /// series.
    pub(crate) fn answered(&self, model: &str, endpoint: Endpoint, status: Status, took: Duration) {
        let key = (endpoint, status);
        let known = {
            let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
            series.get(model).and_then(|of_model| of_model.get(&key)).cloned()
        };
        let series = known.unwrap_or_else(|| {
            let made = self.make_series(model, endpoint, status);
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

    /// A model version was loaded, or not.
    pub(crate) fn loaded(&self, model: &str, ok: bool, took: Duration) {
        let outcome = if ok { "ok" } else { "failed" };
        self.counter(LOADS, vec![label("model", model), label("outcome", outcome)]).increment(1);
        self.histogram(LOAD_DURATION, vec![label("model", model)]).record(took.as_secs_f64());
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
            gone: dropped("gone"),
            late: dropped("late"),
            refused: dropped("refused"),
        }
    }

    /// The source of models did not answer.
    pub(crate) fn source_failed(&self) {
        self.counter(SOURCE_ERRORS, Vec::new()).increment(1);
    }

    /// Values of an input broke a rule of the schema: `count` of them in one request.
    pub(crate) fn input_findings(&self, model: &str, feature: &str, rule: &str, count: u64) {
        let labels = vec![label("model", model), label("feature", feature), label("rule", rule)];
        self.counter(INPUT_FINDINGS, labels).increment(count);
    }

    /// Counters of the inference log.
    pub(crate) fn inference_log(&self) -> LogCounters {
        let counter = |outcome: &str| self.counter(INFERENCE_LOG, vec![label("outcome", outcome)]);
        LogCounters { written: counter("written"), dropped: counter("dropped"), failed: counter("failed") }
    }

    /// Prometheus text: what was recorded, and the process's own time and memory.
    pub(crate) fn render(&self) -> String {
        let mut text = self.handle.render();
        text.push_str(&process::render());
        text
    }

    /// Folds what was recorded since the last call into the buckets; without it memory would grow until the next
    /// scrape.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    fn make_series(&self, model: &str, endpoint: Endpoint, status: Status) -> Series {
        let class = format!("{}xx", status.http().as_u16() / 100);
        let (entrypoint, endpoint_name) = match status {
            Status::Rest(_) => ("REST", endpoint.name().to_owned()),
            Status::Grpc(_) => ("GRPC", format!("grpc_{}", endpoint.name())),
        };
        let labels = || vec![label("model", model), label("endpoint", &endpoint_name), label("status", &class)];
        let tfs = endpoint.tfs_api().map(|api| {
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

/// The series of a model that batches.
pub(crate) struct BatchMetrics {
    rows: [Histogram; 2],
    queue: Histogram,
    tfs_queue: Histogram,
    /// Requests whose client went away.
    pub(crate) gone: Counter,
    /// Requests whose deadline was over.
    pub(crate) late: Counter,
    /// Requests that found the queue full.
    pub(crate) refused: Counter,
}

impl fmt::Debug for BatchMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchMetrics").finish_non_exhaustive()
    }
}

impl BatchMetrics {
    /// A batch of so many rows is about to run; its requests have waited this long.
    pub(crate) fn ran(&self, rows: usize, waited: impl Iterator<Item = Duration>) {
        for histogram in &self.rows {
            histogram.record(rows as f64);
        }
        for waited in waited {
            self.queue.record(waited.as_secs_f64());
            self.tfs_queue.record(waited.as_secs_f64() * 1e6);
        }
    }
}

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

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
        metrics.answered("taxi", Endpoint::Predict, Status::Rest(StatusCode::OK), Duration::from_micros(17));
        metrics.answered("taxi", Endpoint::Predict, Status::Rest(StatusCode::OK), Duration::from_micros(19));
        metrics.answered("", Endpoint::Live, Status::Rest(StatusCode::OK), Duration::ZERO);
        metrics.answered("taxi", Endpoint::Predict, Status::Grpc(Code::OutOfRange), Duration::ZERO);
        metrics.upkeep();
        let text = metrics.render();
        for line in [
            r#":tensorflow:serving:request_count{model_name="taxi",status="OK"} 2"#,
            r#":tensorflow:serving:request_latency_bucket{model_name="taxi",API="predict",entrypoint="REST",le="18"} 1"#,
            r#":tensorflow:serving:request_latency_count{model_name="taxi",API="predict",entrypoint="REST"} 2"#,
            r#":tensorflow:serving:request_count{model_name="taxi",status="OUT_OF_RANGE"} 1"#,
            r#":tensorflow:serving:request_latency_count{model_name="taxi",API="predict",entrypoint="GRPC"} 1"#,
            r#"tidemill_requests_total{model="taxi",endpoint="predict",status="2xx"} 2"#,
            r#"tidemill_requests_total{model="taxi",endpoint="grpc_predict",status="4xx"} 1"#,
            r#"tidemill_request_duration_seconds_bucket{model="taxi",endpoint="predict",status="2xx",le="0.00005"} 2"#,
            r#"tidemill_requests_total{model="",endpoint="live",status="2xx"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
