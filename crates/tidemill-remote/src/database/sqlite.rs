//! SQLite.
//!
//! A column of SQLite may contain values of any type. Its type here is decided over all rows, as for a JSON file: whole
//! numbers, else numbers, else text; a column declared `BOOLEAN` with only 0 and 1 is boolean. The rows are read twice
//! in one transaction, the first time to decide the types.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow::datatypes::{Field, Schema, SchemaRef};
use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow, SqliteValueRef};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions as _, Decode, Row as _, TypeInfo as _, ValueRef as _};
use tidemill_core::{Code, Digest};
use tidemill_data::{BatchReader, DataError, Database, Query, QueryValue};

use super::channel::{ItemSender, feed};
use super::columns::{Column, batch_of};
use super::{arguments, batch_rows, check_names, refused, text_of};
use crate::background::{start, wait};

/// Databases in files: `sqlite://rides.db`, relative to the project folder, or `sqlite:///data/rides.db`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sqlite;

impl Database for Sqlite {
    fn schemes(&self) -> &[&'static str] {
        &["sqlite"]
    }

    fn rows(&self, query: &Query) -> Result<BatchReader, DataError> {
        let (job, (feed, mut drain)) = (Job::new(query)?, feed(3));
        start(job.run(feed))?;
        let (schema, rows) = match drain.next() {
            Some(Ok(Item::Schema(schema, rows))) => (schema, rows),
            Some(Err(error)) => return Err(error),
            Some(Ok(Item::Batch(_))) | None => return Err(refused(&query.place(), "the query stopped unexpectedly")),
        };
        let batches = drain.filter_map(|item| match item {
            Ok(Item::Batch(batch)) => Some(Ok(batch)),
            Ok(Item::Schema(..)) => None,
            Err(error) => Some(Err(error)),
        });
        Ok(BatchReader::new(schema, batches).with_row_count(rows))
    }

    /// Digests the database file and its write-ahead log: a change to any table counts.
    fn digest(&self, query: &Query) -> Result<Digest, DataError> {
        let path = file_of(query)?;
        let mut hasher = blake3::Hasher::new();
        let unreadable = |source| DataError::SourceUnreadable { path: path.clone(), source };
        add(&mut hasher, &path).map_err(unreadable)?;
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        if Path::new(&log).is_file() {
            add(&mut hasher, Path::new(&log)).map_err(unreadable)?;
        }
        Ok(Digest::from_bytes(hasher.finalize().as_bytes()))
    }

    fn value(&self, query: &Query) -> Result<Option<String>, DataError> {
        let job = Job::new(query)?;
        wait(async move {
            let mut connection = job.connect().await?;
            let failed = |error| failed(&job.place, error);
            let arguments = arguments::<sqlx::Sqlite>(&job.values).map_err(failed)?;
            let query = sqlx::query_with(AssertSqlSafe(job.text.clone()), arguments);
            let row = query.fetch_optional(&mut connection).await.map_err(failed)?;
            let Some(row) = row else { return Ok(None) };
            let value = row.try_get_raw(0).map_err(failed)?;
            Ok(if value.is_null() { None } else { Some(text(value).map_err(|said| refused(&job.place, &said))?) })
        })
    }
}

/// Adds the bytes of a file, a piece at a time.
fn add(hasher: &mut blake3::Hasher, path: &Path) -> std::io::Result<()> {
    std::io::copy(&mut std::fs::File::open(path)?, hasher).map(|_| ())
}

fn file_of(query: &Query) -> Result<PathBuf, DataError> {
    let inside = query.connection.strip_prefix("sqlite://").unwrap_or(&query.connection);
    let inside = inside.split_once('?').map_or(inside, |(path, _)| path);
    let path = query.base.join(inside);
    if path.is_file() { Ok(path) } else { Err(DataError::SourceNotFound { path }) }
}

/// What the task sends to the reader.
enum Item {
    Schema(SchemaRef, u64),
    Batch(arrow::array::RecordBatch),
}

