//! The writer thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::columns::Columns;
use super::file::{Buffered, ClosedFile, OpenFile, recover};
use super::hashing::hashed;
use super::parquet_file::ParquetFile;
use super::sink::{LogLocation, Sink};
use super::{Entry, LogCounters, LogFormat, Message, json_lines, prediction_logs};
use crate::observability::metrics::Metrics;

/// How often files are checked: buffered entries go to the system, and old files are closed.
const TICK: Duration = Duration::from_secs(1);
/// Disk errors are logged at most this often.
const ERROR_REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Writes entries to files.
pub(super) struct Writer {
    queued_bytes: Arc<AtomicUsize>,
    counters: LogCounters,
    metrics: Arc<Metrics>,
    open: BTreeMap<Key, Open>,
    /// Prefixes whose older files have been recovered.
    recovered: BTreeSet<String>,
    number: u64,
    error_reported: Option<Instant>,
}

/// The log and the model of a file. A log in use keeps its address.
type Key = (usize, String);

struct Open {
    sink: Arc<Sink>,
    columns: Columns,
    began: Instant,
    /// Entries in the file.
    entries: u64,
    file: Format,
}

enum Format {
    Json(Buffered),
    Logs(Buffered),
    Parquet(Box<ParquetFile>),
}

impl Writer {
    pub(super) fn new(queued_bytes: Arc<AtomicUsize>, counters: LogCounters, metrics: Arc<Metrics>) -> Self {
        let (open, recovered) = (BTreeMap::new(), BTreeSet::new());
        Self { queued_bytes, counters, metrics, open, recovered, number: 0, error_reported: None }
    }

