//! Making a staged artifact visible.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tidemill_core::{ArtifactType, Digest};

use super::contents::Contents;
use super::{ArtifactStore, Staged, StoredArtifact, staging};
use crate::StoreError;

impl ArtifactStore {
    /// Makes a staged artifact visible under its digest, its bytes forced to disk before.
    ///
    /// If an artifact of that digest is there already, the staged copy is dropped, unless the one that is there
    /// is damaged: then the staged copy takes its place. [`StoreError::Staged`] if the folder is empty or holds
    /// anything but plain files and folders.
    #[allow(clippy::needless_pass_by_value, reason = "a staged artifact ends here, one way or the other")]
    pub fn commit(&self, staged: Staged, artifact_type: ArtifactType) -> Result<StoredArtifact, StoreError> {
        let odd = |(file, reason)| StoreError::Staged { artifact_type, file, reason };
        let contents = Contents::read(staged.path(), true)?.map_err(odd)?;
        if contents.files() == 0 {
            return Err(odd((".".to_owned(), "holds no file")));
        }
        let list = contents.list();
        let digest = Digest::from_bytes(blake3::hash(list.as_bytes()).as_bytes());
        let path = self.path(artifact_type, &digest);
        if path.is_dir() {
            match self.verify(artifact_type, &digest) {
                Ok(()) => {}
                Err(StoreError::Damaged { .. }) => {
                    self.set_aside(&path)?;
                    self.publish(&staged, artifact_type, &digest, &list)?;
                }
                Err(error) => return Err(error),
            }
        } else {
            self.publish(&staged, artifact_type, &digest, &list)?;
        }
        Ok(StoredArtifact { artifact_type, digest, bytes: contents.bytes(), files: contents.files(), path })
    }

    fn publish(
        &self,
        staged: &Staged,
        artifact_type: ArtifactType,
        digest: &Digest,
        list: &str,
    ) -> Result<(), StoreError> {
        let shelf = self.shelf(artifact_type, digest);
        fs::create_dir_all(&shelf).map_err(|error| StoreError::unavailable(&shelf, error))?;
        sync_folders(staged.path())?;
        // The list first: a folder without its list could not be verified, a list without its folder is nothing.
        write_list(staged, &self.list_path(artifact_type, digest), list)?;
        let path = self.path(artifact_type, digest);
        match fs::rename(staged.path(), &path) {
            Ok(()) => {}
            // Another process committed the same content in the meantime.
            Err(_) if path.is_dir() => {}
            Err(error) => return Err(StoreError::unavailable(&path, error)),
        }
        // The names on the way down must be on disk too.
        for folder in [Some(shelf.as_path()), shelf.parent(), Some(&self.root)].into_iter().flatten() {
            sync(folder)?;
        }
        Ok(())
    }

    /// Moves a damaged artifact out of the way and removes it.
    fn set_aside(&self, path: &Path) -> Result<(), StoreError> {
        let grave = self.stage()?;
        let aside: PathBuf = grave.path().join("damaged");
        match fs::rename(path, &aside) {
            Ok(()) => staging::remove(&aside).map(|_| ()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::unavailable(path, error)),
        }
    }
}

/// Puts the list of files beside where the artifact will be.
fn write_list(staged: &Staged, target: &Path, list: &str) -> Result<(), StoreError> {
    let draft = staged.path().with_extension("files");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&draft)?;
        std::io::Write::write_all(&mut file, list.as_bytes())?;
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
    sync(root)
}

fn sync(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(|error| StoreError::unavailable(folder, error))
}
