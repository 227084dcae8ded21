//! The trials of a search, a line each, kept from one attempt to the next.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use tidemill_core::{Code, ComponentError};
use tidemill_tune::Trial;

use super::hyperparameters::TRIALS_FILE;

/// A file that grows by a line for each finished trial.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal in the folder `dir`, which is made where it is not there, with the trials that it has. A line that
    /// was not written to its end, as when the process was killed, is dropped.
    pub(super) fn open(dir: &Path) -> Result<(Self, Vec<Trial>), ComponentError> {
        let path = dir.join(TRIALS_FILE);
        let failed = |error| cannot(&path, error);
        std::fs::create_dir_all(dir).map_err(failed)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        let (mut trials, mut whole) = (Vec::new(), 0_u64);
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(failed)?;
            let Some(trial) = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(line).ok()) else {
                break;
            };
            trials.push(trial);
            whole += read as u64;
        }
        file.set_len(whole).map_err(failed)?;
        Ok((Self { path, file }, trials))
    }

    /// Adds a trial, and returns when it is on disk.
    pub(super) fn add(&mut self, trial: &Trial) -> Result<(), ComponentError> {
        let mut line = serde_json::to_vec(trial).unwrap_or_default();
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(|error| cannot(&self.path, error))
    }
}

/// The trials of an artifact, in the folder `dir`, in the order of their numbers.
pub fn read_trials(dir: &Path) -> Result<Vec<Trial>, ComponentError> {
    let path = dir.join(TRIALS_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| cannot(&path, error))?;
    let of_line = |(line, text): (usize, &str)| {
        serde_json::from_str(text).map_err(|error| {
            let message = format!("`{}` cannot be read: line {}: {error}", path.display(), line + 1);
            ComponentError::new(Code::ArtifactDamaged, message)
        })
    };
    text.lines().enumerate().map(of_line).collect()
}

/// Writes all trials into the folder `dir` of an artifact.
pub(super) fn write(dir: &Path, trials: &[Trial]) -> Result<(), ComponentError> {
    let mut text = String::new();
    for trial in trials {
        text.push_str(&serde_json::to_string(trial).unwrap_or_default());
        text.push('\n');
    }
    let path = dir.join(TRIALS_FILE);
    std::fs::write(&path, text).map_err(|error| cannot(&path, error))
}

fn cannot(path: &Path, error: std::io::Error) -> ComponentError {
    ComponentError {
        source: Some(Box::new(error)),
        ..ComponentError::new(Code::Io, format!("the trials of the search cannot be kept in `{}`", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_dropped_and_the_journal_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let trial: Trial =
            serde_json::from_str(r#"{"number":0,"params":{"x":1},"state":"completed","value":0.5}"#).unwrap();
        let (mut journal, trials) = Journal::open(dir.path()).unwrap();
        assert_eq!(trials, []);
        journal.add(&trial).unwrap();
        journal.file.write_all(b"{\"number\":1,\"par").unwrap();
        let (mut journal, trials) = Journal::open(dir.path()).unwrap();
        assert_eq!(trials, std::slice::from_ref(&trial));
        let second = Trial { number: 1, ..trial.clone() };
        journal.add(&second).unwrap();
        assert_eq!(Journal::open(dir.path()).unwrap().1, [trial, second]);
    }
}
