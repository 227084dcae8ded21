//! Artifact bytes in a local folder.

mod commit;
mod verified;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidemill_core::{ArtifactType, Digest};

use super::content::ContentList;
use super::{ArtifactStore, Damage, DamageKind, Staged, StoredArtifact, staging};
use crate::StoreError;
use verified::Verified;

/// The bytes of artifacts, each a folder of files named by the digest of its content.
///
/// ```text
/// .tidemill/artifacts/
/// ├── staging/                        being written; nobody reads here
/// │   ├── 019a3f….lock                locked by the process that writes; an unlocked one is a leftover
/// │   └── 019a3f…/
/// ├── work/                           unfinished steps by fingerprint: finished trials, checkpoints
/// ├── damaged/                        taken out of the store, for a person to look at
/// │   └── Model-5d41402a…-019a40…/
/// ├── Examples/
/// │   └── 5d/                         first two digits of the digest
/// │       ├── 5d41402a….files         the list of files that the digest is taken of: see `ContentList`
/// │       ├── 5d41402a….verified      of a large artifact: sizes and times of its files when they were last compared
/// │       └── 5d41402a…/              the artifact; its files are read-only
/// │           ├── examples.json
/// │           └── Split-train/part-00000-of-00001.parquet
/// └── Model/
/// ```
///
/// An artifact becomes visible in one rename, after its bytes are on disk.
#[derive(Debug, Clone)]
pub struct FolderArtifactStore {
    root: PathBuf,
    verified: Arc<Verified>,
}

impl FolderArtifactStore {
    /// The store in the folder `root` (`.tidemill/artifacts`). Nothing is written until an artifact is staged.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let root = std::path::absolute(root).map_err(|error| StoreError::unavailable(root, error))?;
        Ok(Self { root, verified: Arc::default() })
    }

    /// The folder of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of an artifact, whether or not it exists.
    pub fn path(&self, artifact_type: ArtifactType, digest: &Digest) -> PathBuf {
        self.prefix_dir(artifact_type, digest).join(digest.as_str())
    }

    /// The file that lists the files of an artifact.
    pub fn list_path(&self, artifact_type: ArtifactType, digest: &Digest) -> PathBuf {
        self.prefix_dir(artifact_type, digest).join(format!("{digest}.files"))
    }

    fn stamp_path(&self, artifact_type: ArtifactType, digest: &Digest) -> PathBuf {
        self.prefix_dir(artifact_type, digest).join(format!("{digest}.verified"))
    }

    fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    fn prefix_dir(&self, artifact_type: ArtifactType, digest: &Digest) -> PathBuf {
        self.root.join(artifact_type.name()).join(&digest.as_str()[..2])
    }

    /// Compares the bytes with the digest; returns the difference, if there is one.
    fn difference(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<Option<Damage>, StoreError> {
        let folder = self.path(artifact_type, digest);
        if !folder.exists() {
            return Ok(Some(Damage::new(".", DamageKind::Missing)));
        }
        let list = self.list_path(artifact_type, digest);
        let list_is = |kind| Ok(Some(Damage::new(format!("{digest}.files"), kind)));
        let text = match fs::read(&list) {
            Ok(text) => text,
            // A lost list can be made again from the bytes themselves.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return match ContentList::read(&folder, false)? {
                    Ok(content) if content.digest() == *digest => Ok(None),
                    _ => list_is(DamageKind::Missing),
                };
            }
            Err(error) => return list_is(DamageKind::Unreadable(tidemill_files::reason(&error))),
        };
        let found = ContentList::digest_of(&text);
        if found != *digest {
            let damage = Damage::new(format!("{digest}.files"), DamageKind::Altered);
            return Ok(Some(damage.expected(digest).found(&found)));
        }
        match ContentList::parse(&text) {
            Some(expected) => expected.compare(&folder),
            None => list_is(DamageKind::UnknownFormat),
        }
    }

    fn check(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<(), StoreError> {
        match self.difference(artifact_type, digest)? {
            None => Ok(()),
            Some(damage) => {
                self.verified.forget(artifact_type, digest);
                let _ = fs::remove_file(self.stamp_path(artifact_type, digest));
                Err(StoreError::Damaged { artifact_type, digest: digest.clone(), damage })
            }
        }
    }
}

