//! One run of a pipeline at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::StoreError;
use crate::registry::check_name;

/// How often [`RunLock::acquire`] looks again before it believes the lock is held: [`RunLock::is_held`] takes the
/// lock for the blink of an eye, and a run must not fail for that.
const ATTEMPTS: u32 = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// Held by the process that runs a pipeline; released when dropped, or by the operating system when the process
/// ends in whatever way.
///
/// ```text
/// .tidemill/
/// └── locks/
///     └── taxi-tips.lock     locked while held; holds the id of the process, for the error message only
/// ```
#[derive(Debug)]
pub struct RunLock {
    file: File,
    pipeline: String,
}

impl RunLock {
    /// Takes the lock of a pipeline in the store at `dir` (`.tidemill`), without waiting for it.
    ///
    /// [`StoreError::Busy`] if it is held, by this process or another.
    pub fn acquire(dir: &Path, pipeline: &str) -> Result<Self, StoreError> {
        let path = lock_path(dir, pipeline)?;
        let mut file = open(&path)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => thread::sleep(BETWEEN_ATTEMPTS),
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Busy { pipeline: pipeline.to_owned(), pid: holder(&mut file) });
                }
                Err(TryLockError::Error(error)) => return Err(StoreError::unavailable(&path, error)),
            }
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(|error| StoreError::unavailable(&path, error))?;
        Ok(Self { file, pipeline: pipeline.to_owned() })
    }

    /// Whether somebody holds the lock of a pipeline now: a RUNNING run without it is one whose process died.
    pub fn is_held(dir: &Path, pipeline: &str) -> Result<bool, StoreError> {
        let path = lock_path(dir, pipeline)?;
        if !path.exists() {
            return Ok(false);
        }
        match open(&path)?.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(StoreError::unavailable(&path, error)),
        }
    }

    /// The pipeline whose lock it is.
    pub fn pipeline(&self) -> &str {
        &self.pipeline
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Best effort: a stale process id could only mislead in an error message. Closing the file unlocks it.
        let _ = self.file.set_len(0);
    }
}

fn lock_path(dir: &Path, pipeline: &str) -> Result<PathBuf, StoreError> {
    check_name("pipeline", pipeline)?;
    Ok(dir.join("locks").join(format!("{pipeline}.lock")))
}

fn open(path: &Path) -> Result<File, StoreError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| StoreError::unavailable(parent, error))?;
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| StoreError::unavailable(path, error))
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_learns_who_holds_it() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(!RunLock::is_held(dir.path(), "taxi").expect("readable"));
        let lock = RunLock::acquire(dir.path(), "taxi").expect("free");
        assert!(RunLock::is_held(dir.path(), "taxi").expect("readable"));
        match RunLock::acquire(dir.path(), "taxi") {
            Err(StoreError::Busy { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        RunLock::acquire(dir.path(), "another").expect("another pipeline has a lock of its own");
        drop(lock);
        RunLock::acquire(dir.path(), "taxi").expect("free again");
    }

    #[test]
    fn a_name_that_would_leave_the_folder_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(matches!(RunLock::acquire(dir.path(), "../taxi"), Err(StoreError::InvalidName { .. })));
    }
}
