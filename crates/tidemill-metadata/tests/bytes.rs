//! The artifact store: digests, damage, crashes, company.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;
use tidemill_core::ArtifactType;
use tidemill_core::{Code, Coded as _};
use tidemill_metadata::{ArtifactStore, Staged, StoreError, StoredArtifact};

const EXAMPLES: ArtifactType = ArtifactType::Examples;
const MODEL: ArtifactType = ArtifactType::Model;

fn store() -> (TempDir, ArtifactStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(&dir.path().join("artifacts")).unwrap();
    (dir, store)
}

fn write(staged: &Staged, path: &str, bytes: &[u8]) {
    let path = staged.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn put<'a>(store: &ArtifactStore, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> StoredArtifact {
    let staged = store.stage().unwrap();
    for (path, bytes) in files {
        write(&staged, path, bytes);
    }
    store.commit(staged, EXAMPLES).unwrap()
}

/// Everything below the store, without what is inside artifacts.
fn staging(store: &TempDir) -> Vec<PathBuf> {
    let found = fs::read_dir(store.path().join("artifacts/staging")).unwrap();
    found.map(|entry| entry.unwrap().path()).collect()
}

fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_artifact_lies_under_its_digest() {
    let (dir, store) = store();
    let stored = put(&store, [("examples.json", &b"{}"[..]), ("Split-train/part-0.parquet", b"rows")]);
    assert_eq!((stored.bytes, stored.files), (6, 2));
    // Made with Python's blake3 1.0.11: the digest of the list, its file digests taken the same way.
    assert_eq!(stored.digest.as_str(), "5cbeb64176a19a8dc31585c82b359e7d1bc2ab911a944a2d3dd7605af67e1bd8");
    let shelf = dir.path().join("artifacts/Examples").join(&stored.digest.as_str()[..2]);
    assert_eq!(stored.path, shelf.join(stored.digest.as_str()));
    assert_eq!(stored.path, store.path(EXAMPLES, &stored.digest));
    assert_eq!(fs::read(stored.path.join("Split-train/part-0.parquet")).unwrap(), b"rows");
    assert!(fs::metadata(stored.path.join("examples.json")).unwrap().permissions().readonly());
    let list = fs::read_to_string(shelf.join(format!("{}.files", stored.digest))).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "tidemill artifact 1");
    assert!(lines[1].ends_with(" 4 Split-train/part-0.parquet") && lines[2].ends_with(" 2 examples.json"), "{list}");
    assert!(store.contains(EXAMPLES, &stored.digest) && !store.contains(MODEL, &stored.digest));
    store.verify(EXAMPLES, &stored.digest).unwrap();
    assert!(staging(&dir).is_empty());
}

#[test]
fn the_same_content_is_kept_once() {
    let (dir, store) = store();
    let first = put(&store, [("a", &b"1"[..])]);
    assert_eq!(put(&store, [("a", &b"1"[..])]), first);
    assert!(staging(&dir).is_empty());
}

#[test]
fn a_staged_artifact_that_is_dropped_leaves_nothing() {
    let (dir, store) = store();
    let staged = store.stage().unwrap();
    write(&staged, "half/written", b"...");
    drop(staged);
    assert!(staging(&dir).is_empty());
}

#[test]
fn what_cannot_be_stored_is_named() {
    let (dir, store) = store();
    let refused = |staged: Staged| match store.commit(staged, MODEL) {
        Err(StoreError::Staged { file, reason, .. }) => format!("{file} {reason}"),
        other => panic!("{other:?}"),
    };
    let staged = store.stage().unwrap();
    fs::create_dir(staged.path().join("empty")).unwrap();
    assert_eq!(refused(staged), ". holds no file");
    let staged = store.stage().unwrap();
    write(&staged, "sub/new\nline", b"");
    assert_eq!(refused(staged), "sub/new\nline has a name that is not plain text");
    #[cfg(unix)]
    {
        let staged = store.stage().unwrap();
        write(&staged, "sub/file", b"");
        std::os::unix::fs::symlink("/etc/hosts", staged.path().join("sub/link")).unwrap();
        assert_eq!(refused(staged), "sub/link is a symbolic link");
    }
    assert!(staging(&dir).is_empty());
    assert!(!dir.path().join("artifacts/Model").exists());
}

