//! The thread that writes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::columns::Columns;
use super::file::{Buffered, OpenFile, recover};
use super::parquet_file::ParquetFile;
use super::sink::{LogLocation, Sink};
use super::{Entry, LogCounters, LogFormat, Message, json_lines, prediction_logs};
use crate::observability::metrics::Metrics;

/// How often files are looked at: what waits is handed to the system, and old ones are closed.
const TICK: Duration = Duration::from_secs(1);
/// Trouble with the disk is told no more often than this.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// Writes entries to files.
pub(super) struct Writer {
    queued_bytes: Arc<AtomicUsize>,
    counters: LogCounters,
    metrics: Arc<Metrics>,
    open: BTreeMap<Key, Open>,
    /// Prefixes whose older files were looked at.
    recovered: BTreeSet<String>,
    number: u64,
    complained: Option<Instant>,
}

/// The log and the model a file belongs to. A log that is in use keeps its address.
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
        Self { queued_bytes, counters, metrics, open, recovered, number: 0, complained: None }
    }

    /// Works until it is told to finish, or nobody can send any more.
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
            // Who asked may have given up waiting.
            let _ = done.send(());
        }
    }

    fn write(&mut self, entry: Entry) {
        self.queued_bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
        let sink = Arc::clone(&entry.sink);
        let key = (Arc::as_ptr(&sink).addr(), entry.model.clone());
        if self.open.get(&key).is_some_and(|open| !open.columns.fit(&entry)) {
            self.close_of(&key);
        }
        if let Err(error) = self.put(&sink, &key, entry) {
            self.failed(&key, 1);
            self.complain(&sink, &error);
            // Whether more can be written to this file is not known: the next entry begins another.
            self.close_of(&key);
        }
    }

    fn put(&mut self, sink: &Arc<Sink>, key: &Key, entry: Entry) -> io::Result<()> {
        if !self.open.contains_key(key) {
            self.recover(sink);
            self.number += 1;
            let columns = Columns::of(&entry, &sink.exclude);
            let partial = OpenFile::create(&sink.place, &key.1, sink.format, self.number)?;
            let file = match sink.format {
                LogFormat::JsonLines => Format::Json(Buffered::new(partial)),
                LogFormat::Parquet => Format::Parquet(Box::new(ParquetFile::new(partial, &columns)?)),
                LogFormat::PredictionLogs => Format::Logs(Buffered::new(partial)),
            };
            let open = Open { sink: Arc::clone(sink), columns, began: Instant::now(), entries: 0, file };
            self.open.insert(key.clone(), open);
        }
        let Some(open) = self.open.get_mut(key) else { return Ok(()) };
        let at_once = match &mut open.file {
            Format::Json(file) => {
                json_lines::push(&mut file.buffer, &open.columns, &entry);
                file.pushed().map(|()| true)?
            }
            Format::Logs(file) => {
                prediction_logs::push(&mut file.buffer, &open.columns, &entry)?;
                file.pushed().map(|()| true)?
            }
            Format::Parquet(file) => file.push(&open.columns, entry).map(|()| false)?,
        };
        open.entries += 1;
        let full = open.bytes() > sink.file_bytes_max;
        if at_once {
            self.written(key, 1);
        }
        if full {
            self.close_of(key);
        }
        Ok(())
    }

    /// Publishes what an earlier process left of a log with a prefix, once.
    fn recover(&mut self, sink: &Sink) {
        let LogLocation::Prefix(prefix) = &sink.place else { return };
        if self.recovered.insert(prefix.to_string_lossy().into_owned())
            && let Err(error) = recover(&sink.place)
        {
            self.complain(sink, &error);
        }
    }

    fn tick(&mut self) {
        let is_old = |open: &Open| open.began.elapsed() >= open.sink.file_age_max;
        let old: Vec<Key> = self.open.iter().filter(|(_, open)| is_old(open)).map(|(key, _)| key.clone()).collect();
        for key in old {
            self.close_of(&key);
        }
        let mut broken = Vec::new();
        for (key, open) in &mut self.open {
            if let Err(error) = open.flush() {
                broken.push((key.clone(), Arc::clone(&open.sink), error));
            }
        }
        for (key, sink, error) in broken {
            self.complain(&sink, &error);
            self.close_of(&key);
        }
    }

    fn close_of(&mut self, key: &Key) {
        if let Some(open) = self.open.remove(key) {
            self.close(key, open);
        }
    }

    fn close(&mut self, key: &Key, open: Open) {
        let entries = open.entries;
        let (parquet, finished) = match open.file {
            Format::Json(file) | Format::Logs(file) => (false, file.finish()),
            Format::Parquet(file) => (true, file.finish(&open.columns)),
        };
        match finished {
            // Parquet without its end is nothing: only now is it sure that they are written.
            Ok(()) if parquet => self.written(key, entries),
            Ok(()) => {}
            Err(error) => {
                if parquet {
                    self.failed(key, entries);
                }
                self.complain(&open.sink, &error);
            }
        }
    }

    fn written(&self, key: &Key, entries: u64) {
        self.counters.written.increment(entries);
        self.metrics.logged(&key.1, "OK", entries);
    }

    fn failed(&self, key: &Key, entries: u64) {
        self.counters.failed.increment(entries);
        self.metrics.logged(&key.1, "DATA_LOSS", entries);
    }

    fn complain(&mut self, sink: &Sink, error: &io::Error) {
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT_INTERVAL) {
            tracing::error!(place = ?sink.place, %error, "the inference log cannot be written");
            self.complained = Some(Instant::now());
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

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Format::Json(file) | Format::Logs(file) => file.flush(),
            Format::Parquet(file) => file.flush(&self.columns),
        }
    }
}
