//! Folders: made with those above them, and forced to disk.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::FileError;

/// Creates a folder and those above it, and forces the new names to disk.
pub fn create_folder(folder: &Path) -> Result<(), FileError> {
    let failed = |error| FileError::new(folder, "creating the folder", error);
    if folder.is_dir() {
        return Ok(());
    }
    let existing = folder.ancestors().find(|above| above.is_dir()).map(Path::to_owned);
    fs::create_dir_all(folder).map_err(failed)?;
    // From the first new folder upwards to the one that was there: each holds a new name.
    for above in folder.ancestors().skip(1) {
        sync(parent_or_here(above)).map_err(failed)?;
        if existing.as_deref() == Some(above) {
            break;
        }
    }
    Ok(())
}

/// Creates the folder that `path` is in.
pub fn create_parent(path: &Path) -> Result<(), FileError> {
    create_folder(parent(path))
}

/// Forces the names in a folder to disk.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    sync(parent_or_here(folder)).map_err(|error| FileError::new(folder, "writing", error))
}

/// The folder that `path` is in; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().map_or(Path::new("."), parent_or_here)
}

fn parent_or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

#[cfg(unix)]
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|file| file.sync_all()) {
        // Some network and overlay file systems cannot sync a folder.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

#[cfg(not(unix))]
pub(crate) fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}
