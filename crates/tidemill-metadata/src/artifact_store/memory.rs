//! Artifact bytes in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use tidemill_core::{ArtifactType, Digest};

use super::{ArtifactStore, ContentList, Damage, DamageKind, Staged, StoredArtifact, staging};
use crate::StoreError;

/// Artifact bytes in memory, for tests; gone when dropped. Requested artifacts are copied to a temporary folder, as a
/// remote store does it.
#[derive(Debug, Clone)]
pub struct MemoryArtifactStore {
    /// Staged artifacts and copies.
    local: Arc<TempDir>,
    objects: Arc<Mutex<Objects>>,
}

/// Files by path, and the list of files at commit.
type Objects = BTreeMap<(String, Digest), (BTreeMap<String, Vec<u8>>, String)>;

impl MemoryArtifactStore {
    /// An empty store.
    pub fn new() -> Result<Self, StoreError> {
        let local = tempfile::tempdir().map_err(|error| StoreError::unavailable(&std::env::temp_dir(), error))?;
        let store = Self { local: Arc::new(local), objects: Arc::default() };
        tidemill_files::create_folder(&store.staging())?;
        Ok(store)
    }

    /// Changes the bytes of a stored file behind the store's back, for tests.
    pub fn overwrite(&self, artifact_type: ArtifactType, digest: &Digest, file: &str, bytes: &[u8]) -> bool {
        let mut objects = self.objects();
        let files = objects.get_mut(&key(artifact_type, digest)).map(|(files, _)| files);
        files.is_some_and(|files| files.insert(file.to_owned(), bytes.to_owned()).is_some())
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        // A panic in another thread cannot leave half an artifact: it is inserted whole.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn staging(&self) -> PathBuf {
        self.local.path().join("staging")
    }

    fn local(&self, artifact_type: ArtifactType, digest: &Digest) -> PathBuf {
        self.local.path().join(artifact_type.name()).join(digest.as_str())
    }

    /// Writes the files to a local folder and compares them with the list.
    fn copy_to(&self, artifact_type: ArtifactType, digest: &Digest, to: &Path) -> Result<(), StoreError> {
        let damaged = |damage| StoreError::Damaged { artifact_type, digest: digest.clone(), damage };
        let found = self.objects().get(&key(artifact_type, digest)).cloned();
        let (files, list) = found.ok_or_else(|| damaged(Damage::new(".", DamageKind::Missing)))?;
        for (name, bytes) in &files {
            let path = to.join(name);
            tidemill_files::create_parent(&path)?;
            fs::write(&path, bytes).map_err(|error| StoreError::unavailable(&path, error))?;
        }
        let unknown = || damaged(Damage::new(format!("{digest}.files"), DamageKind::UnknownFormat));
        let expected = ContentList::parse(list.as_bytes()).ok_or_else(unknown)?;
        expected.compare(to)?.map_or(Ok(()), |damage| Err(damaged(damage)))
    }
}

fn key(artifact_type: ArtifactType, digest: &Digest) -> (String, Digest) {
    (artifact_type.name().to_owned(), digest.clone())
}

impl ArtifactStore for MemoryArtifactStore {
    fn stage(&self) -> Result<Staged, StoreError> {
        Staged::create(&self.staging())
    }

    fn commit(&self, staged: Staged, artifact_type: ArtifactType) -> Result<StoredArtifact, StoreError> {
        let content = staged.seal(artifact_type)?;
        let mut files = BTreeMap::new();
        for name in content.paths() {
            let path = staged.path().join(name);
            let bytes = fs::read(&path).map_err(|error| StoreError::unavailable(&path, error))?;
            files.insert(name.to_owned(), bytes);
        }
        let digest = content.digest();
        staging::remove(&self.local(artifact_type, &digest))?;
        self.objects().insert(key(artifact_type, &digest), (files, content.text()));
        Ok(StoredArtifact { artifact_type, digest, bytes: content.bytes(), files: content.files() })
    }

    fn get(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<PathBuf, StoreError> {
        let to = self.local(artifact_type, digest);
        if to.exists() && self.contains(artifact_type, digest)? {
            return Ok(to);
        }
        let draft = self.stage()?;
        self.copy_to(artifact_type, digest, draft.path())?;
        tidemill_files::create_parent(&to)?;
        match fs::rename(draft.path(), &to) {
            Err(error) if !to.exists() => Err(StoreError::unavailable(&to, error)),
            _ => Ok(to),
        }
    }

    fn confirm(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<(), StoreError> {
        self.verify(artifact_type, digest)
    }

    fn verify(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<(), StoreError> {
        let draft = self.stage()?;
        self.copy_to(artifact_type, digest, draft.path())
    }

    fn contains(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.objects().contains_key(&key(artifact_type, digest)))
    }

    fn list(&self) -> Result<Vec<(ArtifactType, Digest)>, StoreError> {
        let objects = self.objects();
        Ok(objects.keys().filter_map(|(name, digest)| Some((name.parse().ok()?, digest.clone()))).collect())
    }

    fn delete(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<bool, StoreError> {
        staging::remove(&self.local(artifact_type, digest))?;
        Ok(self.objects().remove(&key(artifact_type, digest)).is_some())
    }

    fn quarantine(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<Option<String>, StoreError> {
        let location = self.location(artifact_type, digest);
        Ok(self.delete(artifact_type, digest)?.then_some(location))
    }

    fn work(&self, key: &str) -> PathBuf {
        self.local.path().join("work").join(key)
    }

    fn sweep_staging(&self) -> Result<usize, StoreError> {
        staging::sweep(&self.staging())
    }

    fn location(&self, artifact_type: ArtifactType, digest: &Digest) -> String {
        format!("memory:{artifact_type}/{digest}")
    }
}
