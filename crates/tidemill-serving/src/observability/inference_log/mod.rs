//! The inference log: inputs, outputs, version and latency of requests.
//!
//! A request puts a reference to its batch into a bounded queue and goes on; a dedicated thread writes. If the queue is
//! full or the disk fails, entries are dropped and counted: a request never waits or fails because of its log.

mod columns;
mod file;
mod hashing;
mod json_lines;
mod options;
mod parquet_file;
mod prediction_logs;
mod sink;
mod writer;

pub use hashing::HashKey;
pub use options::{InferenceLogOptions, LogFormat, ModelLog};

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use arrow::array::RecordBatch;
use metrics::Counter;
use tidemill_core::TensorGroup;

use self::file::recover;
use self::sink::Sink;
use crate::ServeError;
use crate::inference::carrier;
use crate::inference::context::{RequestAttributes, RequestContext};
use crate::inference::response::InferenceResponse;
use crate::inference::signature::TargetSignature;
use crate::observability::metrics::Metrics;

/// The maximum memory of the requests in the queue.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// The default number of requests in the queue.
const QUEUE_MAX: usize = 8192;
/// At shutdown, the queue is written within this time, or lost.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

/// One request with its response, for one log.
#[derive(Debug)]
struct Entry {
    sink: Arc<Sink>,
    model: String,
    version: u64,
    request_id: String,
    at: SystemTime,
    latency: Duration,
    /// The request as endpoints saw it, if an endpoint answered.
    attributes: Option<Arc<RequestAttributes>>,
    inputs: RecordBatch,
    /// The groups of inputs that form one tensor for clients.
    groups: Vec<TensorGroup>,
    outputs: RecordBatch,
    /// Its size, as the queue counts it.
    bytes: usize,
}

impl Entry {
    /// What answered a row, if an endpoint did.
    fn route_of(&self, row: usize) -> Option<&str> {
        Some(self.attributes.as_ref()?.route.get()?.of_row(row))
    }
}

enum Message {
    Entry(Box<Entry>),
    /// Writes and closes everything, then replies.
    Finish(SyncSender<()>),
}

/// Counters of written, dropped and failed entries.
#[derive(Debug, Clone)]
pub(crate) struct LogCounters {
    pub(crate) written: Counter,
    pub(crate) dropped: Counter,
    pub(crate) failed: Counter,
}

/// The logs of a server. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Logs(Arc<Shared>);

/// The logs of single models.
type LogsOfModels = HashMap<String, Vec<(ModelLog, Arc<Sink>)>>;

#[derive(Debug)]
struct Shared {
    metrics: Arc<Metrics>,
    counters: LogCounters,
    queue_max: usize,
    /// Started with the first log.
    queue: OnceLock<Queue>,
    for_all_models: Option<Arc<Sink>>,
    of_models: ArcSwap<LogsOfModels>,
    /// Whether there is any log.
    is_on: AtomicBool,
}

#[derive(Debug)]
struct Queue {
    entries: SyncSender<Message>,
    bytes: Arc<AtomicUsize>,
}

/// The right to log one request.
#[derive(Debug)]
pub(crate) struct LogPermit {
    logs: Logs,
    sinks: Vec<Arc<Sink>>,
    context: RequestContext,
    at: SystemTime,
    /// Size of the request.
    bytes: usize,
}

impl Logs {
    /// The log of every model, if there is one; an error if its folder is not writable. The logs of single models come
    /// with [`follow`](Self::follow).
    pub(crate) fn start(options: Option<&InferenceLogOptions>, metrics: &Arc<Metrics>) -> Result<Self, ServeError> {
        let refuse = |path: &std::path::Path| {
            let path = path.to_owned();
            move |source| ServeError::InferenceLog { path, source }
        };
        if let Some(options) = options {
            let dir = &options.dir;
            std::fs::create_dir_all(dir).map_err(refuse(dir))?;
            let probe = dir.join(format!(".probe-{}", std::process::id()));
            std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(refuse(dir))?;
        }
        let for_all_models = options.map(|options| Arc::new(Sink::for_all_models(options)));
        let shared = Shared {
            metrics: Arc::clone(metrics),
            counters: metrics.inference_log(),
            queue_max: options.map_or(QUEUE_MAX, |options| options.queue_max.max(1)),
            queue: OnceLock::new(),
            is_on: AtomicBool::new(for_all_models.is_some()),
            for_all_models,
            of_models: ArcSwap::default(),
        };
        let logs = Self(Arc::new(shared));
        if let Some(options) = options {
            logs.begin().map_err(refuse(&options.dir))?;
        }
        Ok(logs)
    }

