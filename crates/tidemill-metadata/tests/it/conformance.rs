//! The implementations of this crate do what every implementation must do: see `tidemill-store-suite`.

use std::fs;

use tempfile::TempDir;
use tidemill_core::{ArtifactType, Digest};
use tidemill_metadata::{
    ArtifactStore, FolderArtifactStore, FolderLeases, MemoryArtifactStore, MemoryLeases, MemoryStore, SqliteStore,
};
use tidemill_store_suite::{artifact_store_suite, metadata_store_suite, run_leases_suite};

metadata_store_suite!(metadata_in_memory, async { (super::MemoryStore::new(), ()) });
metadata_store_suite!(metadata_in_sqlite, async {
    let dir = tempfile::tempdir().unwrap();
    (super::SqliteStore::open(&dir.path().join("metadata.db")).await.unwrap(), dir)
});

artifact_store_suite!(artifacts_in_a_folder, super::folder());
artifact_store_suite!(artifacts_in_memory, super::memory());

run_leases_suite!(leases_in_a_folder, {
    let dir = tempfile::tempdir().unwrap();
    (super::FolderLeases::new(dir.path()), dir)
});
run_leases_suite!(leases_in_memory, (super::MemoryLeases::new(), ()));

type Overwrite = Box<dyn Fn(&(dyn ArtifactStore + 'static), ArtifactType, &Digest, &str, &[u8])>;

fn folder() -> (FolderArtifactStore, Overwrite, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = FolderArtifactStore::open(&dir.path().join("artifacts")).unwrap();
    let behind = store.clone();
    let overwrite: Overwrite = Box::new(move |_, artifact_type, digest, file, bytes| {
        let path = behind.path(artifact_type, digest).join(file);
        fs::remove_file(&path).unwrap();
        fs::write(path, bytes).unwrap();
    });
    (store, overwrite, dir)
}

fn memory() -> (MemoryArtifactStore, Overwrite, ()) {
    let store = MemoryArtifactStore::new().unwrap();
    let behind = store.clone();
    let overwrite: Overwrite = Box::new(move |_, artifact_type, digest, file, bytes| {
        assert!(behind.overwrite(artifact_type, digest, file, bytes));
    });
    (store, overwrite, ())
}
