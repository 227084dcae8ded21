//! Retention: removing what is older than it may be.

use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::compact::lock;
use super::manifest::Manifest;
use super::{HOUR, InferenceLog, Micros, hour_name};
use crate::MonitorError;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Compacted hours.
    pub hours: usize,
    /// Their rows.
    pub rows: u64,
    /// Files of the server that were not compacted.
    pub files: usize,
}

impl InferenceLog {
    /// Removes the hours that ended before `before`, and the server's files that were completed before it. With
    /// `dry_run`, counts them only.
    pub fn prune(&self, before: Micros, dry_run: bool) -> Result<Pruned, MonitorError> {
        let dir = self.hours_dir();
        let mut done = Pruned::default();
        if dir.is_dir() {
            let _lock = lock(&dir)?;
            let mut manifest = Manifest::read(&dir)?;
            // The hour that `before` is in, and those after it, stay.
            let first_kept = hour_name(before.div_euclid(HOUR) * HOUR);
            let (gone, kept): (Vec<_>, Vec<_>) = manifest.hours.drain(..).partition(|hour| hour.hour < first_kept);
            done.hours = gone.len();
            done.rows = gone.iter().map(|hour| hour.rows).sum();
            if !dry_run && !gone.is_empty() {
                manifest.hours = kept;
                manifest.write(&dir)?;
                manifest.sweep(&dir)?;
            }
        }
        for name in self.raw_names()? {
            let path = self.dir.join(name);
            let metadata = std::fs::metadata(&path).map_err(MonitorError::io(&path))?;
            let completed = metadata.modified().map_err(MonitorError::io(&path))?;
            let completed = completed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as Micros);
            if completed < before {
                done.files += 1;
                if !dry_run {
                    std::fs::remove_file(&path).map_err(MonitorError::io(&path))?;
                }
            }
        }
        Ok(done)
    }
}
