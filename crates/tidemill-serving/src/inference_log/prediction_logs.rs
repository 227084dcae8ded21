//! Entries as TF Serving logs them: `TFRecord`s of `PredictionLog`.

use std::io::{self, Write as _};
use std::time::UNIX_EPOCH;

use tidemill_core::tfrecord;

use super::Entry;
use super::columns::Columns;
use super::file::Partial;
use crate::grpc::{Recorded, prediction_logs};

/// So much is kept before it goes to the system.
const BUFFER_BYTES: usize = 64 << 10;

/// A file of prediction logs.
pub(super) struct PredictionLogs {
    partial: Partial,
    buffer: Vec<u8>,
    written: u64,
}

impl PredictionLogs {
    pub(super) fn new(partial: Partial) -> Self {
        Self { partial, buffer: Vec::with_capacity(BUFFER_BYTES), written: 0 }
    }

    /// One record; one for each row where some rows lack what others have, which one tensor cannot say.
    pub(super) fn push(&mut self, columns: &Columns, entry: &Entry) -> io::Result<()> {
        let recorded = Recorded {
            model: &entry.model,
            version: entry.version,
            at_secs: entry.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            sample: entry.sink.sample,
            inputs: &entry.inputs,
            groups: &entry.groups,
            outputs: &entry.outputs,
            wanted_inputs: &columns.inputs.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
            wanted_outputs: &columns.outputs.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        };
        let records = prediction_logs(&recorded).map_err(|error| io::Error::other(error.message))?;
        for record in records {
            tfrecord::append(&mut self.buffer, &record);
        }
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Hands everything to the system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.written += self.buffer.len() as u64;
        let result = self.partial.file.write_all(&self.buffer);
        self.buffer.clear();
        result
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.partial.publish()
    }
}
