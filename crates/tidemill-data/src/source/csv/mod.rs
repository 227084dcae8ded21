//! Comma-separated values.
//!
//! The rules are those of RFC 4180, and where files in the wild go beyond it:
//! * The first line that is not blank is the header. Names are taken without spaces around them.
//! * Lines end with LF or CR LF; a quoted cell may hold line ends, delimiters and doubled quotes. A quote inside an
//!   unquoted cell is text. A byte order mark is passed over. Blank lines are passed over.
//! * An empty cell, quoted or not, is missing.
//! * A column is `Int64` if every cell that is not empty is a whole number of 64 bits, else `Float64` if every one is
//!   a number (`nan` and `inf` are), else `Boolean` if every one is `true` or `false`, else `Utf8`. All rows are
//!   looked at. Numbers may have a sign, leading zeros (`007` is 7, as TFX, `DuckDB` and pandas read it) and spaces
//!   around them. A column without any value is `Int64`: there is no cell that is not a whole number.
//!
//! A file is read twice: [`scan()`] checks every rule and decides the types, [`read()`] makes columns. Nothing of a file
//! with an error is given out, types are known before the first row, and memory stays bounded. Each reading takes a
//! few blocks of whole records at a time and works on them side by side; the result does not depend on how many
//! threads there are.

mod cells;
mod column;
mod read;
mod scan;

use std::collections::HashSet;
use std::path::Path;

use self::cells::{CellReader, Fault, FaultKind};
use self::column::text_of;
pub(super) use self::read::{CsvReader, read};
pub(super) use self::scan::scan;
use super::COLUMNS_MAX;
use super::block::{Block, Blocks, blocks_at_once, mark_bytes};
use crate::DataError;

/// Cells located at once: few enough that they stay in the cache while each column takes its own.
const RUN_CELLS: usize = 8_192;

/// The names of the columns, without a look at the rows.
pub(super) fn header(path: &Path, delimiter: u8) -> Result<Vec<String>, DataError> {
    Ok(open(path, delimiter)?.names)
}

/// A file whose header has been read.
struct Opened {
    names: Vec<String>,
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

fn open(path: &Path, delimiter: u8) -> Result<Opened, DataError> {
    let mut blocks = Blocks::open(path, Some(delimiter))?;
    let mut cells = Vec::new();
    while let Some(mut block) = blocks.next_block()? {
        if block.offset == 0 {
            block.start = mark_bytes(&block.bytes);
        }
        let text = block.text(path)?;
        let mut reader = CellReader::new(&block, delimiter);
        loop {
            let at = reader.position();
            cells.clear();
            if !reader.next_record(&mut cells).map_err(|fault| located(path, &block, &fault, 0))? {
                break;
            }
            if let [only] = cells[..]
                && text[only.range()].is_empty()
            {
                continue;
            }
            let line = block.line_at(at);
            let names: Vec<String> = cells.iter().map(|cell| text_of(text, *cell).trim().to_owned()).collect();
            check_names(path, line, &names)?;
            block.start = reader.position();
            return Ok(Opened { names, first: Some(block), blocks });
        }
    }
    Err(DataError::SourceEmpty { path: path.to_owned(), header_only: false })
}

fn check_names(path: &Path, line: u64, names: &[String]) -> Result<(), DataError> {
    if names.len() > COLUMNS_MAX {
        let message = format!("the header has {} columns, more than the {COLUMNS_MAX} that are read", names.len());
        return Err(DataError::malformed(path, Some(line), message));
    }
    let mut seen = HashSet::new();
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(DataError::malformed(path, Some(line), format!("column {} has no name", i + 1)));
        }
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
fn located(path: &Path, block: &Block, fault: &Fault, columns: usize) -> DataError {
    let line = block.line_at(fault.at);
    match fault.kind {
        FaultKind::Ragged { found } => DataError::RaggedRow { path: path.to_owned(), line, expected: columns, found },
        FaultKind::TextAfterQuote => {
            DataError::malformed(path, Some(line), "there is text between a closing quote and the next delimiter")
        }
    }
}
