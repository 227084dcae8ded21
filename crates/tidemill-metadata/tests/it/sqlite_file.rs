//! The store on disk: the SQLite file, its schema and version; stores that are lost, copied, checked, read-only.

use std::path::Path;

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tidemill_core::{ArtifactType, Code, Coded as _, Digest, Outcome, Properties};
use tidemill_metadata::{
    Actor, ArtifactStore as _, Completed, FolderArtifactStore, LineageDirection, MetadataStore as _, NewArtifact,
    NewExecution, NewRun, NewVersion, RunFilter, RunState, SCHEMA_VERSION, SqliteStore, StoreError, StoreFolder,
    StoreState, VersionSpec,
};

/// A store of schema version 1 with one run of a trainer and a registered model, as SQL text.
const VERSION_1: &str = include_str!("../golden/metadata-1.sql");

async fn run_sql(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn schema(path: &Path) -> Vec<String> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let sql = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name";
    let found = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    found
}

#[tokio::test]
async fn a_new_store_has_the_schema_of_a_migrated_one() {
    let dir = tempfile::tempdir().unwrap();
    let (new, old) = (dir.path().join("deep/er/metadata.db"), dir.path().join("old.db"));
    SqliteStore::open(&new).await.unwrap().close().await;
    run_sql(&old, VERSION_1).await;
    SqliteStore::open(&old).await.unwrap().close().await;
    assert_eq!(schema(&new).await, schema(&old).await);
    let mut names: Vec<_> = std::fs::read_dir(new.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["metadata.db", "metadata.lock"], "the log is folded in when the store is closed");
}

#[tokio::test]
async fn a_store_of_version_1_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    run_sql(&path, VERSION_1).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let run = store.run("last").await.unwrap();
    assert_eq!((run.pipeline.as_str(), run.state), ("taxi-tips", RunState::Complete));
    assert_eq!(run.started_at.to_string(), "2026-01-31T08:00:00.12Z");
    assert_eq!((run.lease.as_str(), run.tick, run.environment), ("taxi-tips", None, None));
    assert_eq!(store.integrity().await.unwrap(), Vec::<String>::new());
    let version = store.model_version("taxi-tips", &VersionSpec::Alias("champion".into())).await.unwrap();
    assert_eq!(version.properties["auc"], serde_json::json!(0.954));
    let graph = store.lineage(&version.artifact_id, LineageDirection::Up, 10).await.unwrap();
    assert_eq!((graph.artifacts.len(), graph.executions.len(), graph.events.len()), (2, 2, 3));
    assert_eq!(graph.executions[0].outcome.as_ref().unwrap().headline, "AUC 0.954 on eval");
}

