//! Drafts: the hidden, locked files that content is written to before it gets its name.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::folder;

const ENDING: &str = ".tidemill-draft";

/// Whether a file of this name is a draft: written, or left behind by a process that was killed.
pub fn is_draft(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(ENDING))
}

/// Removes the drafts in a folder whose writers are dead. Returns how many there were.
///
/// A folder that does not exist has none.
pub fn sweep(folder: &Path) -> io::Result<usize> {
    sweep_those(folder, is_draft)
}

/// Removes the dead drafts of one target.
pub(crate) fn sweep_of(target: &Path) {
    let Some(name) = target.file_name() else { return };
    let begins = format!(".{}.", name.to_string_lossy());
    let of_target = |draft: &OsStr| is_draft(draft) && draft.to_string_lossy().starts_with(&begins);
    // Best effort: what cannot be removed now is in nobody's way.
    let _ = sweep_those(folder::parent(target), of_target);
}

fn sweep_those(folder: &Path, wanted: impl Fn(&OsStr) -> bool) -> io::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        if wanted(&entry.file_name()) && entry.file_type()?.is_file() && is_dead(&entry.path())? {
            match fs::remove_file(entry.path()) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(removed)
}

fn is_dead(draft: &Path) -> io::Result<bool> {
    let file = match File::open(draft) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Creates a draft beside `target` and locks it.
pub(crate) fn create(target: &Path) -> io::Result<(File, PathBuf)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!(".{}.{}-{number}{ENDING}", name.to_string_lossy(), std::process::id());
        let path = folder::parent(target).join(name);
        let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => file,
            // A dead process had the same id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        file.lock()?;
        // A sweep may have found the file before it was locked, and removed it.
        if path.exists() {
            return Ok((file, path));
        }
    }
}
