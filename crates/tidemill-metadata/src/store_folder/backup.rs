//! Backups of a store, and stores restored from backups.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidemill_core::{ArtifactType, Digest};

use super::StoreFolder;
use super::check::is_live;
use crate::{
    ArtifactFilter, ArtifactStore as _, FolderArtifactStore, MetadataStore as _, SecretKey, SqliteStore, StoreError,
    StoreId, StoreState, millis, sqlite,
};

/// The file that marks a folder as a backup. It is written last.
const MANIFEST: &str = "backup.json";

/// The content of a backup.
///
/// ```text
/// backup/
/// ├── backup.json         this
/// ├── metadata.db         the record, whole in one file
/// ├── artifacts/          as in the store
/// └── secret.key
/// ```
#[allow(missing_docs, reason = "plain data")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// 1.
    pub format: u32,
    /// The id of its store.
    pub store: StoreId,
    pub created_at: String,
    pub artifacts: u64,
    pub bytes: u64,
    /// Artifacts left out because they were damaged or missing.
    pub left_out: Vec<String>,
}

impl StoreFolder {
    /// Copies the store to the folder `to`, which must be new or empty, while other processes keep using the store.
    ///
    /// Compares every recorded artifact with its digest and copies it; leaves out a damaged one and reports it.
    pub async fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        match self.state()? {
            StoreState::Present => {}
            StoreState::Absent => return Err(StoreError::not_found("store", &self.dir.display().to_string(), [])),
            StoreState::Lost(reason) => return Err(StoreError::Lost { dir: self.dir.clone(), reason }),
        }
        if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
            let reason = "the folder is not empty".to_owned();
            return Err(StoreError::Backup { dir: to.to_owned(), reason });
        }
        tidemill_files::create_folder(to)?;
        let database = to.join("metadata.db");
        SqliteStore::open_to_read(&self.database()).await?.copy_to(&database).await?;
        let copy = SqliteStore::open_to_read(&database).await?;
        let (from, into) = (self.artifacts()?, FolderArtifactStore::open(&to.join("artifacts"))?);
        let mut report = BackupReport {
            format: 1,
            store: copy.id().clone(),
            created_at: millis::text(millis::now()),
            artifacts: 0,
            bytes: 0,
            left_out: Vec::new(),
        };
        for record in copy.artifacts(&ArtifactFilter::default(), usize::MAX).await?.into_iter().filter(is_live) {
            let artifact = record.artifact;
            match copy_artifact(&from, &into, artifact.artifact_type, &artifact.digest) {
                Ok(()) => {
                    report.artifacts += 1;
                    report.bytes += artifact.bytes;
                }
                Err(error @ StoreError::Damaged { .. }) => report.left_out.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        copy.close().await;
        remove_staging(&into)?;
        if self.key().exists() {
            copy_file(&self.key(), &to.join("secret.key"))?;
        }
        sync_file(&database)?;
        let text = serde_json::to_string_pretty(&report).map_err(|error| StoreError::unavailable(to, error))?;
        tidemill_files::write(&to.join(MANIFEST), text + "\n")?;
        Ok(report)
    }

    /// Restores the store from a backup, after checking the backup's database and every artifact.
    ///
    /// [`StoreError::Exists`] if a store exists, unless `replace`: then it is moved away. Returns where to.
    pub async fn restore(&self, from: &Path, replace: bool) -> Result<(BackupReport, Option<PathBuf>), StoreError> {
        let refused = |reason: String| StoreError::Backup { dir: from.to_owned(), reason };
        let manifest = fs::read(from.join(MANIFEST)).map_err(|error| {
            let reason = tidemill_files::reason(&error);
            refused(format!("`{MANIFEST}` cannot be read ({reason}); it is written when a backup is whole"))
        })?;
        let report: BackupReport =
            serde_json::from_slice(&manifest).map_err(|error| refused(format!("`{MANIFEST}`: {error}")))?;
        if report.format != 1 {
            return Err(refused(format!("it has format {}, this version reads format 1", report.format)));
        }
        if self.state()? == StoreState::Present && !replace {
            return Err(StoreError::Exists { dir: self.dir.clone() });
        }
        // Under another name until it is complete: a process killed in between leaves the old store as it was.
        let draft = self.dir.with_file_name(format!(
            ".{}.restore-{}",
            self.dir.file_name().unwrap_or_default().display(),
            uuid::Uuid::now_v7()
        ));
        let made = self.restore_to(from, &draft, &report).await;
        if let Err(error) = made {
            let _ = fs::remove_dir_all(&draft);
            return Err(error);
        }
        let moved = if self.dir.exists() { self.move_away()? } else { None };
        fs::rename(&draft, &self.dir).map_err(|error| StoreError::unavailable(&self.dir, error))?;
        self.open_or_create().await?;
        Ok((report, moved))
    }

    async fn restore_to(&self, from: &Path, draft: &Path, report: &BackupReport) -> Result<(), StoreError> {
        let refused = |reason: String| StoreError::Backup { dir: from.to_owned(), reason };
        tidemill_files::create_folder(draft)?;
        let database = draft.join("metadata.db");
        copy_file(&from.join("metadata.db"), &database)?;
        sqlite::prepare_restored(&database).await?;
        let metadata = SqliteStore::open(&database).await?;
        if let Some(problem) = metadata.integrity().await?.into_iter().next() {
            return Err(refused(format!("its database is damaged: {problem}")));
        }
        let (bytes, into) =
            (FolderArtifactStore::open(&from.join("artifacts"))?, FolderArtifactStore::open(&draft.join("artifacts"))?);
        for record in metadata.artifacts(&ArtifactFilter::default(), usize::MAX).await?.into_iter().filter(is_live) {
            let artifact = record.artifact;
            match copy_artifact(&bytes, &into, artifact.artifact_type, &artifact.digest) {
                Ok(()) => {}
                // The backup lists it as missing; the next run makes it again.
                Err(StoreError::Damaged { damage, .. }) if damage.is_missing() && !report.left_out.is_empty() => {}
                Err(error) => return Err(refused(error.to_string())),
            }
        }
        metadata.close().await;
        if from.join("secret.key").exists() {
            SecretKey::load(&from.join("secret.key"))?;
            copy_file(&from.join("secret.key"), &draft.join("secret.key"))?;
        }
        sync_file(&database)
    }

    /// Moves the folder's content out of the way; removes an empty folder.
    pub(super) fn move_away(&self) -> Result<Option<PathBuf>, StoreError> {
        if fs::remove_dir(&self.dir).is_ok() {
            return Ok(None);
        }
        let mut name = self.dir.file_name().unwrap_or_default().to_owned();
        name.push(format!(".replaced-{}", uuid::Uuid::now_v7()));
        let to = self.dir.with_file_name(name);
        fs::rename(&self.dir, &to).map_err(|error| StoreError::unavailable(&self.dir, error))?;
        Ok(Some(to))
    }
}

