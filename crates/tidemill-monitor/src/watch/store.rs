//! The state of a monitor on disk.
//!
//! ```text
//! .tidemill/monitors/taxi/state.json                        what was read, open windows, alerts
//! .tidemill/monitors/taxi/profiles/3.json                   the reference of version 3
//! .tidemill/monitors/taxi/windows/2026-03-01T14:00Z-3.json  a closed window of version 3
//! .tidemill/monitors/taxi/queue/                            what receivers are still to be told
//! ```
//!
//! Every file begins with a line that says what it is, its version and the hash of the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::profile::Profile;
use super::report::WindowReport;
use crate::MonitorError;
use crate::log::{Micros, parse_time, rfc3339};

/// The version of all files of a monitor.
const FORMAT: u32 = 1;

/// Writes a value with its kind, version and hash.
pub(crate) fn write_sealed(path: &Path, kind: &str, value: &impl Serialize) -> Result<(), MonitorError> {
    let body = serde_json::to_string(value).map_err(|error| MonitorError::state(path, error))?;
    let text = format!("tidemill {kind} {FORMAT} {:016x}\n{body}\n", xxh3_64(body.as_bytes()));
    tidemill_files::create_parent(path)?;
    Ok(tidemill_files::write(path, text)?)
}

/// Reads what [`write_sealed`] wrote; `None` if there is no file.
pub(crate) fn read_sealed<T: DeserializeOwned>(path: &Path, kind: &str) -> Result<Option<T>, MonitorError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(MonitorError::state(path, "it is not text"));
        }
        Err(error) => return Err(MonitorError::io(path)(error)),
    };
    let wrong = |reason: String| MonitorError::state(path, reason);
    let (head, body) = text.split_once('\n').ok_or_else(|| wrong("it has no first line".to_owned()))?;
    let words: Vec<&str> = head.split(' ').collect();
    let ["tidemill", found, format, hash] = words[..] else {
        return Err(wrong("its first line is another".to_owned()));
    };
    if found != kind {
        return Err(wrong(format!("it holds a {found}, not a {kind}")));
    }
    if format != FORMAT.to_string() {
        return Err(wrong(format!("its format is {format}, and {FORMAT} is read")));
    }
    let body = body.trim_end_matches('\n');
    if format!("{:016x}", xxh3_64(body.as_bytes())) != hash {
        return Err(wrong("its hash is another".to_owned()));
    }
    serde_json::from_str(body).map(Some).map_err(|error| wrong(error.to_string()))
}

/// The folder of a monitor's state; or none, for a replay that leaves nothing behind.
#[derive(Debug, Clone)]
pub struct StateFolder {
    dir: Option<PathBuf>,
    kept: BTreeMap<(Micros, u64), WindowReport>,
    profiles: BTreeMap<u64, Profile>,
}

impl StateFolder {
    /// In this folder.
    pub fn on_disk(dir: &Path) -> Self {
        Self { dir: Some(dir.to_owned()), kept: BTreeMap::new(), profiles: BTreeMap::new() }
    }

    /// In memory.
    pub fn in_memory() -> Self {
        Self { dir: None, kept: BTreeMap::new(), profiles: BTreeMap::new() }
    }

    /// The folder.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Removes everything of the monitor that can be computed again from its log.
    pub fn clear(&mut self) -> Result<(), MonitorError> {
        self.kept.clear();
        self.profiles.clear();
        let Some(dir) = &self.dir else { return Ok(()) };
        for name in ["state.json", "windows", "profiles"] {
            let path = dir.join(name);
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(MonitorError::io(&path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn window_path(dir: &Path, start: Micros, version: u64) -> PathBuf {
        let minute: String = rfc3339(start).chars().take(16).collect();
        dir.join("windows").join(format!("{minute}Z-{version}.json"))
    }

    /// Keeps a closed window.
    pub fn put(&mut self, report: WindowReport) -> Result<(), MonitorError> {
        if let Some(dir) = &self.dir {
            write_sealed(&Self::window_path(dir, report.start, report.version), "window", &report)?;
        }
        self.kept.insert((report.start, report.version), report);
        // Enough for a comparison with last week; the rest is on disk.
        while self.dir.is_some() && self.kept.len() > 1000 {
            self.kept.pop_first();
        }
        Ok(())
    }

    /// A closed window.
    pub fn get(&self, start: Micros, version: u64) -> Result<Option<WindowReport>, MonitorError> {
        if let Some(report) = self.kept.get(&(start, version)) {
            return Ok(Some(report.clone()));
        }
        match &self.dir {
            Some(dir) => read_sealed(&Self::window_path(dir, start, version), "window"),
            None => Ok(None),
        }
    }

    /// The start and version of all closed windows that begin in a period, in order.
    pub fn list(&self, from: Micros, to: Micros) -> Result<Vec<(Micros, u64)>, MonitorError> {
        let mut found: std::collections::BTreeSet<(Micros, u64)> = self.kept.keys().copied().collect();
        if let Some(dir) = self.dir.as_ref().map(|dir| dir.join("windows")).filter(|dir| dir.is_dir()) {
            for entry in std::fs::read_dir(&dir).map_err(MonitorError::io(&dir))? {
                let name = entry.map_err(MonitorError::io(&dir))?.file_name().to_string_lossy().into_owned();
                let of_name = || {
                    let (minute, version) = name.strip_suffix(".json")?.split_once("Z-")?;
                    Some((parse_time(&format!("{minute}:00Z"))?, version.parse().ok()?))
                };
                found.extend(of_name());
            }
        }
        Ok(found.into_iter().filter(|(start, _)| (from..to).contains(start)).collect())
    }

    /// The reference of a version, if it was kept.
    pub fn profile(&self, version: u64) -> Result<Option<Profile>, MonitorError> {
        if let Some(known) = self.profiles.get(&version) {
            return Ok(Some(known.clone()));
        }
        match &self.dir {
            Some(dir) => read_sealed(&dir.join(format!("profiles/{version}.json")), "profile"),
            None => Ok(None),
        }
    }

    /// Keeps the reference of a version.
    pub fn put_profile(&mut self, profile: &Profile) -> Result<(), MonitorError> {
        self.profiles.insert(profile.version, profile.clone());
        match &self.dir {
            Some(dir) => write_sealed(&dir.join(format!("profiles/{}.json", profile.version)), "profile", profile),
            None => Ok(()),
        }
    }
}
