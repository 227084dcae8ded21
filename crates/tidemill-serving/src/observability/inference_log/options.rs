//! How the inference log is written.

use std::path::PathBuf;
use std::time::Duration;

/// How the inference log is written.
///
/// Each model has a folder of its own, with one file after the other; a file has its name only when it is whole:
///
/// ```text
/// DIR/taxi-tips/20261120T115720.123456Z-4711-1.jsonl
/// DIR/taxi-tips/.20261120T120220.654321Z-4711-2.jsonl.partial     being written
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct InferenceLogOptions {
    /// The folder.
    pub dir: PathBuf,
    /// What the files hold.
    pub format: LogFormat,
    /// The fraction of requests that is logged, from 0 to 1.
    pub sample: f64,
    /// Columns that are left out: inputs, outputs (`_probability`) and the log's own (`_request_id`).
    pub exclude: Vec<String>,
    /// A file that is larger is closed.
    pub file_bytes_max: u64,
    /// A file that is older is closed.
    pub file_age_max: Duration,
    /// So many requests wait to be written; more are dropped. It holds for the logs of single models too.
    pub queue_max: usize,
}

/// What the files of the inference log hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    JsonLines,
    /// Parquet: smaller, and a file can be read only when it is whole.
    Parquet,
    /// A `TFRecord` of `tensorflow.serving.PredictionLog`, as TF Serving logs: what it holds warms a version up, too.
    PredictionLogs,
}

impl LogFormat {
    /// The extension of its files.
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
            file_bytes_max: 64 << 20,
            file_age_max: Duration::from_mins(5),
            queue_max: 8192,
        }
    }
}

/// A log of one model, as TF Serving's `logging_config` says it.
///
/// ```text
/// PREFIX-20261120T115720.123456Z-4711-1.tfrecord
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ModelLog {
    /// What the paths of its files begin with.
    pub prefix: PathBuf,
    /// What the files hold.
    pub format: LogFormat,
    /// The fraction of requests that is logged, from 0 to 1.
    pub sample: f64,
}