#[tokio::test]
async fn a_newer_store_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    run_sql(&path, "PRAGMA user_version = 99").await;
    match SqliteStore::open(&path).await {
        Err(error @ StoreError::Version { found: 99, known: SCHEMA_VERSION, .. }) => {
            assert_eq!(error.code(), Code::StoreVersion);
            assert!(error.to_string().contains("metadata.db"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_store_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    std::fs::write(&path, "this is not a database, however long one looks at it. ".repeat(40)).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(error.code(), Code::StoreUnavailable);
    assert!(error.to_string().contains("metadata.db"), "{error}");
    let folder = dir.path().join("folder.db");
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(SqliteStore::open(&folder).await.unwrap_err().code(), Code::StoreUnavailable);
    let below_a_file = path.join("metadata.db");
    assert_eq!(SqliteStore::open(&below_a_file).await.unwrap_err().code(), Code::StoreUnavailable);
}

#[tokio::test]
async fn a_store_cut_off_while_being_made_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    std::fs::write(path.with_extension("db.new"), b"half").unwrap();
    SqliteStore::open(&path).await.unwrap();
    assert!(!path.with_extension("db.new").exists());
    // Somebody made an empty file, as `touch` does.
    let path = dir.path().join("empty.db");
    std::fs::write(&path, b"").unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    assert!(store.models().await.unwrap().is_empty());
}

/// A store in `dir/.tidemill` with one run that trained and registered a model, and the digest of the model.
async fn with_a_champion(dir: &Path) -> (StoreFolder, Digest) {
    let folder = StoreFolder::new(&dir.join(".tidemill"), Some(&dir.join(".tidemill.id")));
    let store = folder.open().await.unwrap();
    let staged = store.artifacts.stage().unwrap();
    std::fs::write(staged.path().join("transform.json"), r#"{ "max": 500.0 }"#).unwrap();
    std::fs::write(staged.path().join("learner.bin"), [7; 5000]).unwrap();
    let stored = store.artifacts.commit(staged, ArtifactType::Model).unwrap();
    let metadata = &store.metadata;
    let new = NewRun { pipeline: "taxi".into(), params: json!({}), plan: json!([]), ..NewRun::default() };
    let run = metadata.create_run(new).await.unwrap();
    let execution = NewExecution {
        run_id: run.id.clone(),
        step: "train".into(),
        component: "Trainer".into(),
        component_version: 1,
        fingerprint: stored.digest.clone(),
        fingerprint_parts: json!({}),
        params: json!({}),
        inputs: Vec::new(),
    };
    let id = metadata.start_execution(execution).await.unwrap();
    let output = NewArtifact {
        artifact_type: ArtifactType::Model,
        digest: stored.digest.clone(),
        bytes: stored.bytes,
        files: stored.files,
        properties: Properties::new(),
    };
    let done = Completed {
        fingerprint: stored.digest.clone(),
        fingerprint_parts: json!({}),
        outcome: Outcome::default(),
        outputs: vec![("model".into(), output)],
    };
    let artifact = metadata.complete_execution(&id, done).await.unwrap().remove(0);
    let version = NewVersion {
        artifact_id: artifact.id,
        run_id: run.id.clone(),
        properties: Properties::new(),
        tags: std::collections::BTreeMap::default(),
        description: String::new(),
    };
    metadata.register_version("taxi-tips", version).await.unwrap();
    let by = Actor { actor: "step push".into(), run_id: Some(run.id.clone()), ..Actor::default() };
    metadata.set_alias("taxi-tips", "champion", 1, by).await.unwrap();
    metadata.finish_run(&run.id, RunState::Complete, json!({})).await.unwrap();
    (folder, stored.digest)
}

#[tokio::test]
async fn the_end_of_a_run_leaves_everything_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    // The store stays open, as a server would have it.
    let (folder, _) = with_a_champion(dir.path()).await;
    let log = std::fs::metadata(folder.dir().join("metadata.db-wal")).map_or(0, |found| found.len());
    assert_eq!(log, 0, "the log is moved into the file");
    let copy = dir.path().join("copy.db");
    std::fs::copy(folder.dir().join("metadata.db"), &copy).unwrap();
    let copied = SqliteStore::open(&copy).await.unwrap();
    assert_eq!(copied.run("last").await.unwrap().state, RunState::Complete);
    assert_eq!(copied.models().await.unwrap()[0].aliases[0].version, 1);
}

#[tokio::test]
async fn a_store_that_was_there_is_not_silently_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, _) = with_a_champion(dir.path()).await;
    let (store, lost) = (folder.dir().to_owned(), dir.path().join("elsewhere"));
    assert_eq!(folder.state().unwrap(), StoreState::Present);
    let refused = async || match (folder.open().await.err(), folder.open_to_read().await.err()) {
        (Some(error @ StoreError::Lost { .. }), Some(StoreError::Lost { .. })) => {
            assert_eq!(error.code(), Code::StoreLost);
            assert!(error.hint().unwrap().contains("tidemill store new"));
            error.to_string()
        }
        other => panic!("{other:?}"),
    };
    // The folder is gone, as a mount that is missing.
    std::fs::rename(&store, &lost).unwrap();
    assert!(refused().await.contains("this project has had store"));
    assert!(!store.exists(), "nothing was made");
    // The folder is empty.
    std::fs::create_dir(&store).unwrap();
    assert!(refused().await.contains("since 20"));
    std::fs::remove_dir(&store).unwrap();
    // Only the database is gone: the artifacts say so, with or without the registration.
    std::fs::rename(&lost, &store).unwrap();
    std::fs::rename(store.join("metadata.db"), dir.path().join("metadata.db")).unwrap();
    std::fs::remove_file(dir.path().join(".tidemill.id")).unwrap();
    assert!(refused().await.contains("`metadata.db` is missing, but there are 1 artifacts"));
    std::fs::write(store.join("metadata.db"), b"").unwrap();
    assert!(refused().await.contains("`metadata.db` is missing"), "an empty file is no database");
    // A new one may be started; the artifacts stay.
    std::fs::remove_file(store.join("metadata.db")).unwrap();
    assert_eq!(folder.start_empty(false).await.unwrap(), None);
    assert!(folder.open().await.unwrap().metadata.models().await.unwrap().is_empty());
    assert!(matches!(folder.start_empty(false).await, Err(StoreError::Exists { .. })));
    let moved = folder.start_empty(true).await.unwrap().unwrap();
    assert!(moved.join("artifacts").is_dir() && !store.join("artifacts").exists());
    // A copy of the project elsewhere has never had a store.
    let clone = dir.path().join("clone");
    std::fs::create_dir(&clone).unwrap();
    std::fs::copy(dir.path().join(".tidemill.id"), clone.join(".tidemill.id")).unwrap();
    let cloned = StoreFolder::new(&clone.join(".tidemill"), Some(&clone.join(".tidemill.id")));
    assert_eq!(cloned.state().unwrap(), StoreState::Absent);
    assert!(cloned.open_to_read().await.unwrap().is_none());
    assert!(!clone.join(".tidemill").exists(), "reading makes nothing");
}