/// One query of one database.
struct Job {
    place: String,
    file: PathBuf,
    text: String,
    values: Vec<QueryValue>,
}

impl Job {
    fn new(query: &Query) -> Result<Self, DataError> {
        let text = text_of(query, |number| format!("?{number}"));
        Ok(Self { place: query.place(), file: file_of(query)?, text, values: query.values.clone() })
    }

    async fn connect(&self) -> Result<SqliteConnection, DataError> {
        let options = SqliteConnectOptions::new().filename(&self.file).read_only(true).create_if_missing(false);
        options.disable_statement_logging().connect().await.map_err(|error| failed(&self.place, error))
    }

    async fn run(self, feed: ItemSender<Result<Item, DataError>>) {
        if let Err(error) = self.read(&feed).await {
            feed.send(Err(error)).await;
        }
    }

    async fn read(&self, feed: &ItemSender<Result<Item, DataError>>) -> Result<(), DataError> {
        let failed = |error| failed(&self.place, error);
        let mut connection = self.connect().await?;
        // Both readings see one state of the database.
        sqlx::query("BEGIN").execute(&mut connection).await.map_err(failed)?;
        let Some((schema, count)) = self.scan(&mut connection).await? else {
            return Err(DataError::SourceEmpty { path: self.place.clone().into(), header_only: true });
        };
        if !feed.send(Ok(Item::Schema(schema.clone(), count))).await {
            return Ok(());
        }
        let mut columns: Vec<Column> = schema.fields().iter().map(|field| column(field.data_type())).collect();
        let query = sqlx::query_with(
            AssertSqlSafe(self.text.clone()),
            arguments::<sqlx::Sqlite>(&self.values).map_err(failed)?,
        );
        let mut rows = query.fetch(&mut connection);
        let (mut held, most) = (0, batch_rows(columns.len()));
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            for (i, column) in columns.iter_mut().enumerate() {
                let value = row.try_get_raw(i).map_err(failed)?;
                push(column, value)
                    .map_err(|said| refused(&self.place, &format!("column `{}` {said}", schema.field(i).name())))?;
            }
            held += 1;
            if held == most {
                held = 0;
                if !feed.send(Ok(Item::Batch(batch_of(&mut columns, &schema)?))).await {
                    return Ok(());
                }
            }
        }
        if held > 0 {
            feed.send(Ok(Item::Batch(batch_of(&mut columns, &schema)?))).await;
        }
        Ok(())
    }

    /// The columns with types that fit all rows, and the number of rows; none for an empty table.
    async fn scan(&self, connection: &mut SqliteConnection) -> Result<Option<(SchemaRef, u64)>, DataError> {
        let failed = |error| failed(&self.place, error);
        let query = sqlx::query_with(
            AssertSqlSafe(self.text.clone()),
            arguments::<sqlx::Sqlite>(&self.values).map_err(failed)?,
        );
        let mut rows = query.fetch(connection);
        let mut columns: Vec<(String, SeenValues)> = Vec::new();
        let mut count = 0;
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            if count == 0 {
                columns = row.columns().iter().map(|c| (c.name().to_owned(), SeenValues::default())).collect();
            }
            count += 1;
            for (i, (_, guess)) in columns.iter_mut().enumerate() {
                guess.add(&row, i).map_err(failed)?;
            }
        }
        if count == 0 {
            return Ok(None);
        }
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        check_names(&self.place, &names)?;
        let fields = columns.iter().map(|(name, guess)| Field::new(name, guess.data_type(), true));
        Ok(Some((Arc::new(Schema::new(fields.collect::<Vec<_>>())), count)))
    }
}

/// The kinds of values seen in a column so far.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each says what was seen, and all may be")]
struct SeenValues {
    ints: bool,
    floats: bool,
    texts: bool,
    /// The column has a value other than 0 and 1, or is not declared boolean.
    not_bool: bool,
}

