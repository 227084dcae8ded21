//! The first reading of a file: rules, rows, types.

use std::path::Path;

use rayon::prelude::*;

use super::cells::CellReader;
use super::column::ColumnCells;
use super::notes::Notes;
use super::{RUN_CELLS, located, open};
use crate::DataError;
use crate::source::block::Block;
use crate::source::dialect::Dialect;
use crate::source::value::CellKinds;

/// What the first reading of a file found.
#[derive(Debug, Clone)]
pub(in crate::source) struct Scan {
    /// Columns in the order of the header.
    pub(in crate::source) columns: Vec<(String, CellKinds, Notes)>,
    pub(in crate::source) rows: u64,
    /// Remarks about the file that stop nothing.
    pub(in crate::source) warnings: Vec<String>,
}

/// Reads a file once: checks every rule, counts the rows, decides the type of every column.
pub(in crate::source) fn scan(path: &Path, dialect: &Dialect) -> Result<Scan, DataError> {
    let mut file = open(path, dialect)?;
    let stride = file.names.len();
    let (mut kinds, mut notes) = (vec![CellKinds::NOTHING; stride], vec![Notes::default(); stride]);
    let mut rows = 0;
    loop {
        let group = file.next_group()?;
        if group.is_empty() {
            break;
        }
        // Starting from what is known spares a look at every cell of a column that is text already.
        let scanned: Vec<_> =
            group.par_iter().map(|block| scan_block(path, block, dialect, file.other, kinds.clone())).collect();
        for result in scanned {
            let found = result?;
            rows += found.rows;
            kinds.iter_mut().zip(found.kinds).for_each(|(known, more)| *known = known.join(more));
            notes.iter_mut().zip(&found.notes).for_each(|(known, more)| known.join(more));
        }
    }
    let mut columns: Vec<_> = file.names.into_iter().zip(kinds.into_iter().zip(notes)).collect();
    // A delimiter at the end of every line makes a column without a name and without a value.
    if file.is_last_unnamed && columns.len() > 1 && columns.last().is_some_and(|(_, (k, _))| *k == CellKinds::NOTHING) {
        columns.pop();
        file.unnamed.pop();
    }
    let mut warnings = file.warnings;
    if let Some((place, name)) = file.unnamed.first() {
        let more = file.unnamed.len() - 1;
        let others = if more > 0 { format!(", and so on for {more} more") } else { String::new() };
        let path = path.display();
        warnings.push(format!("`{path}`: column {place} has no name; it is called `{name}`{others}"));
    }
    let columns = columns.into_iter().map(|(name, (kinds, notes))| (name, kinds, notes)).collect();
    Ok(Scan { columns, rows, warnings })
}

struct Found {
    kinds: Vec<CellKinds>,
    notes: Vec<Notes>,
    rows: u64,
}

fn scan_block(
    path: &Path,
    block: &Block,
    dialect: &Dialect,
    other: Option<(u8, usize)>,
    kinds: Vec<CellKinds>,
) -> Result<Found, DataError> {
    let text = block.text(path)?;
    let stride = kinds.len();
    let mut found = Found { notes: vec![Notes::default(); stride], kinds, rows: 0 };
    let (mut reader, mut cells) = (CellReader::new(block, dialect.marks), Vec::new());
    loop {
        let run = reader
            .next_rows(&mut cells, stride, (RUN_CELLS / stride).max(1))
            .map_err(|fault| located(path, block, &fault, stride, &dialect.header, other))?;
        if run == 0 {
            return Ok(found);
        }
        found.rows += run as u64;
        for (column, (kinds, notes)) in found.kinds.iter_mut().zip(&mut found.notes).enumerate() {
            ColumnCells { text, cells: &cells, column, stride, dialect }.look(kinds, notes);
        }
    }
}