#[test]
fn damage_is_found_and_named() {
    let (_dir, store) = store();
    let files = [("a", &b"one"[..]), ("b/c", b"two"), ("d", b"three")];
    let stored = put(&store, files);
    let found = || match store.verify(EXAMPLES, &stored.digest) {
        Err(error @ StoreError::Damaged { .. }) => {
            assert_eq!(error.code(), Code::ArtifactDamaged);
            error.to_string().split_once("damaged: ").unwrap().1.to_owned()
        }
        other => panic!("{other:?}"),
    };
    overwrite(&stored.path.join("b/c"), b"tow");
    assert_eq!(found(), "`b/c` has other bytes than were recorded");
    overwrite(&stored.path.join("b/c"), b"twoo");
    assert_eq!(found(), "`b/c` has another size than was recorded");
    fs::remove_file(stored.path.join("b/c")).unwrap();
    assert_eq!(found(), "`b/c` is missing");
    overwrite(&stored.path.join("a"), b"one");
    fs::write(stored.path.join("aa"), b"").unwrap();
    assert_eq!(found(), "`aa` does not belong there");

    // The same content again takes the place of what is damaged.
    assert_eq!(put(&store, files), stored);
    store.verify(EXAMPLES, &stored.digest).unwrap();

    fs::write(stored.path.join("e"), b"").unwrap();
    assert_eq!(found(), "`e` does not belong there");
    fs::remove_dir_all(&stored.path).unwrap();
    assert_eq!(found(), "`.` is missing");
    let list = stored.path.with_extension("files");
    overwrite(&list, b"tidemill artifact 1\n");
    assert_eq!(found(), format!("`{}.files` is altered", stored.digest));
    fs::remove_file(&list).unwrap();
    assert_eq!(found(), format!("`{}.files` is missing", stored.digest));
    assert_eq!(put(&store, files), stored);
    store.verify(EXAMPLES, &stored.digest).unwrap();
}

#[test]
fn a_sweep_takes_leftovers_only() {
    let (dir, store) = store();
    let staged = store.stage().unwrap();
    write(&staged, "alive", b"");
    let folder = dir.path().join("artifacts/staging");
    // As a killed process leaves them: an unlocked lock file, a folder, a list that was not moved yet.
    fs::write(folder.join("dead.lock"), b"").unwrap();
    fs::create_dir_all(folder.join("dead/sub")).unwrap();
    fs::write(folder.join("dead/sub/file"), b"...").unwrap();
    fs::write(folder.join("dead.files"), b"...").unwrap();
    assert_eq!(store.sweep_staging().unwrap(), 1);
    assert_eq!(staging(&dir).len(), 2, "{:?}", staging(&dir));
    assert!(staged.path().join("alive").exists());
    assert_eq!(store.sweep_staging().unwrap(), 0);
    store.commit(staged, MODEL).unwrap();
    assert!(staging(&dir).is_empty());
}

#[test]
fn many_threads_commit_and_sweep_at_once() {
    let (dir, store) = store();
    let digests: Vec<Vec<String>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    let work = (0..10_u8).map(|round| {
                        // Every second artifact is the same for all writers.
                        let content = if round % 2 == 0 { [round, 0] } else { [round, writer] };
                        store.sweep_staging().unwrap();
                        put(store, [("a", &content[..]), ("b", b"same")]).digest.to_string()
                    });
                    work.collect()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let distinct: std::collections::BTreeSet<&String> = digests.iter().flatten().collect();
    assert_eq!(distinct.len(), 5 + 5 * 8);
    for digest in distinct {
        store.verify(EXAMPLES, &digest.parse().unwrap()).unwrap();
    }
    assert!(staging(&dir).is_empty());
}

fn files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    // A file is never also a folder: folders are in capitals.
    prop::collection::btree_map("([A-C]/){0,2}[a-e.-]{1,3}x", prop::collection::vec(any::<u8>(), 0..40), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_writing_does_not_count(files in files(), seed in any::<u64>()) {
        let (_dir, store) = store();
        let mut shuffled: Vec<_> = files.iter().collect();
        shuffled.sort_by_key(|(path, _)| path.bytes().fold(seed, |h, b| h.rotate_left(9).wrapping_mul(31) ^ u64::from(b)));
        let sorted = put(&store, files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
        let shuffled = put(&store, shuffled.into_iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
        prop_assert_eq!(sorted, shuffled);
    }

    #[test]
    fn any_change_changes_the_digest(files in files(), pick in any::<prop::sample::Index>(), change in 0..4_u8) {
        let (_dir, store) = store();
        let before = put(&store, files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
        let mut changed = files.clone();
        let path = files.keys().nth(pick.index(files.len())).unwrap().clone();
        match change {
            0 => changed.get_mut(&path).unwrap().push(0),
            1 => { let bytes = changed.remove(&path).unwrap(); changed.insert(format!("{path}y"), bytes); }
            2 => { changed.insert("another".into(), Vec::new()); }
            _ => {
                let bytes = changed.get_mut(&path).unwrap();
                if bytes.is_empty() { bytes.push(1); } else { let place = pick.index(bytes.len()); bytes[place] ^= 1; }
            }
        }
        let after = put(&store, changed.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
        prop_assert_ne!(before.digest, after.digest);
    }
}