#[tokio::test]
async fn a_process_notices_that_its_store_was_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, _) = with_a_champion(dir.path()).await;
    let open = folder.open().await.unwrap();
    let database = folder.dir().join("metadata.db");
    std::fs::rename(&database, dir.path().join("metadata.db")).unwrap();
    let error = open.metadata.models().await.unwrap_err();
    assert!(matches!(&error, StoreError::Lost { reason, .. } if reason.contains("was removed")), "{error}");
    std::fs::copy(dir.path().join("metadata.db"), &database).unwrap();
    let error = open.metadata.models().await.unwrap_err();
    assert!(matches!(&error, StoreError::Lost { reason, .. } if reason.contains("was replaced")), "{error}");
    std::fs::rename(dir.path().join("metadata.db"), &database).unwrap();
    assert_eq!(open.metadata.models().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_check_names_damage_and_a_repair_moves_it_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, digest) = with_a_champion(dir.path()).await;
    let report = folder.check(false, |_, _| {}).await.unwrap();
    assert!(report.is_healthy() && report.database.is_empty(), "{report:?}");
    assert_eq!((report.artifacts, report.bytes, report.unrecorded), (1, 5016, 0));

    let artifacts = FolderArtifactStore::open(&folder.dir().join("artifacts")).unwrap();
    let file = artifacts.path(ArtifactType::Model, &digest).join("transform.json");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, r#"{ "max": 5.0 }"#).unwrap();
    let staged = artifacts.stage().unwrap();
    std::fs::write(staged.path().join("a"), b"left by a killed run").unwrap();
    artifacts.commit(staged, ArtifactType::Schema).unwrap();
    let report = folder.check(false, |_, _| {}).await.unwrap();
    assert!(!report.is_healthy());
    assert_eq!((report.damaged.len(), report.unrecorded), (1, 1));
    let finding = &report.damaged[0];
    assert_eq!((finding.damage.file.as_str(), finding.repaired), ("transform.json", false));
    assert_eq!(finding.versions, ["taxi-tips:1 @champion"]);
    assert!(finding.made_by.as_ref().unwrap().starts_with("step `train` of `taxi`, run "));
    assert!(file.exists(), "a check changes nothing");

    let report = folder.check(true, |_, _| {}).await.unwrap();
    assert!(report.is_healthy());
    let moved = report.damaged[0].quarantined.clone().unwrap();
    assert!(Path::new(&moved).join("transform.json").exists());
    assert!(!artifacts.contains(ArtifactType::Model, &digest).unwrap());
    let report = folder.check(false, |_, _| {}).await.unwrap();
    assert!(report.damaged[0].damage.is_missing());
}

