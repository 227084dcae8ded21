//! Options of the inference log.

use std::path::PathBuf;
use std::time::Duration;

use super::HashKey;

/// Options of the inference log.
///
/// Each model has a folder with one file after the other; a file gets its final name when it is complete:
///
/// ```text
/// DIR/taxi-tips/20261120T115720.123456Z-4711-1.jsonl
/// DIR/taxi-tips/.20261120T120220.654321Z-4711-2.jsonl.partial     being written
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct InferenceLogOptions {
    /// The folder.
    pub dir: PathBuf,
    /// The format of the files.
    pub format: LogFormat,
    /// The fraction of requests that is logged, from 0 to 1.
    pub sample: f64,
    /// Columns that are left out: inputs, outputs (`_probability`) and the log's own (`_request_id`).
    pub exclude: Vec<String>,
    /// Inputs whose values are hashed, and the key.
    pub hash: Option<(Vec<String>, HashKey)>,
    /// A file is closed when it exceeds this size.
    pub file_bytes_max: u64,
    /// A file is closed when it is older than this.
    pub file_age_max: Duration,
    /// How many requests may wait to be written; more are dropped. Shared with the logs of single models.
    pub queue_max: usize,
}

/// The format of the inference log's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    JsonLines,
    /// Parquet: smaller, and readable only when the file is complete.
    Parquet,
    /// A `TFRecord` of `tensorflow.serving.PredictionLog`, as TF Serving logs: the file can also warm up a version.
    PredictionLogs,
}

impl LogFormat {
    /// The file extension.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
            Self::PredictionLogs => "tfrecord",
        }
    }
}

impl InferenceLogOptions {
    /// JSON lines of every request in `dir`, files of at most 64 MiB or five minutes, 8,192 requests in the queue.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            format: LogFormat::JsonLines,
            sample: 1.0,
            exclude: Vec::new(),
            hash: None,
            file_bytes_max: 64 << 20,
            file_age_max: Duration::from_mins(5),
            queue_max: 8192,
        }
    }
}

/// The log of one model, as TF Serving's `logging_config` describes it.
///
/// ```text
/// PREFIX-20261120T115720.123456Z-4711-1.tfrecord
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ModelLog {
    /// The prefix of the paths of its files.
    pub prefix: PathBuf,
    /// The format of the files.
    pub format: LogFormat,
    /// The fraction of requests that is logged, from 0 to 1.
    pub sample: f64,
    /// Columns that are left out.
    pub exclude: Vec<String>,
}
