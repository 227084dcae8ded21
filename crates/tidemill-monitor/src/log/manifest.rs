//! Which compacted files belong to a log.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Micros;
use crate::MonitorError;

/// The version of the file.
const VERSION: u32 = 1;
const FILE: &str = "manifest.json";

/// `hours/manifest.json`: the files that count. Others in the folder are left from work that did not finish.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    /// The number that the next file gets in its name.
    pub next: u64,
    /// By hour.
    pub hours: Vec<HourFile>,
    /// Files of the server whose rows were all removed since.
    #[serde(default)]
    pub emptied: Vec<String>,
}

/// The rows of an hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HourFile {
    /// `2026-11-20T11`.
    pub hour: String,
    /// The name of the file.
    pub file: String,
    /// Its rows.
    pub rows: u64,
    /// The first time in it, in microseconds since 1970.
    pub first: Micros,
    /// The last time in it.
    pub last: Micros,
    /// The files of the server that its rows come from.
    pub sources: Vec<String>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self { version: VERSION, next: 1, hours: Vec::new(), emptied: Vec::new() }
    }
}

impl Manifest {
    /// That of a folder; an empty one if there is none.
    pub fn read(dir: &Path) -> Result<Self, MonitorError> {
        let path = dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(MonitorError::io(&path)(error)),
        };
        let damaged = |reason: String| MonitorError::Log {
            message: format!("`{}` is not a manifest of an inference log: {reason}", path.display()),
            hint: Some("restore it from a backup: it says which Parquet files of the folder count".to_owned()),
        };
        let read: Self = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if read.version != VERSION {
            return Err(damaged(format!("its version is {}, and {VERSION} is read", read.version)));
        }
        Ok(read)
    }

    /// Replaces that of a folder.
    pub fn write(&mut self, dir: &Path) -> Result<(), MonitorError> {
        self.hours.sort_by(|a, b| (&a.hour, &a.file).cmp(&(&b.hour, &b.file)));
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        Ok(tidemill_files::write(&dir.join(FILE), text + "\n")?)
    }

    /// The files of the server that were compacted.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let of_hours = self.hours.iter().flat_map(|hour| hour.sources.iter().map(String::as_str));
        of_hours.chain(self.emptied.iter().map(String::as_str))
    }

    /// Removes files of the folder that do not count, such as those of work that did not finish.
    pub fn sweep(&self, dir: &Path) -> Result<(), MonitorError> {
        for entry in std::fs::read_dir(dir).map_err(MonitorError::io(dir))? {
            let entry = entry.map_err(MonitorError::io(dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours = name.ends_with(".parquet") && !name.starts_with('.');
            if is_ours && !self.hours.iter().any(|hour| hour.file == name) {
                std::fs::remove_file(entry.path()).map_err(MonitorError::io(&entry.path()))?;
            }
        }
        Ok(())
    }
}
