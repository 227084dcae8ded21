//! Warm-up requests: TF Serving's file of requests that a version answers before it is available.
//!
//! `VERSION/assets.extra/tf_serving_warmup_requests` is a `TFRecord` file of `tensorflow.serving.PredictionLog`. A record that
//! cannot be answered makes the version broken, as in TF Serving.

mod records;

#[cfg(test)]
pub(crate) use records::read as read_records;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use serde_json::Value;
use tidemill_model::{Model, ModelError};
use tidemill_proto::tfrecord;

use crate::inference::target::Target as _;
use crate::models::versions::ServedVersion;
use crate::protocol::grpc;

/// The path of the file in the folder of a version.
const FILE: &str = "assets.extra/tf_serving_warmup_requests";
/// More records are rejected, as in TF Serving.
const RECORDS_MAX: usize = 1000;
/// A larger file is rejected unread.
const BYTES_MAX: u64 = 256 << 20;

/// The file of warm-up requests in the folder of a version.
pub fn warmup_file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Warm-up requests for rows: one Predict request each, in the file's format.
pub fn warmup_requests(model: &Model, name: &str, rows: &[Value]) -> Result<Vec<u8>, ModelError> {
    let mut bytes = Vec::new();
    for row in rows.iter().take(RECORDS_MAX) {
        let batch = model.batch_from_rows(std::slice::from_ref(row))?;
        // Every row has a value wherever another row has one.
        let request = grpc::predict_request(name, &batch, &[]).unwrap_or_default();
        tfrecord::append(&mut bytes, &grpc::warmup_record(request));
    }
    Ok(bytes)
}

/// Answers the warm-up requests in the folder of a version, if there are any, each `iterations` times; returns their
/// number.
pub(crate) fn replay(folder: &Path, version: &ServedVersion, iterations: u32) -> Result<usize, String> {
    let path = folder.join(FILE);
    let within = |reason: &dyn std::fmt::Display| format!("warm-up requests `{}`: {reason}", path.display());
    let metadata = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        metadata => metadata.map_err(|error| within(&error))?,
    };
    if metadata.len() > BYTES_MAX {
        return Err(within(&format!("the file has {} bytes, more than {BYTES_MAX}", metadata.len())));
    }
    let bytes = fs::read(&path).map_err(|error| within(&error))?;
    let predict = |batch: &RecordBatch| version.predict(batch).map(|predictions| version.response(predictions));
    let mut count = 0;
    for record in records::read(&bytes) {
        count += 1;
        if count > RECORDS_MAX {
            return Err(within(&format!("there are more than {RECORDS_MAX} records")));
        }
        let answer = |record: &[u8]| {
            (0..iterations.max(1))
                .try_for_each(|_| grpc::replay(version.signature(), &predict, record))
                .map_err(|error| error.message)
        };
        let answered = record.and_then(answer);
        answered.map_err(|reason| within(&format!("record {count}: {reason}")))?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
