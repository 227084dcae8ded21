//! The bytes of artifacts, in a folder, named by their digest.

mod commit;
mod contents;
mod staging;

use std::fs;
use std::path::{Path, PathBuf};

use tidemill_core::{ArtifactType, Digest};

use crate::StoreError;
use contents::Contents;
pub use staging::Staged;

/// The bytes of artifacts, each a folder of files named by the digest of its content.
///
/// ```text
/// .tidemill/artifacts/
/// ├── staging/                        being written; nobody reads here
/// │   ├── 019a3f….lock                locked by the process that writes; an unlocked one is a leftover
/// │   └── 019a3f…/
/// ├── Examples/
/// │   └── 5d/                         first two digits of the digest
/// │       ├── 5d41402a….files         the list of files that the digest is taken of
/// │       └── 5d41402a…/              the artifact; its files are read-only
/// │           ├── examples.json
/// │           └── Split-train/part-00000-of-00001.parquet
/// └── Model/
/// ```
///
/// The digest is BLAKE3 of the `.files` list, UTF-8 text: the line `tidemill artifact 1`, then a line for each
/// file in the byte order of their paths (`/` between the parts), each line ended by a newline:
///
/// ```text
/// <BLAKE3 of the file, 64 hexadecimal digits> <size in bytes> <path>
/// ```
///
/// So the order in which files are written, their times and their permissions do not count, and neither do
/// empty folders. An artifact becomes visible in one rename, after its bytes are on disk.
///
/// Calls block; the store may be used from any number of threads and processes.
#[derive(Debug, Clone)]
pub struct ArtifactStore {
    root: PathBuf,
}

/// An artifact whose bytes are in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArtifact {
    /// What it is.
    pub artifact_type: ArtifactType,
    /// Digest of its content.
    pub digest: Digest,
    /// Size of its files together.
    pub bytes: u64,
    /// Number of its files.
    pub files: u64,
    /// The folder that holds it. Read-only.
    pub path: PathBuf,
}

impl ArtifactStore {
    /// Opens the store in the folder `root` (`.tidemill/artifacts`), which is made if it is not there.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let root = std::path::absolute(root).map_err(|error| StoreError::unavailable(root, error))?;
        let store = Self { root };
        let staging = store.staging();
        fs::create_dir_all(&staging).map_err(|error| StoreError::unavailable(&staging, error))?;
        Ok(store)
    }

    /// The folder it is in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new empty folder to write an artifact into. Dropping it removes it.
    pub fn stage(&self) -> Result<Staged, StoreError> {
        Staged::create(&self.staging())
    }

    /// Removes what dead processes left in the staging folder; returns how many artifacts were half-written.
    pub fn sweep_staging(&self) -> Result<usize, StoreError> {
        staging::sweep(&self.staging())
    }

    /// Where the artifact is, or would be.
    pub fn path(&self, artifact_type: ArtifactType, digest: &Digest) -> PathBuf {
        self.shelf(artifact_type, digest).join(digest.as_str())
    }

    /// Whether the artifact is there. Its bytes are not looked at.
    pub fn contains(&self, artifact_type: ArtifactType, digest: &Digest) -> bool {
        self.path(artifact_type, digest).is_dir()
    }

    /// Reads all bytes of the artifact and compares them with the digest.
    ///
    /// [`StoreError::Damaged`] names the first file that is missing, altered or too many.
    pub fn verify(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<(), StoreError> {
        let list = self.list_path(artifact_type, digest);
        let damaged = |(file, reason): (String, &'static str)| StoreError::Damaged {
            artifact_type,
            digest: digest.clone(),
            file,
            reason,
        };
        let list_damaged = |reason| damaged((format!("{digest}.files"), reason));
        let text = match fs::read(&list) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(list_damaged("is missing")),
            Err(error) => return Err(StoreError::unavailable(&list, error)),
        };
        if Digest::from_bytes(blake3::hash(&text).as_bytes()) != *digest {
            return Err(list_damaged("is altered"));
        }
        let expected = Contents::parse(&text).ok_or_else(|| list_damaged("is of a format not known here"))?;
        expected.compare(&self.path(artifact_type, digest))?.map_or(Ok(()), |difference| Err(damaged(difference)))
    }

    fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    fn shelf(&self, artifact_type: ArtifactType, digest: &Digest) -> PathBuf {
        self.root.join(artifact_type.name()).join(&digest.as_str()[..2])
    }

    fn list_path(&self, artifact_type: ArtifactType, digest: &Digest) -> PathBuf {
        self.shelf(artifact_type, digest).join(format!("{digest}.files"))
    }
}
