//! Comma-separated values.
//!
//! The rules are those of RFC 4180, and where files in the wild go beyond it (see also [`super::CsvOptions`]):
//! * The first line that is not blank is the header, unless there is none. Names are taken without spaces around them.
//!   A column without a name is called by its place (`column_1`), as the first one of files that pandas and R write.
//!   Where every row has one cell more than the header, the first column is the one without a name.
//! * Lines end with LF or CR LF; a quoted cell may hold line ends, delimiters and doubled quotes. A quote inside an
//!   unquoted cell is text. A byte order mark and blank lines are ignored, and so is a delimiter at the end of lines.
//! * An empty cell, quoted or not, is missing; so is one that holds a null token.
//! * A column is `Int64` if every cell that is not missing is a whole number of 64 bits, else `Float64` if every one is
//!   a number (`inf` and `nan` are), else `Boolean` if every one is `true` or `false`, else `Utf8`. All rows are
//!   looked at. Numbers may have a sign and spaces around them. Digits that begin with a zero (`007`) are text, and so
//!   are whole numbers of which some do not fit 64 bits: as numbers they would lose something.
//! * Words such as `NA` and `null` are missing values in columns of numbers and booleans, and text in columns of text.
//!   `NaN` among whole numbers is missing.
//! * A column without any value is `Int64`: there is no cell that is not a whole number.
//!
//! A file is read twice: [`scan()`] checks every rule and decides the types, [`read()`] makes columns. Nothing of a file
//! with an error is given out, types are known before the first row, and memory stays bounded. Each reading takes a
//! few blocks of whole records at a time and works on them side by side; the result does not depend on how many
//! threads there are.

mod cells;
mod column;
mod notes;
mod read;
mod scan;
mod suspicion;
mod write;

use std::collections::HashSet;
use std::path::Path;

use arrow::datatypes::{DataType, SchemaRef};

use self::cells::{Cell, CellReader, Fault, FaultKind};
use self::column::text_of;
pub(super) use self::notes::Notes;
use self::read::read;
use self::scan::{Scan, scan};
use self::suspicion::{other_delimiter, rows_have};
use super::block::{Block, Blocks, blocks_at_once, mark_bytes};
use super::columns::{ColumnKind, FileColumns};
use super::dialect::{Dialect, Header};
use super::files::InputFile;
use super::format::{Batches, SourceFormat, extension, uncompressed_name};
use super::write::OpenWriter;
use super::{COLUMNS_MAX, CsvOptions, ReadOptions};
use crate::DataError;

/// The format. [`CsvOptions`] say how files are written where that is not the usual way.
pub(super) struct Csv;

impl SourceFormat for Csv {
    fn name(&self) -> &'static str {
        "CSV"
    }

    fn key(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "Comma-separated values"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["csv", "tsv"]
    }

    fn is_compressible(&self) -> bool {
        true
    }

    fn inspect(&self, file: &InputFile, options: &ReadOptions) -> Result<FileColumns, DataError> {
        let dialect = dialect_of(&file.path, &options.csv);
        let is_read = |name: &String| options.columns.as_ref().is_none_or(|columns| columns.contains(name));
        let is_given = |name: &String| options.types.as_ref().is_some_and(|t| t.field_with_name(name).is_ok());
        if options.types.is_some() {
            let (names, warnings) = header(&file.path, &dialect)?;
            if names.iter().all(|name| is_given(name) || !is_read(name)) {
                let columns = names.into_iter().map(|name| (name, ColumnKind::Given)).collect();
                return Ok(FileColumns { columns, warnings, ..FileColumns::default() });
            }
        }
        let Scan { columns, rows, warnings } = scan(&file.path, &dialect)?;
        let notes = columns.iter().map(|(name, _, notes)| (name.clone(), notes.clone())).collect();
        let columns = columns.into_iter().map(|(name, kinds, _)| (name, kinds.into()));
        Ok(FileColumns { notes, warnings, ..FileColumns::guessed(columns, rows) })
    }

    fn read(&self, file: &InputFile, csv: &CsvOptions, schema: &SchemaRef) -> Result<Batches, DataError> {
        Ok(Box::new(read(&file.path, &dialect_of(&file.path, csv), schema.clone())?))
    }

    fn writer(&self) -> Option<OpenWriter> {
        Some(write::open)
    }

    fn cannot_hold(&self, data_type: &DataType) -> Option<&'static str> {
        match data_type {
            DataType::List(_) => Some("a list"),
            DataType::Binary => Some("of type bytes"),
            _ => None,
        }
    }
}

