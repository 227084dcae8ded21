//! Remembers which artifacts were compared with their digests, and when to compare again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, Metadata};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_core::{ArtifactType, Digest};

use super::super::content::walk;
use crate::StoreError;

/// Artifacts of this size or more would noticeably slow down every run if always compared; a smaller one takes less
/// than 0.2 seconds.
const LARGE_BYTES: u64 = 256 << 20;

/// First line of a `.verified` file.
const HEADER: &str = "tidemill verified 1\n";

/// The artifacts compared by this process, with the sizes and times of their files then.
#[derive(Debug, Default)]
pub(super) struct Verified {
    stamps: Mutex<HashMap<(ArtifactType, Digest), String>>,
}

impl Verified {
    /// Calls `compare` unless this process has compared the artifact before and no file has changed its size or times.
    pub(super) fn once(
        &self,
        artifact_type: ArtifactType,
        digest: &Digest,
        path: &Path,
        compare: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let stamp = stamp(path);
        let known = self.stamps().get(&(artifact_type, digest.clone())).cloned();
        if stamp.is_some() && known == stamp.as_ref().map(|(stamp, _)| stamp.clone()) {
            return Ok(());
        }
        compare()?;
        if let Some((stamp, _)) = stamp {
            self.stamps().insert((artifact_type, digest.clone()), stamp);
        }
        Ok(())
    }

    /// Records that the artifact was compared.
    pub(super) fn remember(&self, artifact_type: ArtifactType, digest: &Digest, path: &Path) {
        if let Some((stamp, _)) = stamp(path) {
            self.stamps().insert((artifact_type, digest.clone()), stamp);
        }
    }

    pub(super) fn forget(&self, artifact_type: ArtifactType, digest: &Digest) {
        self.stamps().remove(&(artifact_type, digest.clone()));
    }

    fn stamps(&self) -> MutexGuard<'_, HashMap<(ArtifactType, Digest), String>> {
        // A panic in another thread cannot leave half an entry.
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a large artifact still has the file sizes and times of its last comparison.
pub(super) fn is_unchanged(path: &Path, stamp_path: &Path) -> bool {
    let Ok(known) = fs::read_to_string(stamp_path) else { return false };
    stamp(path).is_some_and(|(stamp, bytes)| bytes >= LARGE_BYTES && stamp == known)
}

/// Stores the file sizes and times of a large artifact that was just compared. If they cannot be written, it is
/// compared again the next time.
pub(super) fn keep(path: &Path, stamp_path: &Path) {
    if let Some((stamp, bytes)) = stamp(path)
        && bytes >= LARGE_BYTES
        && !fs::read_to_string(stamp_path).is_ok_and(|known| known == stamp)
    {
        let _ = tidemill_files::write(stamp_path, stamp);
    }
}

/// Sizes, times and inodes of all files, with their total size; `None` if they cannot be read.
fn stamp(path: &Path) -> Option<(String, u64)> {
    let files = walk(path).ok()?.ok()?;
    let (mut text, mut bytes) = (HEADER.to_owned(), 0);
    for (name, path) in files {
        let found = fs::symlink_metadata(path).ok()?;
        bytes += found.len();
        writeln!(text, "{} {} {name}", found.len(), times(&found)).ok()?;
    }
    Some((text, bytes))
}

#[cfg(unix)]
fn times(found: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    // The change time of a file cannot be set by hand, so an edit that restores the modification time is detected.
    format!("{}.{} {}.{} {}", found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec(), found.ino())
}

#[cfg(not(unix))]
fn times(found: &Metadata) -> String {
    format!("{:?}", found.modified().ok())
}
