//! Rows of databases as batches.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tidemill_core::{Code, Coded as _};
use tidemill_data::{DataError, Database, Query, QueryValue};
use tidemill_remote::{Postgres, Sqlite};

/// Runs statements in a database in a file, which is made.
fn sqlite(path: &Path, statements: &str) -> Query {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let statements = statements.to_owned();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = options.connect().await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(statements)).await.unwrap();
        connection.close().await.unwrap();
    });
    let name = path.file_name().unwrap().to_str().unwrap();
    Query { base: path.parent().unwrap().to_owned(), ..Query::new(&format!("sqlite://{name}"), "SELECT 1") }
}

fn ask(query: &Query, text: &str) -> Query {
    Query { pieces: vec![text.to_owned()], values: Vec::new(), ..query.clone() }
}

/// Types by column, and rows as text.
fn rows(database: &dyn Database, query: &Query) -> Result<(Vec<String>, Vec<String>), DataError> {
    let reader = database.rows(query)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<RecordBatch>, _>>()?;
    let batch = concat_batches(&schema, &batches).unwrap();
    let types = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect();
    let options = FormatOptions::default().with_null("-");
    let cells = |row: usize| {
        let cell = |column| ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string();
        batch.columns().iter().map(|column| cell(column)).collect::<Vec<_>>().join(" ")
    };
    Ok((types, (0..batch.num_rows()).map(cells).collect()))
}

#[test]
fn columns_of_sqlite_get_the_type_of_their_values() {
    let dir = tempfile::tempdir().unwrap();
    let query = sqlite(
        &dir.path().join("rides.db"),
        "CREATE TABLE rides (id INTEGER, day TEXT, fare NUMERIC, odd, paid BOOLEAN, flag BOOLEAN, none TEXT);
         INSERT INTO rides VALUES (1, '2024-02-28', 10, 1, 1, 0, NULL), (2, '2024-02-29', 2.5, 'x', 0, 2, NULL),
                                  (9007199254740993, '2024-02-29', NULL, x'c3a9', NULL, 1, NULL);",
    );
    let (types, found) = rows(&Sqlite, &ask(&query, "SELECT * FROM rides ORDER BY id; ")).unwrap();
    assert_eq!(types, ["id Int64", "day Utf8", "fare Float64", "odd Utf8", "paid Boolean", "flag Int64", "none Int64"]);
    assert_eq!(
        found,
        ["1 2024-02-28 10.0 1 true 0 -", "2 2024-02-29 2.5 x false 2 -", "9007199254740993 2024-02-29 - é - 1 -"]
    );
    let bound = Query {
        pieces: vec!["SELECT id FROM rides WHERE day = ".to_owned(), " AND id < ".to_owned(), String::new()],
        values: vec![QueryValue::Date("2024-02-29".to_owned()), QueryValue::Int(5)],
        ..query.clone()
    };
    assert_eq!(rows(&Sqlite, &bound).unwrap().1, ["2"]);
    assert_eq!(Sqlite.value(&ask(&query, "SELECT max(day) FROM rides")).unwrap().as_deref(), Some("2024-02-29"));
    assert_eq!(Sqlite.value(&ask(&query, "SELECT max(day) FROM rides WHERE false")).unwrap(), None);
}

#[test]
fn many_rows_of_sqlite_come_in_batches() {
    let dir = tempfile::tempdir().unwrap();
    let numbers = "CREATE TABLE n AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 150000) SELECT x FROM c";
    let query = sqlite(&dir.path().join("n.db"), numbers);
    let reader = Sqlite.rows(&ask(&query, "SELECT x, x * 0.5 AS half FROM n")).unwrap();
    assert_eq!(reader.row_count(), Some(150_000));
    let sizes: Vec<usize> = reader.map(|batch| batch.unwrap().num_rows()).collect();
    assert!(sizes.len() >= 3 && sizes.iter().sum::<usize>() == 150_000, "{sizes:?}");
    // A reader that is dropped halfway stops the query.
    drop(Sqlite.rows(&ask(&query, "SELECT x FROM n")).unwrap());
}

