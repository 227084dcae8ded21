//! The destination of a log, its format, and the choice of requests in it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemill_core::SplitMix64;

use super::{HashKey, InferenceLogOptions, LogFormat, ModelLog};

/// Where the files of a log are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LogLocation {
    /// A folder for each model inside this folder.
    Folder(PathBuf),
    /// Any path that begins with this prefix.
    Prefix(PathBuf),
}

/// One log.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) place: LogLocation,
    pub(super) format: LogFormat,
    pub(super) sample: f64,
    pub(super) exclude: Vec<String>,
    pub(super) hash: Option<(Vec<String>, HashKey)>,
    pub(super) file_bytes_max: u64,
    pub(super) file_age_max: Duration,
    seen: AtomicU64,
}

impl Sink {
    /// The log of every model.
    pub(super) fn for_all_models(options: &InferenceLogOptions) -> Self {
        Self {
            place: LogLocation::Folder(options.dir.clone()),
            format: options.format,
            sample: options.sample,
            exclude: options.exclude.clone(),
            hash: options.hash.clone(),
            file_bytes_max: options.file_bytes_max,
            file_age_max: options.file_age_max,
            seen: AtomicU64::new(0),
        }
    }

    /// The log of one model.
    pub(super) fn of_model(log: &ModelLog) -> Self {
        let defaults = InferenceLogOptions::new("");
        Self {
            place: LogLocation::Prefix(log.prefix.clone()),
            format: log.format,
            sample: log.sample,
            exclude: log.exclude.clone(),
            ..Self::for_all_models(&defaults)
        }
    }

    /// Whether the next request is logged. The choice is pseudo-random, so that the sample does not follow the rhythm
    /// of a client.
    pub(super) fn chooses(&self) -> bool {
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        self.sample >= 1.0 || SplitMix64::nth(number) < (self.sample.max(0.0) * 2f64.powi(64)) as u64
    }
}
