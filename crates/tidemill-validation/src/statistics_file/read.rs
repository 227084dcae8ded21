//! Reads files of statistics.

use std::path::Path;

use prost::Message;
use serde_json::Value;
use tidemill_core::{DatasetStatistics, SplitStatistics};
use tidemill_proto::tfrecord::{HEAD_BYTES, TAIL_BYTES, is_sum_of, length};

use super::from_proto::datasets;
use super::{MESSAGE, StatisticsFileError};
use tidemill_proto::metadata::DatasetFeatureStatisticsList;
use tidemill_proto::text::from_text;

/// Bytes of a file that may hold either statistics or rows: no statistics are larger, and rows are not read for nothing.
const GUESSED_BYTES_MAX: u64 = 64 << 20;

/// The statistics in `path`, if that is what it holds: `.pb` and `.pbtxt` always, `.json` and `.tfrecord` where the
/// content says so, because rows of data are written as those too.
pub fn statistics_in(path: &Path) -> Option<Result<Vec<DatasetStatistics>, StatisticsFileError>> {
    let extension = path.extension()?.to_string_lossy().to_lowercase();
    match extension.as_str() {
        "pb" | "pbtxt" => Some(read_statistics_file(path)),
        "json" | "tfrecord" => {
            let small = std::fs::metadata(path).is_ok_and(|of| of.is_file() && of.len() <= GUESSED_BYTES_MAX);
            if small { read_statistics_file(path).ok().map(Ok) } else { None }
        }
        _ => None,
    }
}

/// The statistics in a file, of one or several datasets: JSON of `tidemill stats` or of a statistics artifact, or what TFDV
/// writes (`.pb`, `.pbtxt`, `.tfrecord`).
pub fn read_statistics_file(path: &Path) -> Result<Vec<DatasetStatistics>, StatisticsFileError> {
    let bytes = std::fs::read(path).map_err(|source| StatisticsFileError::Io {
        path: path.to_owned(),
        action: "read",
        source,
    })?;
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let message = match extension.as_str() {
        "pb" => decode(path, &bytes)?,
        "tfrecord" => decode(path, record(path, &bytes)?)?,
        "pbtxt" => {
            let text = std::str::from_utf8(&bytes).map_err(|_| StatisticsFileError::content(path, "is not UTF-8"))?;
            from_text(MESSAGE, text).map_err(|error| StatisticsFileError::text(path, &error))?
        }
        _ => return json(path, &bytes),
    };
    let datasets = datasets(&message, &stem);
    if datasets.iter().all(|dataset| dataset.features.is_empty() && dataset.num_examples == 0) {
        return Err(StatisticsFileError::content(path, "holds no statistics"));
    }
    Ok(datasets)
}

fn decode(path: &Path, bytes: &[u8]) -> Result<DatasetFeatureStatisticsList, StatisticsFileError> {
    let name = MESSAGE.rsplit('.').next().unwrap_or(MESSAGE);
    DatasetFeatureStatisticsList::decode(bytes)
        .map_err(|error| StatisticsFileError::content(path, format!("does not hold a `{name}`: {error}")))
}

/// The only record of a record file, its checksums compared.
fn record<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a [u8], StatisticsFileError> {
    let wrong = |message: &str| StatisticsFileError::content(path, message);
    let cut = || wrong("is cut short, or no record file");
    let head = bytes.get(..HEAD_BYTES).ok_or_else(cut)?;
    let length = length(head).ok_or_else(|| wrong("is damaged at byte 8: the checksum of the length is another"))?;
    let end = usize::try_from(length).ok().and_then(|length| length.checked_add(HEAD_BYTES)).ok_or_else(cut)?;
    let content = bytes.get(HEAD_BYTES..end).ok_or_else(cut)?;
    if !is_sum_of(&bytes[end..], content) {
        return Err(StatisticsFileError::content(
            path,
            format!("is damaged at byte {end}: the checksum of the record is another"),
        ));
    }
    if bytes.len() != end + TAIL_BYTES {
        return Err(wrong("holds more than one record; statistics are one"));
    }
    Ok(content)
}

fn json(path: &Path, bytes: &[u8]) -> Result<Vec<DatasetStatistics>, StatisticsFileError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| StatisticsFileError::content(path, format!("is not JSON: {error}")))?;
    let wrong =
        |error: serde_json::Error| StatisticsFileError::content(path, format!("does not hold statistics: {error}"));
    if value.get("splits").is_some() {
        let all: SplitStatistics = serde_json::from_value(value).map_err(wrong)?;
        return Ok(all.splits.into_values().collect());
    }
    if value.is_array() {
        return serde_json::from_value(value).map_err(wrong);
    }
    Ok(vec![serde_json::from_value(value).map_err(wrong)?])
}
