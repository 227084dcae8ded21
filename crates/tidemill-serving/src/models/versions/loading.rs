//! From a folder to a version that answers requests.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tidemill_model::LoadedModel;
use tidemill_onnx::{OnnxOptions, load_model_with};

use super::served::{ServedVersion, VersionTarget};
use super::speed::InlineLimit;
use super::table::Load;
use crate::BatchingOptions;
use crate::inference::batching::Batcher;
use crate::inference::compute_pool::PoolOptions;
use crate::inference::input_check::InputChecks;
use crate::inference::signature::{GraphPorts, TargetSignature};
use crate::models::warmup;
use crate::observability::metrics::Metrics;

/// The file in a version's folder that holds its id in ML Metadata, as in TF Serving.
const MLMD_FILE: &str = "assets.extra/mlmd_uuid";
/// A longer id is ignored.
const MLMD_BYTES_MAX: u64 = 128;

/// How versions are loaded.
#[derive(Debug, Clone)]
pub(crate) struct LoadOptions {
    pub(crate) batching: BatchingOptions,
    /// Whether a version's own file configures its batching.
    pub(crate) batching_of_models: bool,
    /// The most rows that a fast model answers on an I/O thread.
    pub(crate) inline_rows_max: usize,
    /// Limits of each version's compute pool.
    pub(crate) pool: PoolOptions,
    /// How many times each warm-up request is answered; `None` ignores them.
    pub(crate) warmup: Option<u32>,
    /// How ONNX models are run.
    pub(crate) onnx: OnnxOptions,
}

/// Loads the package, or the model file of another program, replays the recorded rows, answers the warm-up requests
/// beside it, and measures its speed. A version that does not reproduce the recorded rows or fails a warm-up request
/// never answers a request. The error message includes all causes; a panic while loading is returned as an error too.
pub(super) fn load(load: &Load, options: &LoadOptions, metrics: &Metrics) -> Result<Arc<dyn VersionTarget>, String> {
    let work = || {
        let model = load_and_replay(&load.path, &options.onnx)?;
        let own = if options.batching_of_models { BatchingOptions::of_version(&load.path) } else { Ok(None) };
        let own = own.map_err(|error| with_causes(&error))?;
        let policy = own.as_ref().unwrap_or(&options.batching).policy_for(&model);
        let checks = InputChecks::load(&load.path, &model)?;
        let signature = signature_of(&load.name, load.version, &model, checks);
        let mut version =
            ServedVersion::new(signature, load.version, model, metrics.of_model(&load.name), options.pool);
        version.mlmd = mlmd(&load.path);
        if let Some(iterations) = options.warmup {
            warm_up(&version, &load.path, iterations, metrics)?;
        }
        version.inline = InlineLimit::measure(&version.model, options.inline_rows_max);
        tracing::debug!(model = load.name, version = load.version, inline_rows = version.inline.rows(), "measured");
        let target: Arc<dyn VersionTarget> = match policy {
            Some(policy) => Batcher::new(version, policy, options.pool.timeout, metrics.batches(&load.name)),
            None => Arc::new(version),
        };
        Ok(target)
    };
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("loading the package panicked".to_owned()))
}

/// A model without a server.
#[cfg(feature = "fuzzing")]
pub(crate) fn load_alone(name: &str, path: &Path) -> Result<ServedVersion, String> {
    let metrics = Metrics::new().map_err(|error| error.to_string())?;
    let model = load_and_replay(path, &OnnxOptions::default())?;
    let pool = PoolOptions { threads: 1, waiting_max: 0, timeout: std::time::Duration::from_secs(1) };
    Ok(ServedVersion::new(signature_of(name, 1, &model, None), 1, model, metrics.of_model(name), pool))
}

fn signature_of(name: &str, version: u64, model: &LoadedModel, checks: Option<InputChecks>) -> TargetSignature {
    TargetSignature {
        name: name.to_owned(),
        version: Some(version),
        platform: platform(model),
        task: model.task().cloned(),
        tensors: model.signature().clone(),
        checks,
        layout: model.batch_builder(0).layout(),
        graph: graph_of(model),
    }
}

/// The tensors of a model that is asked for tensors. A model of sequences is not served.
fn graph_of(model: &LoadedModel) -> Option<Arc<GraphPorts>> {
    let tensors = model.tensors()?;
    let ports = GraphPorts { inputs: tensors.inputs().to_vec(), outputs: tensors.outputs().to_vec() };
    let is_plain = ports.inputs.iter().chain(&ports.outputs).all(|info| !info.sequence);
    is_plain.then(|| Arc::new(ports))
}

/// Platform of the model; the Open Inference Protocol has names for some.
fn platform(model: &LoadedModel) -> &'static str {
    match model {
        LoadedModel::Package(_) => "tidemill",
        LoadedModel::Imported(model) => match model.format() {
            "ONNX" => "onnx_onnxv1",
            "XGBoost JSON" => "xgboost_json",
            "LightGBM text" => "lightgbm_text",
            other => other,
        },
    }
}

fn warm_up(version: &ServedVersion, folder: &Path, iterations: u32, metrics: &Metrics) -> Result<(), String> {
    let started = Instant::now();
    let replayed = warmup::replay(folder, version, iterations);
    let records = replayed.as_ref().copied().unwrap_or_default();
    if records > 0 || replayed.is_err() {
        metrics.record_warmup(folder, records, replayed.is_ok(), started.elapsed());
    }
    tracing::debug!(model = version.signature.name, version = version.number, records, "warm-up requests are answered");
    replayed.map(drop)
}

fn mlmd(folder: &Path) -> Option<String> {
    let file = folder.join(MLMD_FILE);
    let short = std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() <= MLMD_BYTES_MAX);
    let text = if short { std::fs::read_to_string(file).ok()? } else { return None };
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn load_and_replay(path: &Path, onnx: &OnnxOptions) -> Result<LoadedModel, String> {
    let model = load_model_with(path, onnx).map_err(|error| with_causes(&error))?;
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
