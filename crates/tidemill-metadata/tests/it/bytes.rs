//! The artifact store: digests, damage, crashes, company.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;
use tidemill_core::{ArtifactType, Code, Coded as _};
use tidemill_metadata::{ArtifactStore as _, ContentList, FolderArtifactStore, Staged, StoreError, StoredArtifact};

const EXAMPLES: ArtifactType = ArtifactType::Examples;
const MODEL: ArtifactType = ArtifactType::Model;

fn store() -> (TempDir, FolderArtifactStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = FolderArtifactStore::open(&dir.path().join("artifacts")).unwrap();
    (dir, store)
}

fn write(staged: &Staged, path: &str, bytes: &[u8]) {
    let path = staged.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn put<'a>(store: &FolderArtifactStore, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> StoredArtifact {
    let staged = store.stage().unwrap();
    for (path, bytes) in files {
        write(&staged, path, bytes);
    }
    store.commit(staged, EXAMPLES).unwrap()
}

fn staging(store: &TempDir) -> Vec<PathBuf> {
    let found = fs::read_dir(store.path().join("artifacts/staging")).into_iter().flatten();
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
    let prefix_dir = dir.path().join("artifacts/Examples").join(&stored.digest.as_str()[..2]);
    let path = prefix_dir.join(stored.digest.as_str());
    assert_eq!(store.get(EXAMPLES, &stored.digest).unwrap(), path);
    assert!(fs::metadata(path.join("examples.json")).unwrap().permissions().readonly());
    let list = fs::read_to_string(prefix_dir.join(format!("{}.files", stored.digest))).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "tidemill artifact 1");
    assert!(lines[1].ends_with(" 4 Split-train/part-0.parquet") && lines[2].ends_with(" 2 examples.json"), "{list}");
    assert!(staging(&dir).is_empty());
    assert_eq!(
        fs::read_dir(&prefix_dir).unwrap().count(),
        2,
        "small artifacts leave no note of when they were compared"
    );
}

#[test]
fn opening_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = FolderArtifactStore::open(&dir.path().join("artifacts")).unwrap();
    assert!(store.list().unwrap().is_empty());
    assert_eq!(store.sweep_staging().unwrap(), 0);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn damage_is_found_and_named() {
    let (_dir, store) = store();
    let files = [("a", &b"one"[..]), ("b/c", b"two"), ("d", b"three")];
    let stored = put(&store, files);
    let path = store.path(EXAMPLES, &stored.digest);
    let found = || match store.verify(EXAMPLES, &stored.digest) {
        Err(error @ StoreError::Damaged { .. }) => {
            assert_eq!(error.code(), Code::ArtifactDamaged);
            let text = error.to_string().split_once("damaged: ").unwrap().1.to_owned();
            text.split_once(" (expected").map_or(text.clone(), |(text, _)| text.to_owned())
        }
        other => panic!("{other:?}"),
    };
    overwrite(&path.join("b/c"), b"tow");
    assert_eq!(found(), "`b/c` has other bytes than were recorded");
    overwrite(&path.join("b/c"), b"twoo");
    assert_eq!(found(), "`b/c` has another size than was recorded");
    fs::remove_file(path.join("b/c")).unwrap();
    assert_eq!(found(), "`b/c` is missing");
    overwrite(&path.join("a"), b"one");
    fs::write(path.join("aa"), b"").unwrap();
    assert_eq!(found(), "`aa` does not belong there");

    // The same content again takes the place of what is damaged.
    assert_eq!(put(&store, files), stored);
    store.verify(EXAMPLES, &stored.digest).unwrap();

    fs::write(path.join("e"), b"").unwrap();
    assert_eq!(found(), "`e` does not belong there");
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(found(), "its folder is missing");
    fs::write(&path, b"a file").unwrap();
    assert_eq!(found(), "`.` is not a folder");
    assert_eq!(put(&store, files), stored);
    let list = store.list_path(EXAMPLES, &stored.digest);
    overwrite(&list, b"tidemill artifact 1\n");
    assert_eq!(found(), format!("`{}.files` has other bytes than were recorded", stored.digest));
    fs::remove_file(&list).unwrap();
    store.verify(EXAMPLES, &stored.digest).expect("the bytes themselves still give the digest");
    overwrite(&path.join("a"), b"eno");
    assert_eq!(found(), format!("`{}.files` is missing", stored.digest));
    assert_eq!(put(&store, files), stored);
    store.verify(EXAMPLES, &stored.digest).unwrap();
    assert!(list.exists());
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
fn bytes_are_read_once_in_a_process_unless_a_file_changes() {
    let (_dir, store) = store();
    let stored = put(&store, [("a", &b"one"[..])]);
    let file = store.path(EXAMPLES, &stored.digest).join("a");
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    // Another size or time is seen without reading, also by a clone.
    overwrite(&file, b"eno");
    fs::File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
    assert!(store.clone().get(EXAMPLES, &stored.digest).is_err(), "another file has another place on disk");
    overwrite(&file, b"one");
    store.get(EXAMPLES, &stored.digest).unwrap();
    store.get(EXAMPLES, &stored.digest).unwrap();
}

#[test]
fn one_flipped_bit_anywhere_is_found() {
    let (_dir, store) = store();
    let content: Vec<u8> = (0..5000_u32).map(|i| (i * i % 251) as u8).collect();
    let stored = put(&store, [("Split-train/part-0.parquet", &content[..]), ("examples.json", b"{}")]);
    let file = store.path(EXAMPLES, &stored.digest).join("Split-train/part-0.parquet");
    for place in (0..content.len() * 8).step_by(397) {
        let mut flipped = content.clone();
        flipped[place / 8] ^= 1 << (place % 8);
        overwrite(&file, &flipped);
        match store.get(EXAMPLES, &stored.digest) {
            Err(StoreError::Damaged { damage, .. }) => {
                assert_eq!(damage.file, "Split-train/part-0.parquet");
                assert!(damage.expected.is_some() && damage.found.is_some() && damage.expected != damage.found);
            }
            other => panic!("bit {place}: {other:?}"),
        }
    }
}

#[test]
fn a_list_cannot_lead_out_of_the_artifact() {
    let digest = "0".repeat(64);
    for path in ["../x", "/etc/passwd", "a/../../x", "a//b", "./a", "a\\b", ""] {
        let text = format!("tidemill artifact 1\n{digest} 1 {path}\n");
        assert_eq!(ContentList::parse(text.as_bytes()), None, "{path}");
    }
    assert!(ContentList::parse(format!("tidemill artifact 1\n{digest} 1 a/b c.txt\n").as_bytes()).is_some());
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
