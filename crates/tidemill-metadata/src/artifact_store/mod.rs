//! Artifact bytes.

mod content;
mod damage;
mod folder;
mod memory;
mod staging;

use std::fmt;
use std::path::PathBuf;

use tidemill_core::{ArtifactType, Digest};

use crate::StoreError;
pub use content::ContentList;
pub use damage::{Damage, DamageKind};
pub use folder::FolderArtifactStore;
pub use memory::MemoryArtifactStore;
pub use staging::Staged;

/// Stores the bytes of artifacts, each a tree of files named by its type and the digest of its content.
///
/// The trait covers what a folder and an object store have in common. An artifact is written to a local folder
/// ([`stage`](Self::stage)), becomes visible in one step under its digest ([`commit`](Self::commit)), and never changes
/// after that. Components read local files, so [`get`](Self::get) returns a local folder whose bytes have been compared
/// with the digest; a remote store downloads them first.
///
/// Calls block. An implementation may be used from any number of threads and processes. The
/// crate `tidemill-store-suite` has the cases that every implementation must pass.
pub trait ArtifactStore: fmt::Debug + Send + Sync {
    /// Returns a new empty local folder to write an artifact into. Dropping it removes it.
    fn stage(&self) -> Result<Staged, StoreError>;

    /// Makes a staged artifact visible under its digest, after forcing its bytes to disk.
    ///
    /// If an intact artifact of that digest already exists, the staged copy is dropped; a damaged one is replaced.
    /// [`StoreError::Staged`] if the folder is empty or contains anything but regular files and folders.
    fn commit(&self, staged: Staged, artifact_type: ArtifactType) -> Result<StoredArtifact, StoreError>;

    /// Returns a read-only local folder with the artifact, after comparing its bytes with the digest.
    ///
    /// Within one process the bytes are read once, and again only if size or times of a file have changed since.
    /// [`StoreError::Damaged`] names the first difference.
    fn get(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<PathBuf, StoreError>;

    /// Checks an artifact without reading it for use: as [`get`](Self::get), but trusts a large artifact whose files
    /// have the same size and times as at the last comparison.
    fn confirm(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<(), StoreError>;

    /// Reads all bytes of the artifact and compares them with the digest, regardless of earlier comparisons.
    fn verify(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<(), StoreError>;

    /// Whether an artifact with this digest exists. Its bytes are not read.
    fn contains(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<bool, StoreError>;

    /// Every artifact, in the order of type and digest.
    fn list(&self) -> Result<Vec<(ArtifactType, Digest)>, StoreError>;

    /// Removes the artifact; `false` if there was none.
    fn delete(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<bool, StoreError>;

    /// Moves a damaged artifact out of the store and keeps its remains for inspection. Returns their location; `None`
    /// if nothing was there.
    fn quarantine(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<Option<String>, StoreError>;

    /// A local folder, which may not exist, for what an unfinished step wants to find again at its next attempt. `key`
    /// names the work: the step's fingerprint.
    fn work(&self, key: &str) -> PathBuf;

    /// Removes incomplete artifacts of dead processes, and the unfinished work of steps that nobody has tried again for a
    /// month; returns how many artifacts there were.
    fn sweep_staging(&self) -> Result<usize, StoreError>;

    /// Where the artifact is, or would be, for people to read: a path or a URL.
    fn location(&self, artifact_type: ArtifactType, digest: &Digest) -> String;
}

/// An artifact whose bytes are in the store.
#[allow(missing_docs, reason = "plain data")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArtifact {
    pub artifact_type: ArtifactType,
    pub digest: Digest,
    /// Total size of its files.
    pub bytes: u64,
    /// Number of its files.
    pub files: u64,
}
