//! One run of a pipeline at a time.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::StoreError;
use crate::registry::check_name;

/// The leases of the pipelines of a store: a process that runs a pipeline holds its lease.
///
/// The crate `tidemill-store-suite` has the cases that every implementation must pass.
pub trait RunLeases: fmt::Debug + Send + Sync {
    /// Acquires the lease of a pipeline, without waiting for it.
    ///
    /// [`StoreError::Busy`] if it is held, by this process or another.
    fn acquire(&self, pipeline: &str) -> Result<Box<dyn RunLease>, StoreError>;

    /// Whether any process holds the lease of a pipeline: a RUNNING run without a lease belongs to a dead process.
    /// Needs no write permission.
    fn is_held(&self, pipeline: &str) -> Result<bool, StoreError>;
}

/// A lease held by the process that runs a pipeline; released when dropped, and some time after the process has died.
pub trait RunLease: fmt::Debug + Send + Sync {
    /// The pipeline whose lease it is.
    fn pipeline(&self) -> &str;

    /// Checks that the lease is still held, and renews it if it is about to expire.
    ///
    /// [`StoreError::LeaseLost`] if another process could have acquired it.
    fn renew(&self) -> Result<(), StoreError>;
}

/// How often [`RunLeases::acquire`] tries before it reports that the lease is held: [`RunLeases::is_held`] takes the
/// lock for an instant, and a run must not fail for that.
const ATTEMPTS: u32 = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// Leases as locked files. The operating system releases them when the process ends, however it ends.
///
/// ```text
/// .tidemill/
/// └── locks/
///     └── taxi-tips.lock     locked while held; holds the id of the process, for the error message only
/// ```
#[derive(Debug, Clone)]
pub struct FolderLeases {
    dir: PathBuf,
}

impl FolderLeases {
    /// The leases of the store in the folder `dir` (`.tidemill`). Nothing is written until one is acquired.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn path(&self, pipeline: &str) -> Result<PathBuf, StoreError> {
        check_name("pipeline", pipeline)?;
        Ok(self.dir.join("locks").join(format!("{pipeline}.lock")))
    }
}

impl RunLeases for FolderLeases {
    fn acquire(&self, pipeline: &str) -> Result<Box<dyn RunLease>, StoreError> {
        let path = self.path(pipeline)?;
        tidemill_files::create_parent(&path)?;
        let failed = |error| StoreError::unavailable(&path, error);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => thread::sleep(BETWEEN_ATTEMPTS),
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Busy { pipeline: pipeline.to_owned(), pid: holder(&mut file) });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        // Only for error messages of other processes: a full disk must not prevent a run.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Box::new(FileLease { file, path, pipeline: pipeline.to_owned() }))
    }

    fn is_held(&self, pipeline: &str) -> Result<bool, StoreError> {
        let path = self.path(pipeline)?;
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::unavailable(&path, error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(StoreError::unavailable(&path, error)),
        }
    }
}

#[derive(Debug)]
struct FileLease {
    file: File,
    path: PathBuf,
    pipeline: String,
}

impl RunLease for FileLease {
    fn pipeline(&self) -> &str {
        &self.pipeline
    }

    fn renew(&self) -> Result<(), StoreError> {
        let lost = |reason: &str| {
            let reason = format!("`{}` {reason}", self.path.display());
            Err(StoreError::LeaseLost { pipeline: self.pipeline.clone(), reason })
        };
        match (fs::metadata(&self.path), self.file.metadata()) {
            (Ok(named), Ok(held)) if is_same_file(&named, &held) => Ok(()),
            (Ok(_), Ok(_)) => lost("was replaced"),
            (Err(_), _) | (_, Err(_)) => lost("is gone"),
        }
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        // Best effort: a stale process id could only mislead in an error message. Closing the file unlocks it.
        let _ = self.file.set_len(0);
    }
}

#[cfg(unix)]
pub(crate) fn is_same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
pub(crate) fn is_same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    a.created().ok() == b.created().ok()
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Leases within this process, for a store in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryLeases {
    held: Arc<Mutex<BTreeSet<String>>>,
}

impl MemoryLeases {
    /// Leases, none of which is held.
    pub fn new() -> Self {
        Self::default()
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // A panic in another thread leaves the set intact.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunLeases for MemoryLeases {
    fn acquire(&self, pipeline: &str) -> Result<Box<dyn RunLease>, StoreError> {
        check_name("pipeline", pipeline)?;
        if !self.held().insert(pipeline.to_owned()) {
            return Err(StoreError::Busy { pipeline: pipeline.to_owned(), pid: Some(std::process::id()) });
        }
        Ok(Box::new(MemoryLease { leases: self.clone(), pipeline: pipeline.to_owned() }))
    }

    fn is_held(&self, pipeline: &str) -> Result<bool, StoreError> {
        check_name("pipeline", pipeline)?;
        Ok(self.held().contains(pipeline))
    }
}

#[derive(Debug)]
struct MemoryLease {
    leases: MemoryLeases,
    pipeline: String,
}

impl RunLease for MemoryLease {
    fn pipeline(&self) -> &str {
        &self.pipeline
    }

    fn renew(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.leases.held().remove(&self.pipeline);
    }
}
