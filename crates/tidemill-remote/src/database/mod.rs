//! Databases: SQLite and PostgreSQL, read and never written.

mod channel;
mod columns;
mod numeric;
mod postgres;
mod sqlite;

use sqlx::{Arguments as _, Encode, Type};
use tidemill_core::Code;
use tidemill_data::{BATCH_ROWS_MAX, DataError, Query, QueryValue};

pub use postgres::Postgres;
pub use sqlite::Sqlite;

/// Approximate cells of a batch: the wider the rows, the fewer a batch has.
const BATCH_CELLS: usize = 2 << 20;

/// Rows of a batch with this many columns.
fn batch_rows(columns: usize) -> usize {
    (BATCH_CELLS / columns.max(1)).clamp(256, BATCH_ROWS_MAX)
}

/// The text of a query; `placeholder` gives the placeholder of value number 1 and up.
fn text_of(query: &Query, placeholder: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for (i, piece) in query.pieces.iter().enumerate() {
        if i > 0 {
            text.push_str(&placeholder(i));
        }
        text.push_str(piece);
    }
    // A single statement may end in a semicolon.
    text.trim_end().trim_end_matches(';').to_owned()
}

/// The values of a query in the order of their placeholders.
fn arguments<D: sqlx::Database>(values: &[QueryValue]) -> Result<D::Arguments, sqlx::Error>
where
    i64: for<'t> Encode<'t, D> + Type<D>,
    String: for<'t> Encode<'t, D> + Type<D>,
{
    let mut arguments = D::Arguments::default();
    for value in values {
        match value {
            QueryValue::Int(number) => arguments.add(*number),
            QueryValue::Date(date) => arguments.add(date.clone()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// A name that two columns share.
fn duplicate(names: &[String]) -> Option<&String> {
    names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)).map(|(_, name)| name)
}

/// The error for a query that the database cannot run.
fn refused(place: &str, said: &str) -> DataError {
    DataError::Outside { code: Code::Query, message: format!("`{place}`: {said}"), hint: None, source: None }
}

/// Checks that all column names differ.
fn check_names(place: &str, names: &[String]) -> Result<(), DataError> {
    match duplicate(names) {
        Some(column) => Err(DataError::DuplicateColumn { path: place.into(), column: column.clone() }),
        None => Ok(()),
    }
}