#[test]
fn sqlite_is_only_read_and_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let query = sqlite(&dir.path().join("a.db"), "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1);");
    for (text, code, message) in [
        ("SELECT b FROM t", Code::Query, "`sqlite://a.db`: no such column: b"),
        ("DELETE FROM t", Code::Query, "readonly database"),
        ("SELECT a, a FROM t", Code::DuplicateColumn, "`sqlite://a.db` has two columns named `a`"),
        ("SELECT a FROM t WHERE a > 1", Code::SourceEmpty, "`sqlite://a.db`"),
        ("SELECT x'ff' AS b", Code::Query, "column `b` holds bytes that are not UTF-8 text"),
    ] {
        let error = rows(&Sqlite, &ask(&query, text)).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!(error.code(), code, "{text}: {error}");
    }
    let none = Query { base: dir.path().to_owned(), ..Query::new("sqlite://none.db", "SELECT 1") };
    assert_eq!(rows(&Sqlite, &none).unwrap_err().code(), Code::SourceNotFound);
    std::fs::write(dir.path().join("b.db"), "this is no database, but it is long enough to look at").unwrap();
    let bad = Query { base: dir.path().to_owned(), ..Query::new("sqlite://b.db", "SELECT 1 FROM t") };
    assert!(rows(&Sqlite, &bad).unwrap_err().to_string().contains("not a database"));
}

#[test]
fn the_digest_of_sqlite_follows_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let query = sqlite(&path, "CREATE TABLE t (a INTEGER)");
    let before = Sqlite.digest(&query).unwrap();
    assert_eq!(Sqlite.digest(&query).unwrap(), before);
    sqlite(&path, "INSERT INTO t VALUES (1)");
    assert_ne!(Sqlite.digest(&query).unwrap(), before);
}

/// The server that `scripts/test-services` starts.
fn postgres() -> Option<String> {
    let url = std::env::var("TIDEMILL_TEST_POSTGRES").ok();
    if url.is_none() {
        eprintln!("skipped: TIDEMILL_TEST_POSTGRES is not set; `scripts/test-services cargo test` starts a server");
    }
    url
}

fn execute(url: &str, statements: &str) {
    let (options, statements): (sqlx::postgres::PgConnectOptions, _) = (url.parse().unwrap(), statements.to_owned());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = options.connect().await.unwrap();
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statements))).await.unwrap();
    });
}

#[test]
fn columns_of_postgres_keep_their_types() {
    let Some(url) = postgres() else { return };
    execute(
        &url,
        "DROP TABLE IF EXISTS kinds; DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('glad', 'sad');
         CREATE TABLE kinds (a smallint, b integer, c bigint, d real, e double precision, f numeric(20, 4), g boolean, h text,
           i varchar(9), j char(3), k date, l timestamp, m timestamptz, n time, o uuid, p json, q jsonb, r bytea, s mood);
         INSERT INTO kinds VALUES (-1, 2, 9007199254740993, 0.5, 1e300, -12345.6789, true, 'é', 'v', 'c', '2024-02-29',
           '2024-02-29 12:00:00', '2024-02-29 12:00:00+02', '01:02:03', '00010203-0405-0607-0809-0a0b0c0d0e0f', '{\"a\":1}',
           '{\"a\": 1}', 'bytes', 'sad');
         INSERT INTO kinds DEFAULT VALUES;",
    );
    let query = Query::new(&url, "SELECT * FROM kinds ORDER BY a NULLS LAST");
    let (types, found) = rows(&Postgres, &query).unwrap();
    let kinds: Vec<&str> = types.iter().map(|name| name.split(' ').nth(1).unwrap()).collect();
    let expected = [vec!["Int64"; 3], vec!["Float64"; 3], vec!["Boolean"], vec!["Utf8"; 12]].concat();
    assert_eq!(kinds, expected);
    assert_eq!(
        found[0],
        "-1 2 9007199254740993 0.5 1e300 -12345.6789 true é v c   2024-02-29 2024-02-29T12:00:00 2024-02-29T10:00:00Z \
         01:02:03 00010203-0405-0607-0809-0a0b0c0d0e0f {\"a\":1} {\"a\": 1} bytes sad"
    );
    assert_eq!(found[1], vec!["-"; 19].join(" "));
}

