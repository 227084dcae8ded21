//! Cases for `ArtifactStore`.

use std::collections::BTreeSet;
use std::fs;

use tidemill_core::{ArtifactType, Code, Coded as _, Digest};
use tidemill_metadata::{ArtifactStore, DamageKind, Staged, StoreError, StoredArtifact};

const EXAMPLES: ArtifactType = ArtifactType::Examples;
const MODEL: ArtifactType = ArtifactType::Model;

type Store = dyn ArtifactStore;
/// Overwrites a stored file behind the store's back.
type Overwrite<'a> = &'a dyn Fn(&Store, ArtifactType, &Digest, &str, &[u8]);

fn write(staged: &Staged, path: &str, bytes: &[u8]) {
    let path = staged.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn put(store: &Store, files: &[(&str, &[u8])]) -> StoredArtifact {
    let staged = store.stage().unwrap();
    for (path, bytes) in files {
        write(&staged, path, bytes);
    }
    store.commit(staged, EXAMPLES).unwrap()
}

fn nothing() -> Digest {
    Digest::from_bytes(&[7; 32])
}

pub fn an_artifact_is_found_under_the_digest_of_its_content(store: &Store, _: Overwrite<'_>) {
    let stored = put(store, &[("examples.json", b"{}"), ("Split-train/part-0.parquet", b"rows")]);
    assert_eq!((stored.bytes, stored.files, stored.artifact_type), (6, 2, EXAMPLES));
    // Made with Python's blake3 1.0.11: the digest of the list, its file digests taken the same way.
    assert_eq!(stored.digest.as_str(), "5cbeb64176a19a8dc31585c82b359e7d1bc2ab911a944a2d3dd7605af67e1bd8");
    let folder = store.get(EXAMPLES, &stored.digest).unwrap();
    assert_eq!(fs::read(folder.join("Split-train/part-0.parquet")).unwrap(), b"rows");
    assert_eq!(fs::read(folder.join("examples.json")).unwrap(), b"{}");
    assert!(store.contains(EXAMPLES, &stored.digest).unwrap());
    assert!(!store.contains(MODEL, &stored.digest).unwrap(), "a type has artifacts of its own");
    store.verify(EXAMPLES, &stored.digest).unwrap();
    store.confirm(EXAMPLES, &stored.digest).unwrap();
    assert_eq!(store.list().unwrap(), [(EXAMPLES, stored.digest.clone())]);
    assert!(store.location(EXAMPLES, &stored.digest).contains(stored.digest.as_str()));
}

pub fn the_same_content_is_stored_once(store: &Store, _: Overwrite<'_>) {
    let first = put(store, &[("b", b"2"), ("a", b"1")]);
    assert_eq!(put(store, &[("a", b"1"), ("b", b"2")]), first);
    assert_ne!(put(store, &[("a", b"1"), ("b", b"3")]).digest, first.digest);
    assert_eq!(store.list().unwrap().len(), 2);
}

pub fn what_is_staged_and_dropped_leaves_nothing(store: &Store, _: Overwrite<'_>) {
    let staged = store.stage().unwrap();
    write(&staged, "half/written", b"...");
    let path = staged.path().to_owned();
    assert_eq!(store.sweep_staging().unwrap(), 0, "its writer lives");
    assert!(path.exists());
    drop(staged);
    assert!(!path.exists());
    assert!(store.list().unwrap().is_empty());
}

pub fn only_regular_files_are_stored(store: &Store, _: Overwrite<'_>) {
    let refused = |staged: Staged| match store.commit(staged, MODEL) {
        Err(error @ StoreError::Staged { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let staged = store.stage().unwrap();
    fs::create_dir(staged.path().join("empty")).unwrap();
    assert!(refused(staged).ends_with("it has no file"));
    let staged = store.stage().unwrap();
    write(&staged, "sub/new\nline", b"");
    assert!(refused(staged).contains("has a name that is not plain text"));
    #[cfg(unix)]
    {
        let staged = store.stage().unwrap();
        write(&staged, "sub/file", b"");
        std::os::unix::fs::symlink("/etc/hosts", staged.path().join("sub/link")).unwrap();
        assert!(refused(staged).ends_with("`sub/link` is a symbolic link"));
    }
    assert!(store.list().unwrap().is_empty());
}

pub fn another_byte_is_damage_that_is_named(store: &Store, overwrite: Overwrite<'_>) {
    let stored = put(store, &[("a", b"one"), ("b/c", b"two")]);
    overwrite(store, EXAMPLES, &stored.digest, "b/c", b"tow");
    for found in [
        store.verify(EXAMPLES, &stored.digest),
        store.confirm(EXAMPLES, &stored.digest),
        store.get(EXAMPLES, &stored.digest).map(drop),
    ] {
        match found {
            Err(error @ StoreError::Damaged { .. }) => {
                assert_eq!(error.code(), Code::ArtifactDamaged);
                let text = error.to_string();
                assert!(text.contains("Examples artifact") && text.contains(stored.digest.short()), "{text}");
                assert!(text.contains("`b/c` has other bytes than were recorded (expected digest "), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
}

pub fn a_damaged_artifact_is_replaced_by_a_commit(store: &Store, overwrite: Overwrite<'_>) {
    let files: [(&str, &[u8]); 2] = [("a", b"one"), ("b/c", b"two")];
    let stored = put(store, &files);
    overwrite(store, EXAMPLES, &stored.digest, "a", b"1");
    assert!(store.get(EXAMPLES, &stored.digest).is_err());
    assert_eq!(put(store, &files), stored);
    let folder = store.get(EXAMPLES, &stored.digest).unwrap();
    assert_eq!(fs::read(folder.join("a")).unwrap(), b"one");
}

pub fn a_quarantined_artifact_is_gone_and_can_be_stored_again(store: &Store, overwrite: Overwrite<'_>) {
    let stored = put(store, &[("a", b"one")]);
    overwrite(store, EXAMPLES, &stored.digest, "a", b"eno");
    assert!(store.quarantine(EXAMPLES, &stored.digest).unwrap().is_some());
    assert!(!store.contains(EXAMPLES, &stored.digest).unwrap());
    assert!(store.list().unwrap().is_empty());
    assert_eq!(store.quarantine(EXAMPLES, &stored.digest).unwrap(), None);
    assert_eq!(put(store, &[("a", b"one")]), stored);
    store.verify(EXAMPLES, &stored.digest).unwrap();
}

pub fn a_deleted_artifact_is_gone(store: &Store, _: Overwrite<'_>) {
    let (stored, other) = (put(store, &[("a", b"one")]), put(store, &[("a", b"two")]));
    assert!(store.delete(EXAMPLES, &stored.digest).unwrap());
    assert!(!store.delete(EXAMPLES, &stored.digest).unwrap());
    assert!(store.get(EXAMPLES, &stored.digest).is_err());
    assert_eq!(store.list().unwrap(), [(EXAMPLES, other.digest)]);
}

pub fn what_is_not_there_is_missing(store: &Store, _: Overwrite<'_>) {
    for found in
        [store.verify(MODEL, &nothing()), store.confirm(MODEL, &nothing()), store.get(MODEL, &nothing()).map(drop)]
    {
        match found {
            Err(StoreError::Damaged { damage, .. }) => {
                assert!(damage.is_missing());
                assert_eq!(damage.kind, DamageKind::Missing);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(!store.contains(MODEL, &nothing()).unwrap());
    assert!(!store.delete(MODEL, &nothing()).unwrap());
}

pub fn many_threads_commit_at_once(store: &Store, _: Overwrite<'_>) {
    let digests: Vec<Vec<Digest>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u8)
            .map(|writer| {
                scope.spawn(move || {
                    let work = (0..10_u8).map(|round| {
                        // Every second artifact is the same for all writers.
                        let content = if round % 2 == 0 { [round, 0] } else { [round, writer] };
                        store.sweep_staging().unwrap();
                        put(store, &[("a", &content), ("b", b"same")]).digest
                    });
                    work.collect()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let distinct: BTreeSet<Digest> = digests.into_iter().flatten().collect();
    assert_eq!(distinct.len(), 5 + 5 * 8);
    for digest in distinct {
        store.verify(EXAMPLES, &digest).unwrap();
    }
}
