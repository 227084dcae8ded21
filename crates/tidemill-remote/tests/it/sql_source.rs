//! `ExampleGen` over a database.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tidemill_core::{
    CancelFlag, Code, Component as _, ComponentError, ExternalInput, NoProgress, Outcome, RunInfo, StepContext,
};
use tidemill_data::{ExampleGen, Examples};

fn execute(path: &Path, statements: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let statements = statements.to_owned();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = options.connect().await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(statements)).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// A project with rides of three days.
fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    execute(
        &dir.path().join("rides.db"),
        "CREATE TABLE rides AS WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM c WHERE id < 300)
           SELECT id, date('2024-02-28', (id % 3) || ' days') AS day, id * 0.5 AS fare FROM c",
    );
    dir
}

fn component() -> ExampleGen {
    ExampleGen::new(tidemill_remote::connectors())
}

fn inputs(project: &Path, params: &Value) -> Result<Vec<ExternalInput>, ComponentError> {
    component().external_inputs(params, project)
}

fn run(project: &Path, params: &Value) -> Result<(Outcome, Examples), ComponentError> {
    let out = project.join("out");
    let _ = std::fs::remove_dir_all(&out);
    std::fs::create_dir(&out).unwrap();
    let outcome = component().run(&StepContext {
        params,
        project_dir: project,
        inputs: &[].into(),
        outputs: &[("examples".to_owned(), out.clone())].into(),
        progress: &NoProgress,
        cancel: &CancelFlag::default(),
        threads: 2,
        run: &RunInfo { pipeline: "p".to_owned(), run_id: "r".to_owned(), step: "s".to_owned() },
        work: None,
    })?;
    Ok((outcome, Examples::open(&out).unwrap()))
}

fn source(query: &str) -> Value {
    json!({ "source": { "sql": { "connection": "sqlite://rides.db", "query": query } } })
}

#[test]
fn the_rows_of_a_day_are_read() {
    let dir = project();
    let mut params = source("SELECT * FROM rides WHERE day = {DATE}");
    params["span"] = json!("2024-02-29");
    let (outcome, examples) = run(dir.path(), &params).unwrap();
    let manifest = examples.manifest();
    assert_eq!(
        (manifest.rows, manifest.spans[0].span, manifest.spans[0].date.as_deref()),
        (100, 19_782, Some("2024-02-29"))
    );
    assert_eq!(manifest.sources[0].name, "sqlite://rides.db");
    assert!(outcome.headline.contains("span 2024-02-29"), "{}", outcome.headline);
    let types: Vec<String> =
        examples.schema().fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_eq!(types, ["id Int64", "day Utf8", "fare Float64"]);
    // The newest day, and a window of two.
    params = source("SELECT * FROM rides WHERE day BETWEEN {START_DATE} AND {END_DATE}");
    params["source"]["sql"]["newest"] = json!("SELECT max(day) FROM rides");
    assert_eq!(run(dir.path(), &params).unwrap().1.manifest().spans[0].date.as_deref(), Some("2024-03-01"));
    params["range"] = json!({ "latest": 2 });
    let (_, examples) = run(dir.path(), &params).unwrap();
    assert_eq!((examples.manifest().rows, examples.manifest().spans.len()), (200, 2));
}

#[test]
fn splits_may_be_queries() {
    let dir = project();
    let splits = json!({ "train": "SELECT * FROM rides WHERE id <= 200", "eval": "SELECT fare, id, day FROM rides WHERE id > 200" });
    let params = json!({ "source": { "sql": { "connection": "sqlite://rides.db", "splits": splits } } });
    let (_, examples) = run(dir.path(), &params).unwrap();
    let rows: Vec<_> = examples.splits().iter().map(|split| (split.name.as_str(), split.rows)).collect();
    assert_eq!(rows, [("train", 200), ("eval", 100)]);
}

#[test]
fn the_same_rows_give_the_same_bytes_and_a_change_is_noticed() {
    let dir = project();
    let params = source("SELECT * FROM rides ORDER BY id");
    let before = inputs(dir.path(), &params).unwrap();
    assert_eq!(before[0].name, "rows of sqlite://rides.db");
    assert_eq!(inputs(dir.path(), &params).unwrap(), before);
    let digest = |examples: &Examples| examples.manifest().sources[0].digest.clone();
    let first = digest(&run(dir.path(), &params).unwrap().1);
    assert_eq!(digest(&run(dir.path(), &params).unwrap().1), first);
    assert_ne!(
        inputs(dir.path(), &source("SELECT * FROM rides ORDER BY id DESC")).unwrap()[0].digest,
        before[0].digest
    );
    execute(&dir.path().join("rides.db"), "UPDATE rides SET fare = 0 WHERE id = 7");
    assert_ne!(inputs(dir.path(), &params).unwrap(), before);
    assert_ne!(digest(&run(dir.path(), &params).unwrap().1), first);
}

#[test]
fn what_is_wrong_is_said_before_or_with_the_name_of_the_database() {
    let dir = project();
    let issue =
        |params: &Value| component().check(params).first().map(|issue| (issue.path.join("."), issue.message.clone()));
    for (params, path, message) in [
        (source("SELECT * FROM rides WHERE day = {DATE}"), "source.sql", "nothing says which span to read"),
        (source("SELECT * FROM rides WHERE day = '{DATE}'"), "source.sql", "stands in quotes"),
        (
            json!({ "source": { "sql": { "connection": "sqlite://a.db" } } }),
            "source.sql",
            "either a `query` or `splits`",
        ),
        (
            json!({ "source": { "sql": { "connection": "sqlite://a.db", "query": "SELECT 1" } }, "span": 1 }),
            "span",
            "no place for a span",
        ),
    ] {
        let (at, said) = issue(&params).unwrap();
        assert!(at == path && said.contains(message), "{at}: {said}");
    }
    for (query, code, message) in [
        ("SELECT * FROM riders", Code::Query, "`sqlite://rides.db`: no such table: riders"),
        ("SELECT * FROM rides WHERE id < 0", Code::SourceEmpty, "`sqlite://rides.db` has a header but no rows"),
        ("DELETE FROM rides", Code::Query, "readonly"),
    ] {
        let error = run(dir.path(), &source(query)).unwrap_err();
        assert!(error.code == code && error.message.contains(message), "{query}: {error}");
    }
    let elsewhere = json!({ "source": { "sql": { "connection": "mysql://host/db", "query": "SELECT 1" } } });
    assert!(
        inputs(dir.path(), &elsewhere).unwrap_err().message.contains("`mysql://host/db` is of no kind that is read")
    );
}
