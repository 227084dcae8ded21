//! PostgreSQL.

use std::str::FromStr as _;
use std::sync::Arc;

use arrow::array::{
    BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgTypeInfo, PgTypeKind, PgValueFormat, PgValueRef};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Executor as _, Row as _, SqlSafeStr as _, Statement as _,
    TypeInfo as _, ValueRef as _,
};
use tidemill_core::{Code, Digest};
use tidemill_data::{BatchReader, DataError, Database, Query, QueryValue};

use super::channel::{ItemSender, feed};
use super::columns::{Column, batch_of};
use super::{arguments, batch_rows, check_names, numeric, refused, text_of};
use crate::background::{start, wait};

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400 * 1_000_000;

/// Databases at `postgres://user@host:port/database`.
///
/// A query runs in a read-only transaction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Postgres;

impl Database for Postgres {
    fn schemes(&self) -> &[&'static str] {
        &["postgres", "postgresql"]
    }

    fn rows(&self, query: &Query) -> Result<BatchReader, DataError> {
        let (job, (feed, mut drain)) = (Job::new(query)?, feed(3));
        start(job.run(feed))?;
        let schema = match drain.next() {
            Some(Ok(Item::Schema(schema))) => schema,
            Some(Err(error)) => return Err(error),
            Some(Ok(Item::Batch(_))) | None => return Err(refused(&query.place(), "the query stopped unexpectedly")),
        };
        let batches = drain.filter_map(|item| match item {
            Ok(Item::Batch(batch)) => Some(Ok(batch)),
            Ok(Item::Schema(_)) => None,
            Err(error) => Some(Err(error)),
        });
        Ok(BatchReader::new(schema, batches))
    }

    /// The server counts and hashes the rows, so that they are not transferred: one more run of the query.
    fn digest(&self, query: &Query) -> Result<Digest, DataError> {
        let mut job = Job::new(query)?;
        job.text = format!(
            "SELECT concat_ws(' ', count(*), sum(hashtextextended(tidemill_rows::text, 0)), \
             sum(hashtextextended(tidemill_rows::text, 1))) FROM ({}\n) AS tidemill_rows",
            job.text
        );
        let sums = job.value()?.unwrap_or_default();
        Ok(Digest::from_bytes(blake3::hash(sums.as_bytes()).as_bytes()))
    }

    fn value(&self, query: &Query) -> Result<Option<String>, DataError> {
        let mut job = Job::new(query)?;
        job.text = format!("SELECT tidemill_value::text FROM ({}\n) AS tidemill_rows(tidemill_value)", job.text);
        job.value()
    }
}

/// What the task sends to the reader.
enum Item {
    Schema(SchemaRef),
    Batch(arrow::array::RecordBatch),
}

/// One query of one database.
struct Job {
    place: String,
    options: PgConnectOptions,
    text: String,
    values: Vec<QueryValue>,
}

impl Job {
    fn new(query: &Query) -> Result<Self, DataError> {
        let place = query.place();
        // The parser's message might contain the password.
        let mut options = PgConnectOptions::from_str(&query.connection)
            .map_err(|_| refused(&place, "it is not a URL of a database, as in `postgres://user@host:5432/database`"))?
            .application_name("tidemill");
        if let Some(password) = &query.password {
            options = options.password(password);
        }
        let place_of = |number: usize| match &query.values[number - 1] {
            QueryValue::Int(_) => format!("${number}::bigint"),
            QueryValue::Date(_) => format!("${number}::text::date"),
        };
        let text = text_of(query, place_of);
        Ok(Self { place, options: options.disable_statement_logging(), text, values: query.values.clone() })
    }

    async fn connect(&self) -> Result<PgConnection, DataError> {
        let mut connection = self.options.connect().await.map_err(|error| failed(&self.place, error))?;
        // All reads see one state of the database, and nothing can be written.
        let begin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
        sqlx::query(begin).execute(&mut connection).await.map_err(|error| failed(&self.place, error))?;
        Ok(connection)
    }

    fn value(self) -> Result<Option<String>, DataError> {
        wait(async move {
            let mut connection = self.connect().await?;
            let failed = |error| failed(&self.place, error);
            let query = sqlx::query_with(
                AssertSqlSafe(self.text.clone()),
                arguments::<sqlx::Postgres>(&self.values).map_err(failed)?,
            );
            let row = query.fetch_optional(&mut connection).await.map_err(failed)?;
            row.map_or(Ok(None), |row| row.try_get::<Option<String>, _>(0)).map_err(failed)
        })
    }

