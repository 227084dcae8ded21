//! Staging folders: artifacts are written here before they are visible.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::StoreError;

/// A local folder to write an artifact into. No other process reads it; dropping it removes it.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    lock_path: PathBuf,
    /// Locked while the artifact is being written, so that a sweep can distinguish it from a leftover.
    _lock: File,
}

impl Staged {
    /// Creates a folder in `staging`, which must exist.
    pub fn create(staging: &Path) -> Result<Self, StoreError> {
        loop {
            let path = staging.join(uuid::Uuid::now_v7().to_string());
            let lock_path = path.with_extension("lock");
            let lock = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&lock_path)
                .map_err(|error| StoreError::unavailable(&lock_path, error))?;
            lock.lock().map_err(|error| StoreError::unavailable(&lock_path, error))?;
            // A sweep may have found the file before it was locked, and removed it.
            if !lock_path.exists() {
                continue;
            }
            fs::create_dir(&path).map_err(|error| StoreError::unavailable(&path, error))?;
            return Ok(Self { path, lock_path, _lock: lock });
        }
    }

    /// The folder to write into.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // The folder no longer exists if the artifact was committed. What cannot be removed now is swept later.
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_file(self.path.with_extension("files"));
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// Removes every folder whose lock is free; does nothing if `staging` does not exist.
pub(super) fn sweep(staging: &Path) -> Result<usize, StoreError> {
    let failed = |error| StoreError::unavailable(staging, error);
    let mut folders = 0;
    let entries = match fs::read_dir(staging) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let folder = entry.map_err(failed)?.path().with_extension("");
        let lock_path = folder.with_extension("lock");
        let _lock = match File::open(&lock_path) {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => Some(lock),
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(StoreError::unavailable(&lock_path, error)),
            },
            // Its writer finished after it was listed, or somebody removed the lock by hand.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(StoreError::unavailable(&lock_path, error)),
        };
        // The lock file last: until it is gone, the next sweep finds the rest.
        folders += usize::from(remove(&folder)?);
        remove(&folder.with_extension("files"))?;
        remove(&lock_path)?;
    }
    Ok(folders)
}

/// How long the unfinished work of a step is kept.
const WORK_KEPT: Duration = Duration::from_hours(30 * 24);

/// Removes the unfinished work of steps that was not touched for [`WORK_KEPT`]; does nothing if `work` does not exist.
pub(super) fn sweep_work(work: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::unavailable(work, error);
    let entries = match fs::read_dir(work) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let folder = entry.map_err(failed)?.path();
        // The newest of its files, as appending to one does not touch the folder.
        let files = fs::read_dir(&folder).into_iter().flatten().flatten().map(|file| file.path());
        let touched = files.chain([folder.clone()]).filter_map(|path| fs::metadata(path).ok()?.modified().ok()).max();
        if touched.and_then(|touched| touched.elapsed().ok()).is_some_and(|age| age > WORK_KEPT) {
            remove(&folder)?;
        }
    }
    Ok(())
}

/// Removes a file or folder; returns false if it does not exist.
pub(super) fn remove(path: &Path) -> Result<bool, StoreError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::unavailable(path, error)),
    }
}