/// How a file is written; its name says what stands between cells unless the options do.
fn dialect_of(path: &Path, options: &CsvOptions) -> Dialect {
    Dialect::new(options, delimiter_of(path))
}

/// What stands between the cells of a file of this name: a tab in `.tsv`, a comma in any other.
fn delimiter_of(path: &Path) -> u8 {
    let is_tsv = uncompressed_name(path).is_some_and(|(name, _)| extension(&name) == "tsv");
    if is_tsv { b'\t' } else { b',' }
}

/// Cells located at once: few enough that they stay in the cache while each column takes its own.
const RUN_CELLS: usize = 8_192;

/// The names of the columns, without a look at the rows; remarks about them.
fn header(path: &Path, dialect: &Dialect) -> Result<(Vec<String>, Vec<String>), DataError> {
    let mut opened = open(path, dialect)?;
    // Only a look at the rows tells whether there is anything in it.
    if opened.is_last_unnamed && opened.names.len() > 1 {
        opened.names.pop();
    }
    Ok((opened.names, opened.warnings))
}

/// A file whose header has been read.
struct Opened {
    /// One name for each cell of a row.
    names: Vec<String>,
    /// The columns without a name of their own: their places, counted from 1, and what they are called.
    unnamed: Vec<(usize, String)>,
    /// Whether the header ends in a delimiter: the last column may be none.
    is_last_unnamed: bool,
    /// The delimiter that would fit, and how many columns there would be, where there is one column.
    other: Option<(u8, usize)>,
    /// Something odd about the header that stops nothing.
    warnings: Vec<String>,
    /// The first block, which may hold nothing but the header.
    first: Option<Block>,
    blocks: Blocks,
}

impl Opened {
    /// As many blocks as are worked on side by side; none at the end of the file.
    fn next_group(&mut self) -> Result<Vec<Block>, DataError> {
        let mut group: Vec<Block> = self.first.take().into_iter().collect();
        group.extend(self.blocks.next_blocks(blocks_at_once() - group.len())?);
        Ok(group)
    }
}

fn open(path: &Path, dialect: &Dialect) -> Result<Opened, DataError> {
    let mut blocks = Blocks::open(path, Some(dialect.marks))?;
    let mut cells = Vec::new();
    while let Some(mut block) = blocks.next_block()? {
        if block.offset == 0 {
            block.start = mark_bytes(&block.bytes);
        }
        let text = block.text(path)?;
        let mut reader = CellReader::new(&block, dialect.marks);
        loop {
            let at = reader.position();
            cells.clear();
            if !reader
                .next_record(&mut cells)
                .map_err(|fault| located(path, &block, &fault, 0, &dialect.header, None))?
            {
                break;
            }
            if let [only] = cells[..]
                && text[only.range()].is_empty()
            {
                continue;
            }
            let line = block.line_at(at);
            let (mut names, start) = match &dialect.header {
                Header::FirstLine => {
                    let name = |cell: &Cell| text_of(text, *cell, dialect).trim().to_owned();
                    (cells.iter().map(name).collect(), reader.position())
                }
                Header::Names(names) => (names.clone(), at),
                Header::Numbered => ((1..=cells.len()).map(|i| format!("column_{i}")).collect(), at),
            };
            let other = (names.len() == 1).then(|| other_delimiter(&block, at, dialect.marks)).flatten();
            if dialect.header == Header::FirstLine && other.is_none() {
                fit_to_rows(&mut names, &block, start, dialect);
            }
            let unnamed = name_unnamed(&mut names);
            let is_last_unnamed = unnamed.last().is_some_and(|(place, _)| *place == names.len());
            check_names(path, line, &names)?;
            let warnings = other.map(|(delimiter, columns)| {
                let delimiter = char::from(delimiter).escape_default();
                format!("`{}` has one column; with the delimiter `{delimiter}` it would have {columns}", path.display())
            });
            let warnings = warnings.into_iter().collect();
            block.start = start;
            return Ok(Opened { names, unnamed, is_last_unnamed, other, warnings, first: Some(block), blocks });
        }
    }
    Err(DataError::SourceEmpty { path: path.to_owned(), header_only: false })
}