    async fn run(self, feed: ItemSender<Result<Item, DataError>>) {
        if let Err(error) = self.read(&feed).await {
            feed.send(Err(error)).await;
        }
    }

    async fn read(&self, feed: &ItemSender<Result<Item, DataError>>) -> Result<(), DataError> {
        let failed = |error| failed(&self.place, error);
        let mut connection = self.connect().await?;
        let prepared = connection.prepare(AssertSqlSafe(self.text.clone()).into_sql_str()).await.map_err(failed)?;
        let named: Vec<(String, PgTypeInfo)> =
            prepared.columns().iter().map(|column| (column.name().to_owned(), column.type_info().clone())).collect();
        drop(prepared);
        check_names(&self.place, &named.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>())?;
        let mut columns = Vec::with_capacity(named.len());
        for (name, info) in &named {
            columns.push(column(info).ok_or_else(|| self.unknown(name, info))?);
        }
        if columns.is_empty() {
            return Err(refused(&self.place, "the query gives no column"));
        }
        let fields = named.iter().zip(&columns).map(|((name, _), column)| Field::new(name, column.data_type(), true));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let query = sqlx::query_with(
            AssertSqlSafe(self.text.clone()),
            arguments::<sqlx::Postgres>(&self.values).map_err(failed)?,
        );
        let mut rows = query.fetch(&mut connection);
        let (mut held, mut count, most) = (0, 0_u64, batch_rows(columns.len()));
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            if count == 0 && !feed.send(Ok(Item::Schema(schema.clone()))).await {
                return Ok(());
            }
            count += 1;
            for (i, column) in columns.iter_mut().enumerate() {
                let value = row.try_get_raw(i).map_err(failed)?;
                push(column, &named[i].1, value)
                    .map_err(|said| refused(&self.place, &format!("column `{}` {said}", named[i].0)))?;
            }
            held += 1;
            if held == most {
                held = 0;
                if !feed.send(Ok(Item::Batch(batch_of(&mut columns, &schema)?))).await {
                    return Ok(());
                }
            }
        }
        if count == 0 {
            return Err(DataError::SourceEmpty { path: self.place.clone().into(), header_only: true });
        }
        if held > 0 {
            feed.send(Ok(Item::Batch(batch_of(&mut columns, &schema)?))).await;
        }
        Ok(())
    }

    fn unknown(&self, name: &str, info: &PgTypeInfo) -> DataError {
        DataError::Outside {
            code: Code::Query,
            message: format!("`{}`: column `{name}` has type {}, which is not read", self.place, info.name()),
            hint: Some(format!("cast it in the query, as in `{name}::text`")),
            source: None,
        }
    }
}

fn column(info: &PgTypeInfo) -> Option<Column> {
    match info.kind() {
        PgTypeKind::Domain(of) => return column(of),
        PgTypeKind::Enum(_) => return Some(Column::Text(StringBuilder::new())),
        PgTypeKind::Simple => {}
        _ => return None,
    }
    Some(match info.name() {
        "BOOL" => Column::Bool(BooleanBuilder::new()),
        "INT2" | "INT4" | "INT8" | "OID" => Column::Int(Int64Builder::new()),
        "FLOAT4" | "FLOAT8" | "NUMERIC" => Column::Float(Float64Builder::new()),
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "\"CHAR\"" | "UUID" | "JSON" | "JSONB" | "BYTEA" | "UNKNOWN"
        | "citext" | "CITEXT" | "XML" | "xml" => Column::Text(StringBuilder::new()),
        "DATE" => Column::Date(Date32Builder::new()),
        "TIME" => Column::Time(Time64MicrosecondBuilder::new()),
        "TIMESTAMP" => Column::Moment(TimestampMicrosecondBuilder::new()),
        "TIMESTAMPTZ" => Column::MomentUtc(TimestampMicrosecondBuilder::new()),
        _ => return None,
    })
}

