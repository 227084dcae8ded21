//! The SQLite file: its schema, its version, and files that are no store.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tidemill_core::{Code, Coded as _};
use tidemill_metadata::{
    LineageDirection, MetadataStore as _, RunState, SCHEMA_VERSION, SqliteStore, StoreError, VersionSpec,
};

/// A store of schema version 1 with one run of a trainer and a registered model, as SQL text.
const VERSION_1: &str = include_str!("golden/metadata-1.sql");

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
async fn a_new_store_has_the_schema_of_the_golden_file() {
    let dir = tempfile::tempdir().unwrap();
    let (new, old) = (dir.path().join("deep/er/metadata.db"), dir.path().join("old.db"));
    SqliteStore::open(&new).await.unwrap().close().await;
    run_sql(&old, VERSION_1).await;
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