/// Makes a header of one cell more or fewer than the rows fit them: rows may begin with a name that the header has no
/// cell for, and a header may end in a delimiter that rows do not end in.
fn fit_to_rows(names: &mut Vec<String>, block: &Block, start: usize, dialect: &Dialect) {
    let rows_have = |columns: usize| rows_have(block, start, dialect.marks, columns);
    let columns = names.len();
    if rows_have(columns) {
        return;
    }
    if columns > 1 && names.last().is_some_and(String::is_empty) && rows_have(columns - 1) {
        names.pop();
    } else if columns > 1 && rows_have(columns + 1) {
        names.insert(0, String::new());
    }
}

/// Names the columns without a name by their place, and returns them.
fn name_unnamed(names: &mut [String]) -> Vec<(usize, String)> {
    let mut unnamed = Vec::new();
    if names.iter().all(|name| !name.is_empty()) {
        return unnamed;
    }
    let taken: HashSet<String> = names.iter().cloned().collect();
    for (i, name) in names.iter_mut().enumerate().filter(|(_, name)| name.is_empty()) {
        *name = format!("column_{}", i + 1);
        while taken.contains(name.as_str()) {
            name.push('_');
        }
        unnamed.push((i + 1, name.clone()));
    }
    unnamed
}

fn check_names(path: &Path, line: u64, names: &[String]) -> Result<(), DataError> {
    if names.len() > COLUMNS_MAX {
        let message = format!("the header has {} columns, more than the {COLUMNS_MAX} that are read", names.len());
        return Err(DataError::malformed(path, Some(line), message));
    }
    let mut seen = HashSet::new();
    for name in names {
        // Old files end lines with a carriage return alone: everything would be one header.
        if name.contains('\r') {
            let message = "the header holds a carriage return; lines must end with LF or CR LF";
            return Err(DataError::malformed(path, Some(line), message));
        }
        if !seen.insert(name) {
            return Err(DataError::DuplicateColumn { path: path.to_owned(), column: name.clone() });
        }
    }
    Ok(())
}

/// A fault in a block as an error with the line of the file.
fn located(
    path: &Path,
    block: &Block,
    fault: &Fault,
    columns: usize,
    header: &Header,
    other: Option<(u8, usize)>,
) -> DataError {
    let line = block.line_at(fault.at);
    match (&fault.kind, header) {
        (FaultKind::Ragged { found }, Header::FirstLine) => {
            DataError::RaggedRow { path: path.to_owned(), line, expected: columns, found: *found, other }
        }
        (FaultKind::Ragged { found }, Header::Names(_)) => {
            let message = format!("the row has {found} cells, but {columns} columns are named");
            DataError::malformed(path, Some(line), message)
        }
        (FaultKind::Ragged { found }, Header::Numbered) => {
            let message = format!("the row has {found} cells, the first row has {columns}");
            DataError::malformed(path, Some(line), message)
        }
        (FaultKind::TextAfterQuote, _) => {
            DataError::malformed(path, Some(line), "there is text between a closing quote and the next delimiter")
        }
    }
}