#[tokio::test]
async fn a_damaged_database_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, _) = with_a_champion(dir.path()).await;
    let database = folder.dir().join("metadata.db");
    let sound = std::fs::read(&database).unwrap();
    let mut reported = 0;
    for page in 1..sound.len() / 4096 {
        let mut damaged = sound.clone();
        damaged[page * 4096..page * 4096 + 2000].fill(0x5a);
        std::fs::write(&database, &damaged).unwrap();
        let report = folder.check(false, |_, _| {}).await.unwrap();
        reported += usize::from(!report.database.is_empty());
    }
    // A page may be on the list of free ones, or its first half unused.
    assert!(reported * 10 > (sound.len() / 4096 - 1) * 8, "{reported} of {}", sound.len() / 4096 - 1);
}

#[tokio::test]
async fn a_backup_is_whole_and_is_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, digest) = with_a_champion(dir.path()).await;
    let backup = dir.path().join("backup");
    let report = folder.backup(&backup).await.unwrap();
    assert_eq!((report.artifacts, report.left_out.len()), (1, 0));
    let mut names: Vec<_> = std::fs::read_dir(&backup).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["artifacts", "backup.json", "metadata.db", "secret.key"]);
    assert!(matches!(folder.backup(&backup).await, Err(StoreError::Backup { .. })), "the folder is not empty");

    assert!(matches!(folder.restore(&backup, false).await, Err(StoreError::Exists { .. })));
    std::fs::rename(folder.dir(), dir.path().join("lost")).unwrap();
    let (restored, moved) = folder.restore(&backup, false).await.unwrap();
    assert_eq!((restored, moved), (report, None));
    let open = folder.open().await.unwrap();
    let version = open.metadata.model_version("taxi-tips", &VersionSpec::Alias("champion".into())).await.unwrap();
    assert_eq!(open.metadata.artifact(version.artifact_id.as_str()).await.unwrap().digest, digest);
    open.artifacts.get(ArtifactType::Model, &digest).unwrap();
    assert!(folder.check(false, |_, _| {}).await.unwrap().is_healthy());
    open.metadata
        .create_run(NewRun { pipeline: "taxi".into(), params: json!({}), plan: json!([]), ..NewRun::default() })
        .await
        .unwrap();

    // A restored store is the same store: with `replace`, what was there is kept.
    let (_, moved) = folder.restore(&backup, true).await.unwrap();
    assert!(moved.unwrap().join("metadata.db").exists());

    // A backup that is not whole, or was changed, restores nothing.
    let artifacts = FolderArtifactStore::open(&backup.join("artifacts")).unwrap();
    let file = artifacts.path(ArtifactType::Model, &digest).join("learner.bin");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, b"other").unwrap();
    let error = folder.restore(&backup, true).await.unwrap_err();
    assert!(error.to_string().contains("Model artifact") && error.to_string().contains("learner.bin"), "{error}");
    std::fs::remove_file(backup.join("backup.json")).unwrap();
    let error = folder.restore(&backup, true).await.unwrap_err();
    assert_eq!(error.code(), Code::BackupInvalid);
    assert_eq!(folder.open().await.unwrap().metadata.models().await.unwrap().len(), 1, "the store is as it was");
}

