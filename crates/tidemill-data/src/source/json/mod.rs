//! JSON: one object a line, or one array of objects.
//!
//! * Lines end with LF or CR LF; blank lines and a byte order mark are ignored; gzip and Zstandard are recognised. A file
//!   that begins with `[` is an array, whose objects may stand on as many lines as they like.
//! * Every key is a column. The members of a nested object are columns with a dotted path (`rider.age`). A column with
//!   a list in some row is a column of lists, in which a single value is a list of one. A column with a list of lists or
//!   objects in some row is left out. `null` and a key that is not there are missing; `""` is text. A column that is
//!   `null` in some rows and an object in others is the object's members.
//! * A column is `Int64` if every value is a whole number of 64 bits, else `Float64` if every one is a number, else
//!   `Boolean` if every one is `true` or `false`, else `Utf8`: numbers and booleans among text become their text. All
//!   rows are looked at. Text that reads like a number stays text; whole numbers of which some do not fit 64 bits are
//!   text too, which keeps every digit.
//! * A last line that ends in the middle of its object, as a writer that was stopped leaves it, is left out with a warning.
//! * Columns come in the order in which keys first appear.
//!
//! A file is read twice, as CSV is: [`scan()`] checks every rule and decides the types, [`read()`] makes columns.

mod array;
mod line;
mod read;
mod scan;
mod write;

use std::collections::HashSet;
use std::path::Path;

use arrow::datatypes::{DataType, SchemaRef};

pub(super) use self::array::{ArrayFault, ArrayLines};
use self::line::LineError;
use self::read::read;
use self::scan::{Scan, scan};
use super::block::{Block, Blocks, mark_bytes};
use super::columns::{ColumnKind, FileColumns};
use super::files::InputFile;
use super::format::{Batches, SourceFormat};
use super::value::Shape;
use super::write::{OpenWriter, RowByRow};
use super::{CsvOptions, ReadOptions};
use crate::DataError;

/// The format.
pub(super) struct Json;

impl SourceFormat for Json {
    fn name(&self) -> &'static str {
        "JSON lines"
    }

    fn key(&self) -> &'static str {
        "json"
    }

    fn about(&self) -> &'static str {
        "One JSON object a line"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson", "json"]
    }

    fn is_compressible(&self) -> bool {
        true
    }

    fn has_optional_columns(&self) -> bool {
        true
    }

    fn inspect(&self, file: &InputFile, _: &ReadOptions) -> Result<FileColumns, DataError> {
        let Scan { columns, left_out, rows, torn } = scan(&file.path)?;
        let warning =
            |line: u64| format!("`{}` ends in the middle of line {line}, which is left out", file.path.display());
        let warnings = torn.map(warning).into_iter().collect();
        Ok(FileColumns { left_out, warnings, ..FileColumns::guessed(columns, rows) })
    }

    fn tidy(&self, columns: &mut Vec<(String, ColumnKind)>) {
        drop_null_objects(columns);
    }

    fn read(&self, file: &InputFile, _: &CsvOptions, schema: &SchemaRef) -> Result<Batches, DataError> {
        Ok(Box::new(read(&file.path, schema)?))
    }

    fn writer(&self) -> Option<OpenWriter> {
        Some(|path, file, _| RowByRow::open(path, file, write::write_rows))
    }

    fn cannot_hold(&self, data_type: &DataType) -> Option<&'static str> {
        matches!(data_type, DataType::Binary).then_some("of type bytes")
    }
}

/// Takes away columns that are nothing but null where other rows have an object: its members are columns.
fn drop_null_objects(columns: &mut Vec<(String, ColumnKind)>) {
    let objects: HashSet<String> = columns
        .iter()
        .flat_map(|(name, _)| name.match_indices('.').map(|(at, _)| name[..at].to_owned()).collect::<Vec<_>>())
        .collect();
    let is_null = |kind: &ColumnKind| matches!(kind, ColumnKind::Guessed(shape) if *shape == Shape::default());
    columns.retain(|(name, kind)| !(is_null(kind) && objects.contains(name)));
}

/// The lines of a block that are not blank, each with its number in the file.
fn lines<'a>(block: &Block, text: &'a str) -> impl Iterator<Item = (u64, &'a str)> {
    let skip = if block.offset == 0 { mark_bytes(text.as_bytes()) } else { 0 };
    let first = block.line;
    let text = text.get(skip..).unwrap_or_default();
    // `lines` takes a carriage return before the line feed away.
    text.lines()
        .enumerate()
        .map(move |(i, line)| (first + i as u64, line))
        .filter(|(_, line)| !line.trim_matches([' ', '\t', '\r']).is_empty())
}

/// Where a line stands, for errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// It is a line of the file.
    Line,
    /// It is an element of the array that the file is.
    Element,
}

fn located(path: &Path, unit: Unit, line: u64, error: LineError) -> DataError {
    let LineError { column, message } = error;
    match unit {
        Unit::Line => DataError::SourceSyntax { path: path.to_owned(), line, column, message },
        Unit::Element => DataError::malformed(path, None, format!("element {line} of the array: {message}")),
    }
}

/// The blocks of a file, and what their lines are.
fn open(path: &Path) -> Result<(Blocks, Unit), DataError> {
    let (blocks, is_array) = Blocks::open_json(path)?;
    Ok((blocks, if is_array { Unit::Element } else { Unit::Line }))
}
