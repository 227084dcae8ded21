//! `serve`: what is told of requests, in the inference log and in traces.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tidemill_serving::{HashKey, InferenceLogOptions, LogFormat, TraceOptions};

use super::Switch;
use crate::duration;

/// How `serve` logs requests and answers, if it does.
#[derive(Debug, Args)]
#[command(next_help_heading = "Inference log")]
#[allow(clippy::struct_field_names, reason = "names of arguments are unique among all of the command")]
pub struct LogArgs {
    /// Write requests and answers into this folder, a folder for each model in it
    #[arg(long = "log", value_name = "DIR", env = "TIDEMILL_LOG_DIR")]
    pub log_dir: Option<PathBuf>,
    /// What the files hold
    #[arg(
        long = "log-format",
        alias = "log_format",
        value_name = "FORMAT",
        default_value = "jsonl",
        requires = "log_dir"
    )]
    pub log_format: LogFormatName,
    /// Fraction of requests that is logged
    #[arg(
        long = "log-sample",
        alias = "log_sample",
        value_name = "FRACTION",
        default_value_t = 1.0,
        requires = "log_dir"
    )]
    pub log_sample: f64,
    /// Columns to leave out: inputs, outputs (`_probability`), what the log adds (`_request_id`)
    #[arg(
        long = "log-exclude",
        alias = "log_exclude",
        value_name = "COLUMN",
        value_delimiter = ',',
        requires = "log_dir"
    )]
    pub log_exclude: Vec<String>,
    /// Inputs whose values are replaced by a keyed hash, such as names of people
    #[arg(
        long = "log-hash",
        alias = "log_hash",
        value_name = "COLUMN",
        value_delimiter = ',',
        requires = "log_dir",
        requires = "log_hash_key"
    )]
    pub log_hash: Vec<String>,
    /// File with the key of those hashes, at least 16 bytes: `openssl rand -hex 32 > key`
    #[arg(
        long = "log-hash-key",
        alias = "log_hash_key",
        value_name = "FILE",
        requires = "log_hash",
        env = "TIDEMILL_LOG_HASH_KEY"
    )]
    pub log_hash_key: Option<PathBuf>,
    /// Whether `POST /v1/feedback` takes feedback on predictions, into the folder of the log
    #[arg(long, value_name = "SWITCH", default_value = "off", requires = "log_dir")]
    pub feedback: Switch,
    /// A larger file is closed, and the next one begun
    #[arg(
        long = "log-file-bytes-max",
        alias = "log_file_bytes_max",
        value_name = "BYTES",
        default_value_t = 64 << 20,
        requires = "log_dir"
    )]
    pub log_file_bytes_max: u64,
    /// So is an older one
    #[arg(
        long = "log-file-age-max",
        alias = "log_file_age_max",
        value_name = "DURATION",
        default_value = "5m",
        value_parser = duration,
        requires = "log_dir"
    )]
    pub log_file_age_max: Duration,
    /// Requests that wait to be written; more are answered all the same, and not logged
    #[arg(
        long = "log-queue-max",
        alias = "log_queue_max",
        value_name = "N",
        default_value_t = 8192,
        requires = "log_dir"
    )]
    pub log_queue_max: usize,
}

/// Where `serve` sends traces, if it does.
#[derive(Debug, Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceArgs {
    /// Send traces of requests to this collector (OTLP over gRPC): `http://localhost:4317`, with TLS `https://…`
    #[arg(long = "otlp-endpoint", alias = "otlp_endpoint", value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// Authorities (PEM), one of which must have signed the collector's certificate [default: those of this machine]
    #[arg(long = "otlp-ca", alias = "otlp_ca", value_name = "FILE", env = "OTEL_EXPORTER_OTLP_CERTIFICATE")]
    pub otlp_ca: Option<PathBuf>,
    /// Certificate to show to the collector (PEM)
    #[arg(long = "otlp-cert", alias = "otlp_cert", value_name = "FILE", env = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")]
    pub otlp_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long = "otlp-key", alias = "otlp_key", value_name = "FILE", env = "OTEL_EXPORTER_OTLP_CLIENT_KEY")]
    pub otlp_key: Option<PathBuf>,
    /// Fraction of requests traced that belong to no trace yet; callers decide for theirs
    #[arg(
        long = "trace-sample",
        alias = "trace_sample",
        value_name = "FRACTION",
        default_value_t = 1.0,
        env = "OTEL_TRACES_SAMPLER_ARG"
    )]
    pub trace_sample: f64,
}

impl TraceArgs {
    /// The options of the server; an error for a sample that is no fraction, or a file that cannot be read.
    pub fn options(&self) -> Result<Option<TraceOptions>, String> {
        let Some(endpoint) = self.otlp_endpoint.clone().filter(|endpoint| !endpoint.is_empty()) else {
            return Ok(None);
        };
        if !(0.0..=1.0).contains(&self.trace_sample) {
            return Err(format!("`--trace-sample` is a fraction from 0 to 1, and {} is none", self.trace_sample));
        }
        let read =
            |file: &PathBuf| std::fs::read(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()));
        let authorities = self.otlp_ca.as_ref().map(read).transpose()?;
        let client = match (&self.otlp_cert, &self.otlp_key) {
            (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
            (None, None) => None,
            _ => return Err("`--otlp-cert` and `--otlp-key` belong together".to_owned()),
        };
        Ok(Some(TraceOptions { endpoint, authorities, client, sample: self.trace_sample }))
    }
}

/// What the files of the log hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormatName {
    /// One JSON object a line
    Jsonl,
    /// Parquet
    Parquet,
    /// A `TFRecord` of TF Serving's `PredictionLog`
    Tfrecord,
}

/// The key in a file, for hashes in the inference log.
pub fn read_hash_key(file: &std::path::Path) -> Result<HashKey, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    HashKey::new(&bytes).map_err(|error| format!("`{}`: {error}", file.display()))
}

impl LogArgs {
    /// What is hashed, and with which key.
    fn hash(&self) -> Result<Option<(Vec<String>, HashKey)>, String> {
        let Some(file) = self.log_hash_key.as_ref().filter(|_| !self.log_hash.is_empty()) else { return Ok(None) };
        Ok(Some((self.log_hash.clone(), read_hash_key(file)?)))
    }

    /// The options of the server; an error for a sample that is no fraction.
    pub fn options(&self) -> Result<Option<InferenceLogOptions>, String> {
        let Some(dir) = &self.log_dir else { return Ok(None) };
        if !(0.0..=1.0).contains(&self.log_sample) {
            return Err(format!("`--log-sample` is a fraction from 0 to 1, and {} is none", self.log_sample));
        }
        Ok(Some(InferenceLogOptions {
            format: match self.log_format {
                LogFormatName::Jsonl => LogFormat::JsonLines,
                LogFormatName::Parquet => LogFormat::Parquet,
                LogFormatName::Tfrecord => LogFormat::PredictionLogs,
            },
            sample: self.log_sample,
            exclude: self.log_exclude.clone(),
            hash: self.hash()?,
            file_bytes_max: self.log_file_bytes_max,
            file_age_max: self.log_file_age_max,
            queue_max: self.log_queue_max,
            ..InferenceLogOptions::new(dir)
        }))
    }
}