impl SeenValues {
    fn add(&mut self, row: &SqliteRow, i: usize) -> Result<(), sqlx::Error> {
        let value = row.try_get_raw(i)?;
        if value.is_null() {
            return Ok(());
        }
        match value.type_info().name() {
            "INTEGER" => {
                self.ints = true;
                if !self.not_bool {
                    let declared = row.column(i).type_info().name() == "BOOLEAN";
                    let number = <i64 as Decode<sqlx::Sqlite>>::decode(value).map_err(sqlx::Error::Decode)?;
                    self.not_bool = !declared || !matches!(number, 0 | 1);
                }
            }
            "REAL" => self.floats = true,
            _ => self.texts = true,
        }
        Ok(())
    }

    fn data_type(self) -> arrow::datatypes::DataType {
        use arrow::datatypes::DataType as T;
        match self {
            Self { texts: true, .. } => T::Utf8,
            Self { floats: true, .. } => T::Float64,
            Self { ints: true, not_bool: false, .. } => T::Boolean,
            _ => T::Int64,
        }
    }
}

fn column(data_type: &arrow::datatypes::DataType) -> Column {
    use arrow::datatypes::DataType as T;
    match data_type {
        T::Int64 => Column::Int(Int64Builder::new()),
        T::Float64 => Column::Float(Float64Builder::new()),
        T::Boolean => Column::Bool(BooleanBuilder::new()),
        _ => Column::Text(StringBuilder::new()),
    }
}

/// A whole number among floats.
fn exact_float(number: i64) -> Result<f64, String> {
    let float = number as f64;
    if float as i128 == i128::from(number) {
        Ok(float)
    } else {
        Err(format!(
            "holds {number}, which a float would round, beside fractions; cast the column to TEXT in the query"
        ))
    }
}

/// The error says what is wrong, to follow "column `x`".
fn push(column: &mut Column, value: SqliteValueRef<'_>) -> Result<(), String> {
    if value.is_null() {
        column.push_null();
        return Ok(());
    }
    match column {
        Column::Int(builder) => builder.append_value(get::<i64>(value)?),
        Column::Bool(builder) => builder.append_value(get::<i64>(value)? == 1),
        Column::Float(builder) => {
            let is_int = value.type_info().name() == "INTEGER";
            builder.append_value(if is_int { exact_float(get::<i64>(value)?)? } else { get::<f64>(value)? });
        }
        Column::Text(builder) => builder.append_value(text(value)?),
        Column::Date(_) | Column::Time(_) | Column::Moment(_) | Column::MomentUtc(_) => {
            return Err("has a type that this database does not give".to_owned());
        }
    }
    Ok(())
}

fn get<'r, T: Decode<'r, sqlx::Sqlite>>(value: SqliteValueRef<'r>) -> Result<T, String> {
    T::decode(value).map_err(|error| format!("holds a value that cannot be read: {error}"))
}

/// A value that is not null, as text.
fn text(value: SqliteValueRef<'_>) -> Result<String, String> {
    let name = value.type_info().name().to_owned();
    match name.as_str() {
        "INTEGER" => Ok(get::<i64>(value)?.to_string()),
        "REAL" => Ok(get::<f64>(value)?.to_string()),
        "BLOB" => {
            let bytes = get::<&[u8]>(value)?;
            String::from_utf8(bytes.to_vec()).map_err(|_| "holds bytes that are not UTF-8 text".to_owned())
        }
        _ => Ok(get::<&str>(value)?.to_owned()),
    }
}

fn failed(place: &str, error: sqlx::Error) -> DataError {
    match error {
        sqlx::Error::Database(error) => refused(place, error.message()),
        sqlx::Error::ColumnIndexOutOfBounds { .. } => refused(place, "the query gives no column"),
        error => DataError::Outside {
            code: Code::SourceUnreachable,
            message: format!("`{place}` cannot be read"),
            hint: None,
            source: Some(Box::new(error)),
        },
    }
}
