//! What stays of a job when its folder is gone: checkpoints of an attempt that failed, and the output of each attempt.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tidemill_core::{ComponentError, Digest, RunInfo};

use super::job::io;

/// Outputs that are kept of a step.
const LOGS_MAX: usize = 20;
/// Trainings of a step whose checkpoints are kept: other data or parameters are another training.
const TRAININGS_MAX: usize = 3;
/// A longer output is cut.
const LOG_BYTES_MAX: u64 = 64 << 20;

/// Where the checkpoints and the outputs of a step are kept.
///
/// ```text
/// PIPELINE/STEP/
///   checkpoints/KEY/    what the program wrote into its folder of checkpoints; gone once it succeeded
///   logs/RUN-1.log      the output of an attempt; the newest 20 stay
/// ```
#[derive(Debug, Clone)]
pub struct JobFolder {
    folder: PathBuf,
    /// The same for attempts at the same training.
    key: String,
    run: String,
}

impl JobFolder {
    /// The folder of the step of `run` below `jobs`. `training` identifies what is trained: data, parameters and code.
    pub fn new(jobs: &Path, run: &RunInfo, training: &[u8]) -> Self {
        let digest = Digest::from_bytes(blake3::hash(training).as_bytes());
        Self {
            folder: jobs.join(plain(&run.pipeline)).join(plain(&run.step)),
            key: digest.short().to_string(),
            run: plain(&run.run_id),
        }
    }

    /// The folder of checkpoints, which is made where it is missing. Those of older trainings are removed.
    pub(super) fn checkpoints(&self) -> Result<PathBuf, ComponentError> {
        let all = self.folder.join("checkpoints");
        let own = all.join(&self.key);
        fs::create_dir_all(&own).map_err(|error| io("cannot make a folder for checkpoints", error))?;
        for old in oldest(&all, TRAININGS_MAX).into_iter().filter(|old| *old != own) {
            let _ = fs::remove_dir_all(old);
        }
        Ok(own)
    }

    /// Removes the checkpoints of a training that succeeded.
    pub(super) fn done(&self) {
        let _ = fs::remove_dir_all(self.folder.join("checkpoints").join(&self.key));
    }

    /// A new file for the output of an attempt. The oldest outputs are removed.
    pub(super) fn log(&self) -> Result<LogFile, ComponentError> {
        let failed = |error| io("cannot make a file for the output of the training command", error);
        let folder = self.folder.join("logs");
        fs::create_dir_all(&folder).map_err(failed)?;
        for old in oldest(&folder, LOGS_MAX - 1) {
            let _ = fs::remove_file(old);
        }
        let path =
            (1..10_000).map(|attempt| folder.join(format!("{}-{attempt}.log", self.run))).find(|path| !path.exists());
        let path = path.unwrap_or_else(|| folder.join(format!("{}.log", self.run)));
        let file = fs::File::create(&path).map_err(failed)?;
        Ok(LogFile { path, file, bytes: 0 })
    }
}

/// The output of an attempt, line by line.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    file: fs::File,
    bytes: u64,
}

impl LogFile {
    /// Adds a part of the output. A full disk does not end a training.
    pub(super) fn push(&mut self, part: &[u8]) {
        if self.bytes + part.len() as u64 <= LOG_BYTES_MAX {
            self.bytes += part.len() as u64;
            let _ = self.file.write_all(part);
        }
    }
}

/// The entries of a folder but the `kept` newest, by the time of their last change.
fn oldest(folder: &Path, kept: usize) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let changed =
        |entry: &fs::DirEntry| entry.metadata().and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut entries: Vec<(SystemTime, PathBuf)> = entries.map(|entry| (changed(&entry), entry.path())).collect();
    entries.sort();
    let old = entries.len().saturating_sub(kept);
    entries.into_iter().take(old).map(|(_, path)| path).collect()
}

/// A name that is safe as one of a file.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let text: String = name.chars().map(plain).collect();
    if text.is_empty() { "_".to_owned() } else { text }
}
