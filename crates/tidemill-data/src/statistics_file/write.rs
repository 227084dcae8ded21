//! Writes statistics for TFDV and Facets.

use std::path::Path;

use prost::Message;
use tidemill_core::DatasetStatistics;

use super::to_proto::list;
use super::{MESSAGE, StatisticsFileError};
use crate::proto::to_text;

/// Writes the statistics of one or several datasets, in the format that the extension of `path` names: `.json` ours,
/// `.pb` TFDV's binary `DatasetFeatureStatisticsList`, `.pbtxt` its text, `.tfrecord` a record file of that one message,
/// which is what `tfdv.write_stats_text` and `tfdv.load_statistics` know. The same statistics give the same bytes.
pub fn write_statistics_file(path: &Path, datasets: &[DatasetStatistics]) -> Result<(), StatisticsFileError> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
    let bytes = match extension.as_str() {
        "json" => json(datasets),
        "pb" => list(datasets).encode_to_vec(),
        "pbtxt" => to_text(MESSAGE, &list(datasets)).into_bytes(),
        "tfrecord" => record(&list(datasets).encode_to_vec()),
        _ => return Err(StatisticsFileError::Format { path: path.to_owned() }),
    };
    std::fs::write(path, bytes).map_err(|source| StatisticsFileError::Io {
        path: path.to_owned(),
        action: "write",
        source,
    })
}

fn json(datasets: &[DatasetStatistics]) -> Vec<u8> {
    let written = match datasets {
        [one] => serde_json::to_vec_pretty(one),
        several => serde_json::to_vec_pretty(several),
    };
    let mut bytes = written.unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A record file of one record: its length, its bytes, each followed by a checksum.
fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(content.len() + 16);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&masked(&length).to_le_bytes());
    bytes.extend_from_slice(content);
    bytes.extend_from_slice(&masked(content).to_le_bytes());
    bytes
}

/// The checksum of record files: CRC-32C, turned by 15 bits and shifted by a constant, so that files of files can be checked too.
pub(super) fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