/// A small file system of its own in `dir`, full. `None` where it cannot be mounted, which is said loudly.
#[cfg(target_os = "linux")]
struct SmallDisk(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount(dir: &Path, options: &str) -> Option<Self> {
        let mounted =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir.to_owned()));
        }
        assert!(std::env::var_os("TIDEMILL_REQUIRE_MOUNTS").is_none(), "a small file system cannot be mounted here");
        eprintln!("SKIPPED: a small file system cannot be mounted here, so a full disk is not tested");
        None
    }

    fn fill(&self) {
        let filler = self.0.join("filler");
        let full = std::process::Command::new("dd")
            .args(["if=/dev/zero", &format!("of={}", filler.display()), "bs=1k"])
            .output()
            .unwrap();
        assert!(!full.status.success(), "the disk takes everything");
    }

    /// The same files below another folder, where nothing can be written.
    fn read_only(&self, at: &Path) -> Self {
        let mount = |args: &[&std::ffi::OsStr]| {
            assert!(std::process::Command::new("mount").args(args).status().unwrap().success());
        };
        mount(&["--bind".as_ref(), self.0.as_os_str(), at.as_os_str()]);
        mount(&["-o".as_ref(), "remount,bind,ro".as_ref(), at.as_os_str()]);
        Self(at.to_owned())
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_and_a_read_only_one_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path(), "size=2m") else { return };
    let (folder, digest) = with_a_champion(dir.path()).await;
    let look = async |folder: &StoreFolder| {
        let store = folder.open_to_read().await.unwrap().unwrap();
        assert_eq!(store.metadata.models().await.unwrap()[0].aliases[0].version, 1);
        assert_eq!(store.metadata.runs(&RunFilter::default(), 10).await.unwrap().len(), 1);
        store.artifacts.get(ArtifactType::Model, &digest).unwrap();
        assert!(!store.leases.is_held("taxi").unwrap());
    };
    // The log has an index only while somebody has the file open.
    for name in ["metadata.db-wal", "metadata.db-shm"] {
        let _ = std::fs::remove_file(folder.dir().join(name));
    }
    disk.fill();
    look(&folder).await;
    let store = folder.open_to_read().await.unwrap().unwrap();
    let new = || NewRun {
        pipeline: "taxi".into(),
        params: json!({ "a": "b".repeat(100_000) }),
        plan: json!([]),
        ..NewRun::default()
    };
    let written = store.metadata.create_run(new()).await;
    assert_eq!(written.unwrap_err().code(), Code::StoreUnavailable);
    let staged = store.artifacts.stage();
    let message =
        staged.map(|staged| std::fs::write(staged.path().join("a"), vec![1; 100_000]).unwrap_err().to_string());
    let message = message.unwrap_or_else(|error| error.to_string());
    assert!(message.to_lowercase().contains("no space left on device"), "{message}");
    let view = tempfile::tempdir().unwrap();
    let read_only = disk.read_only(view.path());
    look(&StoreFolder::new(&view.path().join(".tidemill"), None)).await;
    drop(read_only);
    std::fs::remove_file(dir.path().join("filler")).unwrap();
    look(&folder).await;
    let store = folder.open().await.unwrap();
    store.metadata.create_run(new()).await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_log_of_a_killed_process_is_read_on_a_read_only_disk() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path(), "size=8m") else { return };
    let (folder, _) = with_a_champion(dir.path()).await;
    let open = folder.open().await.unwrap();
    open.metadata
        .create_run(NewRun { pipeline: "later".into(), params: json!({}), plan: json!([]), ..NewRun::default() })
        .await
        .unwrap();
    // As a process that is killed leaves it: the run is in the log only.
    let killed = dir.path().join("killed");
    std::fs::create_dir(&killed).unwrap();
    for name in ["metadata.db", "metadata.db-wal"] {
        std::fs::copy(folder.dir().join(name), killed.join(name)).unwrap();
    }
    assert!(std::fs::metadata(killed.join("metadata.db-wal")).unwrap().len() > 0);
    drop(open);
    let view = tempfile::tempdir().unwrap();
    let _read_only = disk.read_only(view.path());
    let read = StoreFolder::new(&view.path().join("killed"), None).open_to_read().await.unwrap().unwrap();
    assert_eq!(read.metadata.run("last").await.unwrap().pipeline, "later");
}
