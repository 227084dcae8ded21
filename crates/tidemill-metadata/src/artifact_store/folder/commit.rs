//! Makes a staged artifact visible.

use std::fs::{self, File};
use std::path::Path;

use tidemill_core::{ArtifactType, Digest};

use super::super::{ContentList, Damage, Staged, StoredArtifact};
use super::{FolderArtifactStore, verified};
use crate::{ArtifactStore as _, StoreError};

impl FolderArtifactStore {
    #[allow(clippy::needless_pass_by_value, reason = "a staged artifact ends here, one way or the other")]
    pub(super) fn publish(&self, staged: Staged, artifact_type: ArtifactType) -> Result<StoredArtifact, StoreError> {
        let content = staged.seal(artifact_type)?;
        let digest = content.digest();
        let path = self.path(artifact_type, &digest);
        if path.exists() {
            match self.check(artifact_type, &digest) {
                Ok(()) => self.keep_list(&staged, artifact_type, &digest, &content)?,
                Err(StoreError::Damaged { .. }) => {
                    self.quarantine(artifact_type, &digest)?;
                    self.move_in(&staged, artifact_type, &digest, &content)?;
                }
                Err(error) => return Err(error),
            }
        } else {
            self.move_in(&staged, artifact_type, &digest, &content)?;
        }
        // The bytes were read a moment ago, to compute the digest.
        self.verified.remember(artifact_type, &digest, &path);
        verified::keep(&path, &self.stamp_path(artifact_type, &digest));
        Ok(StoredArtifact { artifact_type, digest, bytes: content.bytes(), files: content.files() })
    }

    fn move_in(
        &self,
        staged: &Staged,
        artifact_type: ArtifactType,
        digest: &Digest,
        content: &ContentList,
    ) -> Result<(), StoreError> {
        let prefix_dir = self.prefix_dir(artifact_type, digest);
        tidemill_files::create_folder(&prefix_dir)?;
        sync_folders(staged.path())?;
        // The list first: a list without its folder is harmless.
        write_list(staged, &self.list_path(artifact_type, digest), content)?;
        let path = self.path(artifact_type, digest);
        match fs::rename(staged.path(), &path) {
            Ok(()) => {}
            // Another process has committed the same content meanwhile.
            Err(_) if path.is_dir() => {}
            Err(error) => return Err(StoreError::unavailable(&path, error)),
        }
        Ok(tidemill_files::sync_folder(&prefix_dir)?)
    }

    /// Writes the list again if it was lost.
    fn keep_list(
        &self,
        staged: &Staged,
        artifact_type: ArtifactType,
        digest: &Digest,
        content: &ContentList,
    ) -> Result<(), StoreError> {
        let list = self.list_path(artifact_type, digest);
        if list.exists() { Ok(()) } else { write_list(staged, &list, content) }
    }
}

impl Staged {
    /// Makes the files of a staged artifact read-only, forces them to disk and lists them: the first step of a commit
    /// in every store.
    /// [`StoreError::Staged`] if there is no file, or anything but regular files and folders.
    pub fn seal(&self, artifact_type: ArtifactType) -> Result<ContentList, StoreError> {
        let refused = |damage: Damage| StoreError::Staged { artifact_type, reason: damage.to_string() };
        let content = ContentList::read(self.path(), true)?.map_err(refused)?;
        if content.files() == 0 {
            return Err(StoreError::Staged { artifact_type, reason: "it has no file".to_owned() });
        }
        Ok(content)
    }
}

/// Writes the list of files beside the future folder of the artifact.
fn write_list(staged: &Staged, target: &Path, content: &ContentList) -> Result<(), StoreError> {
    let draft = staged.path().with_extension("files");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&draft)?;
        std::io::Write::write_all(&mut file, content.text().as_bytes())?;
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions)?;
        file.sync_all()?;
        fs::rename(&draft, target)
    };
    write().map_err(|error| StoreError::unavailable(&draft, error))
}

/// Forces the entries of a folder and of all folders below it to disk.
fn sync_folders(root: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::unavailable(root, error);
    for entry in fs::read_dir(root).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    Ok(tidemill_files::sync_folder(root)?)
}
