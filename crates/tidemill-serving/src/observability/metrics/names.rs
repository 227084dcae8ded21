//! The names of metrics, their buckets and their descriptions.

use metrics::{KeyName, Recorder as _, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use crate::ServeError;

pub(super) const TFS_COUNT: &str = ":tensorflow:serving:request_count";
pub(super) const TFS_LATENCY: &str = ":tensorflow:serving:request_latency";
pub(super) const REQUESTS: &str = "tidemill_requests_total";
pub(super) const DURATION: &str = "tidemill_request_duration_seconds";
pub(super) const LOADS: &str = "tidemill_model_loads_total";
pub(super) const LOAD_DURATION: &str = "tidemill_model_load_duration_seconds";
pub(super) const CONNECTIONS_REFUSED: &str = "tidemill_connections_refused_total";
pub(super) const SOURCE_ERRORS: &str = "tidemill_source_errors_total";
pub(super) const BATCH_ROWS: &str = "tidemill_batch_rows";
pub(super) const BATCH_QUEUE: &str = "tidemill_batch_queue_duration_seconds";
pub(super) const BATCH_DROPPED: &str = "tidemill_batch_requests_dropped_total";
pub(super) const TFS_BATCH_ROWS: &str = ":tensorflow:serving:batching_session:processed_batch_size";
pub(super) const TFS_BATCH_QUEUE: &str = ":tensorflow:serving:batching_session:queuing_latency";
pub(super) const INPUT_FINDINGS: &str = "tidemill_input_findings_total";
pub(super) const INFERENCE_LOG: &str = "tidemill_inference_log_requests_total";
pub(super) const TFS_RUNTIME: &str = ":tensorflow:serving:runtime_latency";
pub(super) const TFS_EXAMPLES: &str = ":tensorflow:serving:request_example_counts";
pub(super) const TFS_EXAMPLES_TOTAL: &str = ":tensorflow:serving:request_example_count_total";
pub(super) const TFS_LOGGED: &str = ":tensorflow:serving:request_log_count";
pub(super) const TFS_WARMUP: &str = ":tensorflow:serving:model_warmup_latency";
pub(super) const TFS_WARMUP_RECORDS: &str = ":tensorflow:serving:model_warmup_records_read";
pub(super) const TFS_BATCH_RUNS: &str = ":tensorflow:serving:batching_session:wrapped_run_count";
pub(super) const TFS_BATCH_INPUT: &str = ":tensorflow:serving:batching_session:input_batch_size";
pub(super) const TFS_BATCH_PADDING: &str = ":tensorflow:serving:batching_session:padding_size";
pub(super) const TFS_LOADS: &str = ":tensorflow:cc:saved_model:load_attempt_count";
pub(super) const TFS_LOAD_LATENCY: &str = ":tensorflow:cc:saved_model:load_latency";

/// Upper bounds in seconds, from 50 µs to 10 s.
const DURATION_BUCKETS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Rows of a batch, in powers of two.
const ROWS_BUCKETS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
/// TF Serving's, of examples in a request.
const EXAMPLES_BUCKETS: [f64; 15] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];
const LOAD_BUCKETS: [f64; 8] = [0.01, 0.05, 0.25, 1.0, 5.0, 25.0, 100.0, 500.0];

/// A registry with the buckets of each histogram and the description of every metric.
pub(super) fn recorder() -> Result<PrometheusRecorder, ServeError> {
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
        (TFS_RUNTIME, &tfs_buckets),
        (TFS_WARMUP, &tfs_buckets),
        (TFS_EXAMPLES, &EXAMPLES_BUCKETS),
        (TFS_BATCH_INPUT, &ROWS_BUCKETS),
        (TFS_BATCH_PADDING, &ROWS_BUCKETS),
    ] {
        builder = builder
            .set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
            .map_err(|error| ServeError::Metrics { reason: error.to_string() })?;
    }
    let recorder = builder.build_recorder();
    for (name, help) in [
        (TFS_COUNT, "Requests by model and status."),
        (REQUESTS, "Requests by model, operation and status class."),
        (LOADS, "Model versions loaded, by outcome."),
        (CONNECTIONS_REFUSED, "Connections closed because there were too many."),
        (SOURCE_ERRORS, "Times the source of models did not answer."),
        (BATCH_DROPPED, "Requests that left a batching queue without an answer of the model, by reason."),
        (INPUT_FINDINGS, "Values of inputs that the schema of the training data does not allow."),
        (INFERENCE_LOG, "Requests for the inference log, by what became of them."),
        (TFS_EXAMPLES_TOTAL, "Examples in requests to classify and regress."),
        (TFS_LOGGED, "Requests that were chosen to be logged, by what became of them."),
        (TFS_WARMUP_RECORDS, "Warm-up records read."),
        (TFS_BATCH_RUNS, "Batches that ran."),
        (TFS_LOADS, "Times a model version was loaded, by outcome."),
        (TFS_LOAD_LATENCY, "Time spent loading model versions, in microseconds."),
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
        (TFS_RUNTIME, "Time a model took to predict, waiting for its batch included, in microseconds."),
        (TFS_EXAMPLES, "Examples in a request to classify or regress."),
        (TFS_WARMUP, "Time to answer the warm-up requests of a model version, in microseconds."),
        (TFS_BATCH_INPUT, "Rows of a request that joins a batch."),
        (TFS_BATCH_PADDING, "Rows added to fill a batch: none."),
    ] {
        recorder.describe_histogram(KeyName::from(name), None, SharedString::from(help));
    }
    Ok(recorder)
}
