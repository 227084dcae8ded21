//! The inference log: what was asked, what was answered, by which version, how fast.
//!
//! Requests put a reference to their batch into a bounded queue and go on; a thread of its own writes. Where the queue
//! is full or the disk refuses, entries are dropped and counted: a request never waits and never fails over its log.

mod columns;
mod file;
mod json_lines;
mod options;
mod parquet_file;
mod writer;

pub use options::{InferenceLogOptions, LogFormat};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;
use metrics::Counter;
use tidemill_core::SplitMix64;

use crate::ServeError;
use crate::metrics::Metrics;
use crate::trail::Trail;
use crate::versions::LoadedModel;

/// Requests in the queue hold at most so many bytes.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// At the end, what is in the queue is written within this, or lost.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

/// One request with its answer.
#[derive(Debug)]
struct Entry {
    model: String,
    version: u64,
    request_id: String,
    at: SystemTime,
    latency: Duration,
    inputs: RecordBatch,
    outputs: RecordBatch,
    /// What it counts for in the queue.
    bytes: usize,
}

enum Message {
    Entry(Box<Entry>),
    /// Writes and closes everything, then says so.
    Finish(SyncSender<()>),
}

/// What became of entries.
#[derive(Debug, Clone)]
pub(crate) struct LogCounters {
    pub(crate) written: Counter,
    pub(crate) dropped: Counter,
    pub(crate) failed: Counter,
}

/// The log of a server. Clones write to the same one.
#[derive(Debug, Clone)]
pub(crate) struct InferenceLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: SyncSender<Message>,
    queued_bytes: Arc<AtomicUsize>,
    counters: LogCounters,
    /// Of 2^64, so many requests are logged.
    share: u64,
    seen: AtomicU64,
}

/// The right to log one request.
#[derive(Debug)]
pub(crate) struct Ticket {
    log: InferenceLog,
    trail: Trail,
    at: SystemTime,
    /// Size of the request.
    bytes: usize,
}

impl InferenceLog {
    /// Begins a log; an error if its folder cannot be written to.
    pub(crate) fn start(options: InferenceLogOptions, metrics: &Metrics) -> Result<Self, ServeError> {
        let refuse = |path: std::path::PathBuf| move |source| ServeError::InferenceLog { path, source };
        std::fs::create_dir_all(&options.dir).map_err(refuse(options.dir.clone()))?;
        let probe = options.dir.join(format!(".probe-{}", std::process::id()));
        std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(refuse(options.dir.clone()))?;
        let (queue, entries) = sync_channel(options.queue_max.max(1));
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let counters = metrics.inference_log();
        let share = if options.sample >= 1.0 { u64::MAX } else { (options.sample.max(0.0) * 2f64.powi(64)) as u64 };
        let writer = writer::Writer::new(options, Arc::clone(&queued_bytes), counters.clone());
        let thread = std::thread::Builder::new().name("inference-log".to_owned());
        let dir = writer.dir().to_owned();
        let work = move || {
            // Requests that find nobody to write are counted as dropped.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.run(&entries))).is_err() {
                tracing::error!("the inference log ends: writing it panicked");
            }
        };
        thread.spawn(work).map_err(refuse(dir))?;
        Ok(Self(Arc::new(Shared { queue, queued_bytes, counters, share, seen: AtomicU64::new(0) })))
    }

    /// Whether this request of `bytes` bytes is logged.
    pub(crate) fn ticket(&self, trail: &Trail, bytes: usize) -> Option<Ticket> {
        let number = self.0.seen.fetch_add(1, Ordering::Relaxed);
        // By a number that looks random, so that the sample does not follow the rhythm of a client.
        let chosen = self.0.share == u64::MAX || SplitMix64::nth(number) < self.0.share;
        chosen.then(|| Ticket { log: self.clone(), trail: trail.clone(), at: SystemTime::now(), bytes })
    }

    /// Writes what is in the queue and closes the files. Entries that come later are dropped.
    pub(crate) async fn finish(&self) {
        let (sender, done) = sync_channel(1);
        let queue = self.0.queue.clone();
        let waited = tokio::task::spawn_blocking(move || {
            // Nobody receives where the writer is gone already.
            let sent = queue.send(Message::Finish(sender)).is_ok();
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
    // Times before year 1 or behind year 9999 are no times of requests.
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!("{time:.6}"))
}

impl Ticket {
    /// Logs the request with its answer, unless the queue is full.
    pub(crate) fn write(self, model: &LoadedModel, inputs: &RecordBatch, outputs: RecordBatch) {
        let shared = &self.log.0;
        // Rows of numbers take more room in memory than in the body of a request.
        let bytes = self.bytes + inputs.num_rows() * (inputs.num_columns() + 1) * size_of::<f64>() + size_of::<Entry>();
        let queued = shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        if queued + bytes > QUEUE_BYTES_MAX && queued > 0 {
            shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            shared.counters.dropped.increment(1);
            return;
        }
        let entry = Box::new(Entry {
            model: model.name.clone(),
            version: model.version,
            request_id: self.trail.name().to_owned(),
            at: self.at,
            latency: self.trail.started.elapsed(),
            inputs: inputs.clone(),
            outputs,
            bytes,
        });
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = shared.queue.try_send(Message::Entry(entry))
        {
            shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            shared.counters.dropped.increment(1);
        }
    }
}

#[cfg(test)]
mod tests;