#[test]
fn postgres_binds_values_digests_rows_and_only_reads() {
    let Some(url) = postgres() else { return };
    execute(
        &url,
        "DROP TABLE IF EXISTS days; CREATE TABLE days AS SELECT day::date, row_number() OVER () AS n \
                   FROM generate_series('2024-02-28'::date, '2024-03-02'::date, '1 day') AS day",
    );
    let bound = Query {
        pieces: vec![
            "SELECT n FROM days WHERE day >= ".to_owned(),
            " AND n < ".to_owned(),
            " ORDER BY n -- all".to_owned(),
        ],
        values: vec![QueryValue::Date("2024-02-29".to_owned()), QueryValue::Int(4)],
        ..Query::new(&url, "")
    };
    assert_eq!(rows(&Postgres, &bound).unwrap().1, ["2", "3"]);
    assert_eq!(Postgres.value(&Query::new(&url, "SELECT max(day) FROM days")).unwrap().as_deref(), Some("2024-03-02"));
    let before = Postgres.digest(&bound).unwrap();
    execute(
        &url,
        "UPDATE days SET n = 40 WHERE n = 4; CREATE TABLE again AS TABLE days; TRUNCATE days; \
                   INSERT INTO days SELECT * FROM again ORDER BY n DESC; DROP TABLE again",
    );
    assert_eq!(Postgres.digest(&bound).unwrap(), before, "other rows changed, and the order");
    execute(&url, "UPDATE days SET n = 30 WHERE n = 3");
    assert_ne!(Postgres.digest(&bound).unwrap(), before);
    for (text, code, message) in [
        ("SELECT m FROM days", Code::Query, "column \"m\" does not exist"),
        ("DELETE FROM days RETURNING n", Code::Query, "read-only transaction"),
        ("SELECT point(1, 2) AS p", Code::Query, "column `p` has type POINT, which is not read"),
        ("SELECT n FROM days WHERE n > 100", Code::SourceEmpty, "no rows"),
        ("SELECT n, n FROM days", Code::DuplicateColumn, "two columns named `n`"),
        ("SELECT 1 / (n - n) AS x FROM days", Code::Query, "division by zero"),
    ] {
        let error = rows(&Postgres, &Query::new(&url, text)).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(!error.to_string().contains("tide-mill"), "{error}");
    }
    let many = Query::new(&url, "SELECT n, repeat('x', 50) AS text FROM generate_series(1, 200000) AS n");
    let sizes: Vec<usize> = Postgres.rows(&many).unwrap().map(|batch| batch.unwrap().num_rows()).collect();
    assert!(sizes.len() > 2 && sizes.iter().sum::<usize>() == 200_000, "{sizes:?}");
}

#[test]
fn no_error_of_postgres_shows_the_password() {
    let refused = Query::new("postgres://me:sesame@127.0.0.1:1/db", "SELECT 1");
    let error = rows(&Postgres, &refused).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (Code::SourceUnreachable, "`postgres://me@127.0.0.1:1/db` does not answer")
    );
    assert!(!format!("{error:?} {refused:?}").contains("sesame"), "{error:?}");
    let Some(url) = postgres() else { return };
    let wrong = Query { password: Some("sesame".to_owned()), ..Query::new(&url, "SELECT 1") };
    let error = rows(&Postgres, &wrong).unwrap_err();
    assert_eq!(error.code(), Code::SourceDenied);
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
}
