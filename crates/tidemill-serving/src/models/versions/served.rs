//! A model version in memory.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidemill_core::Signature;
use tidemill_model::{AnyModel, OnnxOptions};

use super::Snapshot;
use super::table::Load;
use crate::BatchingOptions;
use crate::inference::batching::Batcher;
use crate::inference::input_check::InputChecks;
use crate::models::warmup;
use crate::observability::metrics::{Metrics, ModelMetrics};
use crate::protocol::operation::Operation;

/// Where the name that ML Metadata has for a version stands in its folder, as in TF Serving.
const MLMD_FILE: &str = "assets.extra/mlmd_uuid";
/// A name is no longer.
const MLMD_BYTES_MAX: u64 = 128;

/// How versions are made ready.
#[derive(Debug, Clone)]
pub(crate) struct LoadOptions {
    pub(crate) batching: BatchingOptions,
    /// Whether a version's own file says how it batches.
    pub(crate) batching_of_models: bool,
    pub(crate) request_timeout: Duration,
    /// How many times each warm-up request is answered; `None`: they are not looked at.
    pub(crate) warmup: Option<u32>,
    /// How ONNX models are run.
    pub(crate) onnx: OnnxOptions,
}

/// A loaded and checked model version.
#[derive(Debug)]
pub(crate) struct ServedVersion {
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) model: AnyModel,
    /// Puts requests together, if that is worth while.
    pub(crate) batcher: Option<Arc<Batcher>>,
    /// What its inputs must be like, where the package says so.
    pub(crate) checks: Option<InputChecks>,
    metrics: ModelMetrics,
    /// Predictions made for requests, and their rows.
    requests: AtomicU64,
    rows: AtomicU64,
    /// What ML Metadata calls the version.
    mlmd: Option<String>,
}

impl ServedVersion {
    /// Loads the package, or the model file of another program, replays recorded rows and answers the warm-up requests
    /// beside it: a version that does not reproduce the former or cannot answer the latter never answers a request. The
    /// error says all there is to say, and a panic on the way is an error too.
    pub(super) fn load(load: &Load, options: &LoadOptions, metrics: &Metrics) -> Result<Self, String> {
        let work = || {
            let model = load_and_replay(&load.path, &options.onnx)?;
            let own = if options.batching_of_models { BatchingOptions::of_version(&load.path) } else { Ok(None) };
            let own = own.map_err(|error| with_causes(&error))?;
            let policy = own.as_ref().unwrap_or(&options.batching).policy_for(&model);
            let batcher =
                policy.map(|policy| Batcher::new(policy, options.request_timeout, metrics.batches(&load.name)));
            let checks = InputChecks::load(&load.path, &model)?;
            let loaded = Self {
                batcher,
                checks,
                mlmd: mlmd(&load.path),
                ..Self::bare(load.name.clone(), load.version, model, metrics.of_model(&load.name))
            };
            if let Some(iterations) = options.warmup {
                loaded.warm_up(&load.path, iterations, metrics)?;
            }
            Ok(loaded)
        };
        std::panic::catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err("loading the package panicked".to_owned()))
    }

    fn bare(name: String, version: u64, model: AnyModel, metrics: ModelMetrics) -> Self {
        let (requests, rows) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { name, version, model, batcher: None, checks: None, metrics, requests, rows, mlmd: None }
    }

    fn warm_up(&self, folder: &Path, iterations: u32, metrics: &Metrics) -> Result<(), String> {
        let started = Instant::now();
        let replayed = warmup::replay(folder, self, iterations);
        let records = replayed.as_ref().copied().unwrap_or_default();
        if records > 0 || replayed.is_err() {
            metrics.warmed_up(folder, records, replayed.is_ok(), started.elapsed());
        }
        tracing::debug!(model = self.name, version = self.version, records, "warm-up requests are answered");
        replayed.map(drop)
    }

    /// A model with no server around it.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn alone(name: &str, path: &Path) -> Result<Self, String> {
        let metrics = Metrics::new().map_err(|error| error.to_string())?;
        Ok(Self::bare(name.to_owned(), 1, load_and_replay(path, &OnnxOptions::default())?, metrics.of_model(name)))
    }

    /// What the model takes and gives.
    pub(crate) fn signature(&self) -> &Signature {
        self.model.signature()
    }

    /// It has predicted `rows` rows for a request, waiting for its batch included.
    pub(crate) fn ran(&self, operation: Operation, rows: usize, took: Duration) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.metrics.ran(operation, rows, took);
    }
}

/// What is counted of each version that is loaded, as Prometheus text. The series of a version end with it, so that
/// they do not add up over the years.
pub(crate) fn versions_text(snapshot: &Snapshot<ServedVersion>) -> String {
    let series = |value: fn(&ServedVersion) -> Option<(String, u64)>, name: &str, kind: &str, help: &str| {
        let mut text = String::new();
        for model in snapshot.loaded() {
            if let Some((more, number)) = value(model) {
                let (model, version) = (escaped(&model.name), model.version);
                let named = if more.is_empty() { "model" } else { "model_name" };
                // Writing to text cannot fail.
                let _ = writeln!(text, "{name}{{{named}=\"{model}\",version=\"{version}\"{more}}} {number}");
            }
        }
        if text.is_empty() { text } else { format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{text}\n") }
    };
    series(
        |model| Some((String::new(), model.requests.load(Ordering::Relaxed))),
        "tidemill_model_version_requests_total",
        "counter",
        "Requests a model version has predicted for.",
    ) + &series(
        |model| Some((String::new(), model.rows.load(Ordering::Relaxed))),
        "tidemill_model_version_rows_total",
        "counter",
        "Rows a model version has predicted.",
    ) + &series(
        |model| model.mlmd.as_ref().map(|uuid| (format!(",mlmd_uuid=\"{}\"", escaped(uuid)), 1)),
        ":tensorflow:serving:mlmd_map",
        "gauge",
        "What ML Metadata calls the versions that say so.",
    )
}

/// Text as the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn mlmd(folder: &Path) -> Option<String> {
    let file = folder.join(MLMD_FILE);
    let short = std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() <= MLMD_BYTES_MAX);
    let text = if short { std::fs::read_to_string(file).ok()? } else { return None };
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn load_and_replay(path: &Path, onnx: &OnnxOptions) -> Result<AnyModel, String> {
    let model = AnyModel::load_with(path, onnx).map_err(|error| with_causes(&error))?;
    model.replay_sample().map_err(|error| with_causes(&error))?;
    Ok(model)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