    /// Runs until it receives `Finish`, or all senders are gone.
    pub(super) fn run(mut self, entries: &Receiver<Message>) {
        let mut tick = Instant::now() + TICK;
        let finished = loop {
            match entries.recv_timeout(tick.saturating_duration_since(Instant::now())) {
                Ok(Message::Entry(entry)) => self.write(*entry),
                Ok(Message::Finish(done)) => break Some(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            if Instant::now() >= tick {
                self.tick();
                tick = Instant::now() + TICK;
            }
        };
        for (key, open) in std::mem::take(&mut self.open) {
            self.close(&key, open);
        }
        if let Some(done) = finished {
            // The sender may have given up waiting.
            let _ = done.send(());
        }
    }

    fn write(&mut self, mut entry: Entry) {
        self.queued_bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
        let sink = Arc::clone(&entry.sink);
        if let Some((columns, key)) = &sink.hash {
            entry.inputs = hashed(&entry.inputs, columns, key);
        }
        let key = (Arc::as_ptr(&sink).addr(), entry.model.clone());
        if self.open.get(&key).is_some_and(|open| !open.columns.fit(&entry)) {
            self.close_of(&key);
        }
        if let Err(error) = self.put(&sink, &key, entry) {
            self.report_error(&sink, &error);
            // The file may not accept more: the next entry begins a new one.
            self.close_of(&key);
        }
    }

    /// Adds an entry to its file. An error concerns the file; an entry that cannot be written is counted here.
    fn put(&mut self, sink: &Arc<Sink>, key: &Key, entry: Entry) -> io::Result<()> {
        if !self.open.contains_key(key) {
            self.recover(sink);
            self.number += 1;
            let columns = Columns::of(&entry, &sink.exclude);
            let created = OpenFile::create(&sink.place, &key.1, sink.format, self.number).and_then(|partial| {
                Ok(match sink.format {
                    LogFormat::JsonLines => Format::Json(Buffered::new(partial)),
                    LogFormat::Parquet => Format::Parquet(Box::new(ParquetFile::new(partial, &columns)?)),
                    LogFormat::PredictionLogs => Format::Logs(Buffered::new(partial)),
                })
            });
            let file = created.inspect_err(|_| self.failed(key, 1))?;
            let open = Open { sink: Arc::clone(sink), columns, began: Instant::now(), entries: 0, file };
            self.open.insert(key.clone(), open);
        }
        let Some(open) = self.open.get_mut(key) else { return Ok(()) };
        open.entries += 1;
        match &mut open.file {
            Format::Json(file) => {
                json_lines::push(&mut file.buffer, &open.columns, &entry);
                file.added()?;
            }
            Format::Logs(file) => {
                let before = file.buffer.len();
                match prediction_logs::push(&mut file.buffer, &open.columns, &entry) {
                    Ok(()) => file.added()?,
                    Err(error) => {
                        file.buffer.truncate(before);
                        self.failed(key, 1);
                        self.report_error(sink, &error);
                        return Ok(());
                    }
                }
            }
            Format::Parquet(file) => file.push(&open.columns, entry)?,
        }
        if self.open.get(key).is_some_and(|open| open.bytes() > sink.file_bytes_max) {
            self.close_of(key);
        }
        Ok(())
    }

    /// Publishes, once, what an earlier process left of a log with a prefix.
    fn recover(&mut self, sink: &Sink) {
        let LogLocation::Prefix(prefix) = &sink.place else { return };
        if self.recovered.insert(prefix.to_string_lossy().into_owned())
            && let Err(error) = recover(&sink.place)
        {
            self.report_error(sink, &error);
        }
    }

    fn tick(&mut self) {
        let is_old = |open: &Open| open.began.elapsed() >= open.sink.file_age_max;
        let old: Vec<Key> = self.open.iter().filter(|(_, open)| is_old(open)).map(|(key, _)| key.clone()).collect();
        for key in old {
            self.close_of(&key);
        }
        let synced: Vec<(Key, io::Result<u64>)> =
            self.open.iter_mut().map(|(key, open)| (key.clone(), open.sync())).collect();
        for (key, synced) in synced {
            match synced {
                Ok(written) => self.written(&key, written),
                // Lost entries are counted, and the reason is logged, when the file is closed.
                Err(_) => self.close_of(&key),
            }
        }
    }

    fn close_of(&mut self, key: &Key) {
        if let Some(open) = self.open.remove(key) {
            self.close(key, open);
        }
    }

    fn close(&mut self, key: &Key, open: Open) {
        let closed = match open.file {
            Format::Json(file) | Format::Logs(file) => file.close(),
            // Parquet without its footer cannot be read: only now is it certain that its entries are written.
            Format::Parquet(file) => match file.finish(&open.columns) {
                Ok(()) => ClosedFile { written: open.entries, lost: 0, error: None },
                Err(error) => ClosedFile { written: 0, lost: open.entries, error: Some(error) },
            },
        };
        self.written(key, closed.written);
        self.failed(key, closed.lost);
        if let Some(error) = closed.error {
            self.report_error(&open.sink, &error);
        }
    }

    fn written(&self, key: &Key, entries: u64) {
        if entries == 0 {
            return;
        }
        self.counters.written.increment(entries);
        self.metrics.logged(&key.1, "OK", entries);
    }

    fn failed(&self, key: &Key, entries: u64) {
        if entries == 0 {
            return;
        }
        self.counters.failed.increment(entries);
        self.metrics.logged(&key.1, "DATA_LOSS", entries);
    }

    fn report_error(&mut self, sink: &Sink, error: &io::Error) {
        if self.error_reported.is_none_or(|at| at.elapsed() >= ERROR_REPORT_INTERVAL) {
            let reason = tidemill_files::reason(error);
            tracing::error!(place = ?sink.place, %reason, "the inference log cannot be written");
            self.error_reported = Some(Instant::now());
        }
    }
}

impl Open {
    fn bytes(&self) -> u64 {
        match &self.file {
            Format::Json(file) | Format::Logs(file) => file.bytes(),
            Format::Parquet(file) => file.bytes(),
        }
    }

    /// Forces entries to disk and returns how many are newly there.
    fn sync(&mut self) -> io::Result<u64> {
        match &mut self.file {
            Format::Json(file) | Format::Logs(file) => file.sync(),
            Format::Parquet(file) => file.flush(&self.columns).map(|()| 0),
        }
    }
}
