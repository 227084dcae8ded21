//! Whether another character stands between cells than was thought.

use super::cells::CellReader;
use crate::source::block::Block;
use crate::source::dialect::Marks;

/// What people put between cells.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Rows looked at.
const ROWS_MAX: usize = 100;

/// The delimiter with which a block that has one column would have many, and how many: the header and the first rows all
/// have the same number of cells. `start` is where the first record begins.
pub(super) fn other_delimiter(block: &Block, start: usize, marks: Marks) -> Option<(u8, usize)> {
    let mut others = DELIMITERS.into_iter().filter(|delimiter| *delimiter != marks.delimiter);
    others.find_map(|delimiter| Some((delimiter, columns_with(block, start, Marks { delimiter, ..marks })?)))
}

fn columns_with(block: &Block, start: usize, marks: Marks) -> Option<usize> {
    let mut reader = CellReader::at(block, marks, start);
    let mut cells = Vec::new();
    while cells.len() < 2 {
        cells.clear();
        if !reader.next_record(&mut cells).ok()? {
            return None;
        }
        // Blank lines before the header.
        if cells.len() == 1 && !cells[0].range().is_empty() {
            return None;
        }
    }
    let columns = cells.len();
    reader.next_rows(&mut cells, columns, ROWS_MAX).ok().filter(|rows| *rows > 0).map(|_| columns)
}

/// Whether there are rows from byte `start` on, and the first of them have so many cells.
pub(super) fn rows_have(block: &Block, start: usize, marks: Marks, columns: usize) -> bool {
    let mut reader = CellReader::at(block, marks, start);
    columns > 0 && reader.next_rows(&mut Vec::new(), columns, ROWS_MAX).is_ok_and(|rows| rows > 0)
}
