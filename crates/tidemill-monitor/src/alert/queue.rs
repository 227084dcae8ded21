//! Letters to receivers that wait to be delivered: files, so that none is lost if the process is killed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::book::Alert;
use crate::MonitorError;
use crate::log::Micros;
use crate::watch::{read_sealed, write_sealed};

/// What a receiver is to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// The name of the receiver in the monitor file.
    pub receiver: String,
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// When it was written.
    pub written: Micros,
    /// Attempts so far.
    pub attempts: u32,
    /// No attempt before this time.
    pub not_before: Micros,
    /// Why the last attempt failed.
    #[serde(default)]
    pub problem: Option<String>,
}

/// The letters of a monitor, in the order in which they were written.
#[derive(Debug, Clone)]
pub struct Queue {
    dir: PathBuf,
}

impl Queue {
    /// In the folder `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Adds a letter. The same letter twice is one: its name is made of what it says.
    pub fn add(&self, letter: &Letter) -> Result<(), MonitorError> {
        let said = letter.alerts.iter().map(|alert| format!("{}-{:?}-{}", alert.fingerprint, alert.state, alert.last));
        let said: String = said.collect::<Vec<_>>().join(",");
        let hash = xxhash_rust::xxh3::xxh3_64(format!("{} {said}", letter.receiver).as_bytes());
        write_sealed(&self.dir.join(format!("{:020}-{hash:016x}.json", letter.written)), "letter", letter)
    }

    /// All letters with their files.
    pub fn all(&self) -> Result<Vec<(PathBuf, Letter)>, MonitorError> {
        if !self.dir.is_dir() {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(&self.dir).map_err(MonitorError::io(&self.dir))?.flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        // Drafts of letters have another extension.
        paths.retain(|path| path.extension().is_some_and(|of| of == "json"));
        paths.sort();
        let mut letters = Vec::with_capacity(paths.len());
        for path in paths {
            if let Some(letter) = read_sealed(&path, "letter")? {
                letters.push((path, letter));
            }
        }
        Ok(letters)
    }

    /// Writes down a failed attempt: the next comes after 5 s, then twice as late each time, at most an hour.
    pub fn postpone(
        &self,
        path: &Path,
        letter: &Letter,
        problem: &str,
        now: Micros,
        at_least: Micros,
    ) -> Result<(), MonitorError> {
        let wait = (5_000_000_i64 << letter.attempts.min(10)).min(3_600_000_000).max(at_least);
        let attempts = letter.attempts.saturating_add(1);
        let later = Letter { attempts, not_before: now + wait, problem: Some(problem.to_owned()), ..letter.clone() };
        write_sealed(path, "letter", &later)
    }

    /// Removes a letter that was delivered.
    pub fn remove(&self, path: &Path) -> Result<(), MonitorError> {
        std::fs::remove_file(path).map_err(MonitorError::io(path))
    }
}
