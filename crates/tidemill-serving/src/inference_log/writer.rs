//! The thread that writes.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::columns::Columns;
use super::file::{Partial, recover};
use super::json_lines::JsonLines;
use super::parquet_file::ParquetFile;
use super::{Entry, InferenceLogOptions, LogCounters, LogFormat, Message};

/// How often files are looked at: what waits is handed to the system, and old ones are closed.
const TICK: Duration = Duration::from_secs(1);
/// Trouble with the disk is told no more often than this.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// Writes entries to files.
pub(super) struct Writer {
    options: InferenceLogOptions,
    queued_bytes: Arc<AtomicUsize>,
    counters: LogCounters,
    open: BTreeMap<String, Open>,
    number: u64,
    complained: Option<Instant>,
}

struct Open {
    columns: Columns,
    began: Instant,
    /// Entries in the file.
    entries: u64,
    file: Format,
}

enum Format {
    Json(JsonLines),
    Parquet(Box<ParquetFile>),
}

impl Writer {
    pub(super) fn new(options: InferenceLogOptions, queued_bytes: Arc<AtomicUsize>, counters: LogCounters) -> Self {
        Self { options, queued_bytes, counters, open: BTreeMap::new(), number: 0, complained: None }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.options.dir
    }

    /// Works until it is told to finish, or nobody can send any more.
    pub(super) fn run(mut self, entries: &Receiver<Message>) {
        if let Err(error) = recover(&self.options.dir) {
            self.complain(&error);
        }
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
        for (_, open) in std::mem::take(&mut self.open) {
            self.close(open);
        }
        if let Some(done) = finished {
            // Who asked may have given up waiting.
            let _ = done.send(());
        }
    }

    fn write(&mut self, entry: Entry) {
        self.queued_bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
        let model = entry.model.clone();
        if self.open.get(&model).is_some_and(|open| !open.columns.fit(&entry)) {
            self.close_of(&model);
        }
        if let Err(error) = self.put(&model, entry) {
            self.counters.failed.increment(1);
            self.complain(&error);
            // Whether more can be written to this file is not known: the next entry begins another.
            self.close_of(&model);
        }
    }

    fn put(&mut self, model: &str, entry: Entry) -> io::Result<()> {
        if !self.open.contains_key(model) {
            self.number += 1;
            let columns = Columns::of(&entry, &self.options.exclude);
            let partial = Partial::create(&self.options.dir, model, self.options.format, self.number)?;
            let file = match self.options.format {
                LogFormat::JsonLines => Format::Json(JsonLines::new(partial)),
                LogFormat::Parquet => Format::Parquet(Box::new(ParquetFile::new(partial, &columns)?)),
            };
            let open = Open { columns, began: Instant::now(), entries: 0, file };
            self.open.insert(model.to_owned(), open);
        }
        let Some(open) = self.open.get_mut(model) else { return Ok(()) };
        match &mut open.file {
            Format::Json(file) => file.push(&open.columns, &entry)?,
            Format::Parquet(file) => file.push(&open.columns, entry)?,
        }
        open.entries += 1;
        if matches!(open.file, Format::Json(_)) {
            self.counters.written.increment(1);
        }
        if open.bytes() > self.options.file_bytes_max {
            self.close_of(model);
        }
        Ok(())
    }

    fn tick(&mut self) {
        let age_max = self.options.file_age_max;
        let old: Vec<String> = self
            .open
            .iter()
            .filter(|(_, open)| open.began.elapsed() >= age_max)
            .map(|(name, _)| name.clone())
            .collect();
        for model in old {
            self.close_of(&model);
        }
        let mut broken = Vec::new();
        for (model, open) in &mut self.open {
            if let Err(error) = open.flush() {
                broken.push((model.clone(), error));
            }
        }
        for (model, error) in broken {
            self.complain(&error);
            self.close_of(&model);
        }
    }

    fn close_of(&mut self, model: &str) {
        if let Some(open) = self.open.remove(model) {
            self.close(open);
        }
    }

    fn close(&mut self, open: Open) {
        let entries = open.entries;
        let (parquet, finished) = match open.file {
            Format::Json(file) => (false, file.finish()),
            Format::Parquet(file) => (true, file.finish(&open.columns)),
        };
        match finished {
            // Parquet without its end is nothing: only now is it sure that they are written.
            Ok(()) if parquet => self.counters.written.increment(entries),
            Ok(()) => {}
            Err(error) => {
                if parquet {
                    self.counters.failed.increment(entries);
                }
                self.complain(&error);
            }
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT_INTERVAL) {
            tracing::error!(dir = %self.options.dir.display(), %error, "the inference log cannot be written");
            self.complained = Some(Instant::now());
        }
    }
}

impl Open {
    fn bytes(&self) -> u64 {
        match &self.file {
            Format::Json(file) => file.bytes(),
            Format::Parquet(file) => file.bytes(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Format::Json(file) => file.flush(),
            Format::Parquet(file) => file.flush(&self.columns),
        }
    }
}