/// Copies an artifact from one store to another. Computing the digest of the copy verifies its bytes.
fn copy_artifact(
    from: &FolderArtifactStore,
    into: &FolderArtifactStore,
    artifact_type: ArtifactType,
    digest: &Digest,
) -> Result<(), StoreError> {
    if into.contains(artifact_type, digest)? {
        return Ok(());
    }
    let source = from.get(artifact_type, digest)?;
    let staged = into.stage()?;
    copy_folder(&source, staged.path())?;
    let stored = into.commit(staged, artifact_type)?;
    if stored.digest == *digest {
        Ok(())
    } else {
        into.delete(artifact_type, &stored.digest)?;
        Err(StoreError::unavailable(&source, "it changed while it was copied"))
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::unavailable(from, error);
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let to = to.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            tidemill_files::create_folder(&to)?;
            copy_folder(&entry.path(), &to)?;
        } else {
            copy_file(&entry.path(), &to)?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::copy(from, to).map(|_| ()).map_err(|error| StoreError::unavailable(to, error))
}

fn sync_file(path: &Path) -> Result<(), StoreError> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(|error| StoreError::unavailable(path, error))
}

/// Removes the staging folder, which has no place in a backup.
fn remove_staging(store: &FolderArtifactStore) -> Result<(), StoreError> {
    let staging = store.root().join("staging");
    match fs::remove_dir(&staging) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::unavailable(&staging, error)),
        _ => Ok(()),
    }
}
