//! Writes statistics for TFDV and Facets.

use std::path::Path;

use prost::Message;
use tidemill_core::DatasetStatistics;
use tidemill_proto::tfrecord;

use super::to_proto::list;
use super::{MESSAGE, StatisticsFileError};
use tidemill_proto::text::to_text;

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
    tidemill_files::write(path, bytes).map_err(|error| StatisticsFileError::Io {
        path: path.to_owned(),
        action: "write",
        source: error.into_io(),
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

/// A record file of one record.
fn record(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    tfrecord::append(&mut bytes, content);
    bytes
}