/// Appends a value in wire format. The error says what is wrong, to follow "column `x`".
fn push(column: &mut Column, info: &PgTypeInfo, value: PgValueRef<'_>) -> Result<(), String> {
    if value.is_null() {
        column.push_null();
        return Ok(());
    }
    if value.format() != PgValueFormat::Binary {
        return Err("came as text where bytes were asked for".to_owned());
    }
    let bytes = value.as_bytes().map_err(|error| error.to_string())?;
    let info = base(info);
    let damaged = || format!("has a value that is not a valid {}", info.name());
    let int = || match *bytes {
        [a, b] => Ok(i64::from(i16::from_be_bytes([a, b]))),
        [a, b, c, d] if info.name() == "OID" => Ok(i64::from(u32::from_be_bytes([a, b, c, d]))),
        [a, b, c, d] => Ok(i64::from(i32::from_be_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(damaged()),
    };
    let beyond = || "holds a date that is infinite or too far".to_owned();
    match column {
        Column::Int(builder) => builder.append_value(int()?),
        Column::Bool(builder) => builder.append_value(bytes.first().ok_or_else(damaged)? != &0),
        Column::Float(builder) => builder.append_value(match (info.name(), bytes) {
            ("NUMERIC", bytes) => match numeric::to_float(bytes) {
                Ok(number) => number,
                Err(numeric::NumericError::Damaged) => return Err(damaged()),
                Err(numeric::NumericError::Rounded) => {
                    return Err(
                        "holds a whole number that a float would round; cast it to bigint or text in the query"
                            .to_owned(),
                    );
                }
            },
            (_, [a, b, c, d]) => f64::from(f32::from_be_bytes([*a, *b, *c, *d])),
            (_, [a, b, c, d, e, f, g, h]) => f64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            _ => return Err(damaged()),
        }),
        Column::Text(builder) => match (info.name(), bytes) {
            ("UUID", bytes) => builder.append_value(uuid(bytes).ok_or_else(damaged)?),
            ("JSONB", [_, bytes @ ..]) | (_, bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => builder.append_value(text),
                Err(_) => return Err("holds bytes that are not UTF-8 text".to_owned()),
            },
        },
        Column::Date(builder) => {
            let days = i32::try_from(int()?).ok().filter(|days| !matches!(*days, i32::MIN | i32::MAX));
            builder.append_value(days.and_then(|days| days.checked_add(EPOCH_DAYS)).ok_or_else(beyond)?);
        }
        Column::Time(builder) => builder.append_value(int()?),
        Column::Moment(builder) | Column::MomentUtc(builder) => {
            let micros = Some(int()?).filter(|micros| !matches!(*micros, i64::MIN | i64::MAX));
            builder.append_value(micros.and_then(|micros| micros.checked_add(EPOCH_MICROS)).ok_or_else(beyond)?);
        }
    }
    Ok(())
}

/// The base type of a domain.
fn base(info: &PgTypeInfo) -> &PgTypeInfo {
    match info.kind() {
        PgTypeKind::Domain(of) => base(of),
        _ => info,
    }
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let bytes: &[u8; 16] = bytes.try_into().ok()?;
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    Some(text)
}

/// Never includes the connection itself, which may have a password.
fn failed(place: &str, error: sqlx::Error) -> DataError {
    let told = |code, message: String, hint: &str| {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        DataError::Outside { code, message, hint, source: None }
    };
    match error {
        sqlx::Error::Database(error) => {
            let said = error.message();
            match error.code().as_deref() {
                Some("28P01" | "28000") => told(
                    Code::SourceDenied,
                    format!("`{place}`: {said}"),
                    "give user and password, as in `password: \"${env.PGPASSWORD}\"`",
                ),
                Some("42501") => told(Code::SourceDenied, format!("`{place}`: {said}"), ""),
                Some("3D000") => told(Code::SourceNotFound, format!("`{place}`: {said}"), ""),
                Some(code) if code.starts_with("08") || code.starts_with("57") || code.starts_with("53") => {
                    told(Code::SourceUnreachable, format!("`{place}`: {said}"), "")
                }
                _ => refused(place, said),
            }
        }
        sqlx::Error::ColumnIndexOutOfBounds { .. } => refused(place, "the query gives no column"),
        error => DataError::Outside {
            code: Code::SourceUnreachable,
            message: format!("`{place}` does not answer"),
            hint: Some("check host, port and network, and whether the server runs".to_owned()),
            source: Some(Box::new(error)),
        },
    }
}
