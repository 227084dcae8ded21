//! The first reading of a file: rules, rows, types.

use std::path::Path;

use rayon::prelude::*;

use super::cells::CellReader;
use super::column::ColumnCells;
use super::{RUN_CELLS, located, open};
use crate::DataError;
use crate::source::block::Block;
use crate::source::dialect::Dialect;
use crate::source::value::Guess;

/// What one pass over a file told.
#[derive(Debug, Clone)]
pub(in crate::source) struct Scan {
    /// Columns in the order of the header.
    pub(in crate::source) columns: Vec<(String, Guess)>,
    pub(in crate::source) rows: u64,
    /// Things worth knowing that stop nothing.
    pub(in crate::source) warning: Option<String>,
}

/// Reads a file once: checks every rule, counts the rows, decides the type of every column.
pub(in crate::source) fn scan(path: &Path, dialect: &Dialect) -> Result<Scan, DataError> {
    let mut file = open(path, dialect)?;
    let mut guesses = vec![Guess::Nothing; file.names.len()];
    let mut rows = 0;
    loop {
        let group = file.next_group()?;
        if group.is_empty() {
            let columns = file.names.into_iter().zip(guesses).collect();
            return Ok(Scan { columns, rows, warning: file.warning });
        }
        // Starting from what is known spares a look at every cell of a column that is text already.
        let scanned: Vec<_> = group.par_iter().map(|block| scan_block(path, block, dialect, guesses.clone())).collect();
        for result in scanned {
            let (types, count) = result?;
            rows += count;
            guesses.iter_mut().zip(types).for_each(|(guess, other)| *guess = guess.join(other));
        }
    }
}

fn scan_block(
    path: &Path,
    block: &Block,
    dialect: &Dialect,
    mut guesses: Vec<Guess>,
) -> Result<(Vec<Guess>, u64), DataError> {
    let text = block.text(path)?;
    let stride = guesses.len();
    let (mut reader, mut cells, mut rows) = (CellReader::new(block, dialect.marks), Vec::new(), 0);
    loop {
        let run = reader
            .next_rows(&mut cells, stride, (RUN_CELLS / stride).max(1))
            .map_err(|fault| located(path, block, &fault, stride, &dialect.header))?;
        if run == 0 {
            return Ok((guesses, rows));
        }
        rows += run as u64;
        for (column, guess) in guesses.iter_mut().enumerate() {
            let cells = &cells;
            let Dialect { marks, missing, .. } = dialect;
            let column = ColumnCells { text, cells, column, stride, marks: *marks, missing };
            *guess = column.join_types(*guess);
        }
    }
}