    /// Starts the writer thread, if there is none yet.
    fn begin(&self) -> std::io::Result<()> {
        let shared = &self.0;
        if shared.queue.get().is_some() {
            return Ok(());
        }
        let (entries, inbox) = sync_channel(shared.queue_max);
        let bytes = Arc::new(AtomicUsize::new(0));
        let writer = writer::Writer::new(Arc::clone(&bytes), shared.counters.clone(), Arc::clone(&shared.metrics));
        let place = shared.for_all_models.as_ref().map(|sink| sink.place.clone());
        let work = move || {
            let write = move || {
                if let Some(place) = place {
                    recover(&place).unwrap_or_else(|error| tracing::error!(%error, "an older log cannot be read"));
                }
                writer.run(&inbox);
            };
            // Requests that find no writer are counted as dropped.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(write)).is_err() {
                tracing::error!("the inference log ends: writing it panicked");
            }
        };
        std::thread::Builder::new().name("inference-log".to_owned()).spawn(work)?;
        // Only the task that follows the configuration calls this a second time, and there is one such task.
        let _ = shared.queue.set(Queue { entries, bytes });
        Ok(())
    }

    /// Gives these models logs of their own from now on.
    pub(crate) fn follow(&self, wanted: &BTreeMap<String, Vec<ModelLog>>) {
        let shared = &self.0;
        let known = shared.of_models.load();
        let same = known.len() == wanted.len()
            && wanted.iter().all(|(model, logs)| {
                known.get(model).is_some_and(|known| known.iter().map(|(log, _)| log).eq(logs.iter()))
            });
        if same {
            return;
        }
        let next = wanted.iter().map(|(model, logs)| {
            let of = |log: &ModelLog| {
                let kept = known.get(model).and_then(|known| known.iter().find(|(other, _)| other == log));
                let sink = kept.map_or_else(|| Arc::new(Sink::of_model(log)), |(_, sink)| Arc::clone(sink));
                (log.clone(), sink)
            };
            (model.clone(), logs.iter().map(of).collect())
        });
        shared.of_models.store(Arc::new(next.collect()));
        if !wanted.is_empty()
            && let Err(error) = self.begin()
        {
            tracing::error!(%error, "requests are not logged: no thread can be started");
        }
        shared.is_on.store(shared.for_all_models.is_some() || !wanted.is_empty(), Ordering::Relaxed);
    }

    /// Whether any request may be logged.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_on.load(Ordering::Relaxed)
    }

    /// Whether this request of `bytes` bytes for `model` is logged.
    pub(crate) fn permit(&self, context: &RequestContext, model: &str, bytes: usize) -> Option<LogPermit> {
        if !self.is_on() {
            return None;
        }
        let of_models = self.0.of_models.load();
        let own = of_models.get(model).into_iter().flatten().map(|(_, sink)| sink);
        let chosen = self.0.for_all_models.iter().chain(own).filter(|sink| sink.chooses());
        let sinks: Vec<Arc<Sink>> = chosen.map(Arc::clone).collect();
        if sinks.is_empty() {
            return None;
        }
        Some(LogPermit { logs: self.clone(), sinks, context: context.clone(), at: SystemTime::now(), bytes })
    }

    /// Writes the queue and closes the files. Later entries are dropped.
    pub(crate) async fn finish(&self) {
        let Some(queue) = self.0.queue.get() else { return };
        let (sender, done) = sync_channel(1);
        let entries = queue.entries.clone();
        let waited = tokio::task::spawn_blocking(move || {
            // There is no receiver if the writer has already ended.
            let sent = entries.send(Message::Finish(sender)).is_ok();
            sent && done.recv_timeout(FINISH_TIMEOUT).is_err()
        });
        let waited = tokio::time::timeout(FINISH_TIMEOUT * 2, waited).await;
        if !matches!(waited, Ok(Ok(false))) {
            tracing::warn!("the inference log could not be written to its end in time");
        }
    }
}

/// A time as `2026-11-20T11:57:20.123456Z`.
fn rfc3339(time: SystemTime) -> String {
    // Times before year 1 or after year 9999 cannot be times of requests.
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!("{time:.6}"))
}

impl LogPermit {
    /// Logs the request with its answer, unless the queue is full.
    pub(crate) fn write(self, target: &TargetSignature, inputs: RecordBatch, response: &InferenceResponse) {
        if let Some(ports) = target.graph.as_ref().filter(|_| carrier::is_carrier(&inputs)) {
            let rows = carrier::as_rows(&ports.inputs, &inputs, false);
            let predictions = carrier::as_rows(&ports.outputs, &response.predictions, true);
            let (Some(inputs), Some(predictions)) = (rows, predictions) else {
                tracing::debug!(model = target.name, "tensors without rows are not logged");
                return;
            };
            if inputs.num_rows() == predictions.num_rows() {
                return self.write(target, inputs, &InferenceResponse { predictions, version: response.version });
            }
            return;
        }
        let Some((last, others)) = self.sinks.split_last() else { return };
        for sink in others {
            self.put(sink, target, inputs.clone(), response);
        }
        self.put(last, target, inputs, response);
    }

    fn put(&self, sink: &Arc<Sink>, target: &TargetSignature, inputs: RecordBatch, response: &InferenceResponse) {
        let shared = &self.logs.0;
        let drop_it = || {
            shared.counters.dropped.increment(1);
            shared.metrics.logged(&target.name, "RESOURCE_EXHAUSTED", 1);
        };
        let Some(queue) = shared.queue.get() else { return drop_it() };
        // Rows of numbers take more memory than the body of their request.
        let bytes = self.bytes + inputs.num_rows() * (inputs.num_columns() + 1) * size_of::<f64>() + size_of::<Entry>();
        let queued = queue.bytes.fetch_add(bytes, Ordering::Relaxed);
        if queued + bytes > QUEUE_BYTES_MAX && queued > 0 {
            queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return drop_it();
        }
        let entry = Box::new(Entry {
            sink: Arc::clone(sink),
            model: target.name.clone(),
            version: response.version.unwrap_or_default(),
            request_id: self.context.id().to_owned(),
            at: self.at,
            latency: self.context.started.elapsed(),
            attributes: self.context.attributes.clone().filter(|attributes| attributes.route.get().is_some()),
            inputs,
            groups: target.tensors.input_groups.clone(),
            outputs: response.predictions.clone(),
            bytes,
        });
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            queue.entries.try_send(Message::Entry(entry))
        {
            queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
            drop_it();
        }
    }
}

#[cfg(test)]
mod tests;