impl ArtifactStore for FolderArtifactStore {
    fn stage(&self) -> Result<Staged, StoreError> {
        let staging = self.staging();
        tidemill_files::create_folder(&staging)?;
        Staged::create(&staging)
    }

    fn commit(&self, staged: Staged, artifact_type: ArtifactType) -> Result<StoredArtifact, StoreError> {
        self.publish(staged, artifact_type)
    }

    fn get(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<PathBuf, StoreError> {
        let path = self.path(artifact_type, digest);
        self.verified.once(artifact_type, digest, &path, || self.check(artifact_type, digest))?;
        Ok(path)
    }

    fn confirm(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<(), StoreError> {
        let (path, stamp) = (self.path(artifact_type, digest), self.stamp_path(artifact_type, digest));
        if verified::is_unchanged(&path, &stamp) {
            return Ok(());
        }
        self.verified.once(artifact_type, digest, &path, || self.check(artifact_type, digest))?;
        verified::keep(&path, &stamp);
        Ok(())
    }

    fn verify(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<(), StoreError> {
        self.check(artifact_type, digest)
    }

    fn contains(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.path(artifact_type, digest).is_dir())
    }

    fn list(&self) -> Result<Vec<(ArtifactType, Digest)>, StoreError> {
        let mut found = Vec::new();
        for name in names_in(&self.root)? {
            // Other folders, such as `staging`, do not have names of types.
            let Some(artifact_type) = name.parse::<ArtifactType>().ok().filter(|parsed| parsed.name() == name) else {
                continue;
            };
            let folder = self.root.join(&name);
            for prefix in names_in(&folder)? {
                for name in names_in(&folder.join(prefix))? {
                    let name = name.strip_suffix(".files").unwrap_or(&name);
                    if let Ok(digest) = name.parse::<Digest>() {
                        found.push((artifact_type, digest));
                    }
                }
            }
        }
        found.sort_by(|a, b| (a.0.name(), &a.1).cmp(&(b.0.name(), &b.1)));
        found.dedup();
        Ok(found)
    }

    fn delete(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<bool, StoreError> {
        self.verified.forget(artifact_type, digest);
        staging::remove(&self.stamp_path(artifact_type, digest))?;
        // The folder is renamed in one step, so that no reader finds half of it.
        let path = self.path(artifact_type, digest);
        let grave = self.stage()?;
        let removed = match fs::rename(&path, grave.path().join("deleted")) {
            Ok(()) => true,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(StoreError::unavailable(&path, error)),
        };
        let listed = staging::remove(&self.list_path(artifact_type, digest))?;
        Ok(removed || listed)
    }

    fn quarantine(&self, artifact_type: ArtifactType, digest: &Digest) -> Result<Option<String>, StoreError> {
        self.verified.forget(artifact_type, digest);
        let quarantine = self.root.join("damaged");
        tidemill_files::create_folder(&quarantine)?;
        let to = quarantine.join(format!("{artifact_type}-{}-{}", digest.short(), uuid::Uuid::now_v7()));
        let mut moved = false;
        let pieces = [
            (self.path(artifact_type, digest), to.clone()),
            (self.list_path(artifact_type, digest), to.with_extension("files")),
        ];
        for (from, to) in pieces {
            match fs::rename(&from, &to) {
                Ok(()) => moved = true,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::unavailable(&from, error)),
            }
        }
        staging::remove(&self.stamp_path(artifact_type, digest))?;
        Ok(moved.then(|| to.display().to_string()))
    }

    fn work(&self, key: &str) -> PathBuf {
        self.root.join("work").join(key)
    }

    fn sweep_staging(&self) -> Result<usize, StoreError> {
        staging::sweep_work(&self.root.join("work"))?;
        staging::sweep(&self.staging())
    }

    fn location(&self, artifact_type: ArtifactType, digest: &Digest) -> String {
        self.path(artifact_type, digest).display().to_string()
    }
}

/// The names in a folder; none if it does not exist.
fn names_in(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(StoreError::unavailable(folder, error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(|error| StoreError::unavailable(folder, error))?.file_name().into_string());
    }
    Ok(names)
}
