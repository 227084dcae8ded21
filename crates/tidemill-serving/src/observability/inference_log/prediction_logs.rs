//! Entries in TF Serving's format: `TFRecord`s of `PredictionLog`.

use std::io;
use std::time::UNIX_EPOCH;

use tidemill_proto::tfrecord;

use super::Entry;
use super::columns::Columns;
use crate::protocol::grpc::{Recorded, prediction_logs};

/// Appends one record of an entry, or one for each row if some rows lack values that others have: one tensor cannot
/// express that.
pub(super) fn push(out: &mut Vec<u8>, columns: &Columns, entry: &Entry) -> io::Result<()> {
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
        tfrecord::append(out, &record);
    }
    Ok(())
}
