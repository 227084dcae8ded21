//! Finds the cells of records.

use memchr::memchr2;

use crate::source::block::{Block, closing_quote};
use crate::source::dialect::Marks;

const ESCAPED: u32 = 1 << 31;
const QUOTED: u32 = 1 << 30;

/// Where a cell lies in its block, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    start: u32,
    /// Length in bytes; the two highest bits are flags. A record is at most 64 MiB, so they are free.
    len: u32,
}

impl Cell {
    fn new(start: usize, end: usize, flags: u32) -> Self {
        Self { start: start as u32, len: (end - start) as u32 | flags }
    }

    /// Where the cell lies in the block.
    pub(super) fn range(self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + (self.len & !(ESCAPED | QUOTED)) as usize
    }

    /// Whether the cell holds doubled quotes, each of which stands for one.
    pub(super) fn is_escaped(self) -> bool {
        self.len & ESCAPED != 0
    }

    /// Whether nothing at all stands in the cell, not even quotes.
    fn is_nothing(self) -> bool {
        self.len == 0
    }
}

/// A broken rule at byte `at` of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) kind: FaultKind,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// A record has so many cells instead of the header's.
    Ragged { found: usize },
    /// Something stands between a closing quote and the next delimiter.
    TextAfterQuote,
}

/// Walks through the records of a block.
pub(super) struct CellReader<'a> {
    bytes: &'a [u8],
    at: usize,
    delimiter: u8,
    quote: Option<u8>,
    has_quotes: bool,
}

impl<'a> CellReader<'a> {
    pub(super) fn new(block: &'a Block, marks: Marks) -> Self {
        Self::at(block, marks, block.start)
    }

    /// A reader whose first record begins at byte `at`.
    pub(super) fn at(block: &'a Block, marks: Marks, at: usize) -> Self {
        let Marks { delimiter, quote } = marks;
        Self { bytes: &block.bytes, at, delimiter, quote, has_quotes: block.has_quotes }
    }

    /// Where the next record begins.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Replaces `cells` by those of the next records, `columns` each, at most `rows_max` records, and gives how many
    /// there were; 0 at the end of the block. Blank lines are passed over.
    pub(super) fn next_rows(&mut self, cells: &mut Vec<Cell>, columns: usize, rows_max: usize) -> Result<usize, Fault> {
        cells.clear();
        if self.has_quotes {
            self.next_rows_quoted(cells, columns, rows_max)
        } else {
            self.next_rows_plain(cells, columns, rows_max)
        }
    }

    /// Reads one record, whatever the number of its cells; false at the end of the block. A blank line gives one cell
    /// or none.
    pub(super) fn next_record(&mut self, cells: &mut Vec<Cell>) -> Result<bool, Fault> {
        let bytes = self.bytes;
        if self.at >= bytes.len() {
            return Ok(false);
        }
        loop {
            let start = self.at;
            let (cell, after) = if let Some(quote) = self.quote.filter(|quote| bytes.get(start) == Some(quote)) {
                // The block was cut outside quotes, so the quote is closed.
                let close = closing_quote(bytes, start + 1, quote).unwrap_or(bytes.len());
                let content = start + 1..close.min(bytes.len());
                let escaped = memchr::memchr(quote, &bytes[content.clone()]).is_some();
                let flags = QUOTED | if escaped { ESCAPED } else { 0 };
                (Cell::new(content.start, content.end, flags), close + 1)
            } else {
                let end = memchr2(self.delimiter, b'\n', &bytes[start..]).map_or(bytes.len(), |step| start + step);
                (Cell::new(start, without_carriage_return(bytes, start, end), 0), end)
            };
            cells.push(cell);
            let rest = bytes.get(after..).unwrap_or_default();
            match rest {
                [b, ..] if *b == self.delimiter => self.at = after + 1,
                [b'\n', ..] => {
                    self.at = after + 1;
                    return Ok(true);
                }
                [b'\r', b'\n', ..] => {
                    self.at = after + 2;
                    return Ok(true);
                }
                [] => {
                    self.at = bytes.len();
                    return Ok(true);
                }
                _ => return Err(Fault { at: after, kind: FaultKind::TextAfterQuote }),
            }
        }
    }

    fn next_rows_quoted(&mut self, cells: &mut Vec<Cell>, columns: usize, rows_max: usize) -> Result<usize, Fault> {
        let mut rows = 0;
        while rows < rows_max {
            let (record, before) = (self.at, cells.len());
            if !self.next_record(cells)? {
                break;
            }
            let found = cells.len() - before;
            if found == 1 && cells[before].is_nothing() {
                cells.truncate(before);
            } else if found == columns || ends_in_delimiter(cells, found, columns) {
                cells.truncate(before + columns);
                rows += 1;
            } else {
                return Err(Fault { at: record, kind: FaultKind::Ragged { found } });
            }
        }
        Ok(rows)
    }

    /// The same where there are no quotes: delimiters and line feeds are found eight bytes at a time.
    fn next_rows_plain(&mut self, cells: &mut Vec<Cell>, columns: usize, rows_max: usize) -> Result<usize, Fault> {
        let bytes = self.bytes;
        let from = self.at;
        let mut rows = 0;
        let (mut record, mut start, mut before) = (from, from, cells.len());
        let delimiters = repeat(self.delimiter);
        let (words, tail) = bytes[from..].as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        let mut last = [self.delimiter ^ 1; 8];
        last[..tail.len()].copy_from_slice(tail);
        for (i, word) in words.chain(std::iter::once(u64::from_le_bytes(last))).enumerate() {
            let line_feeds = equal_bytes(word, repeat(b'\n'));
            let mut hits = equal_bytes(word, delimiters) | line_feeds;
            while hits != 0 {
                let bit = hits.trailing_zeros();
                hits &= hits - 1;
                let at = from + i * 8 + (bit / 8) as usize;
                if at >= bytes.len() {
                    break;
                }
                if line_feeds & (1 << bit) == 0 {
                    cells.push(Cell::new(start, at, 0));
                    start = at + 1;
                    continue;
                }
                cells.push(Cell::new(start, without_carriage_return(bytes, start, at), 0));
                start = at + 1;
                let found = cells.len() - before;
                if found == 1 && cells[before].is_nothing() {
                    cells.truncate(before);
                } else if found == columns || ends_in_delimiter(cells, found, columns) {
                    cells.truncate(before + columns);
                    rows += 1;
                } else {
                    return Err(Fault { at: record, kind: FaultKind::Ragged { found } });
                }
                (record, before) = (start, cells.len());
                if rows == rows_max {
                    self.at = start;
                    return Ok(rows);
                }
            }
        }
        self.at = bytes.len();
        Ok(rows)
    }
}

/// Whether a record has one cell more than there are columns, and nothing in it.
fn ends_in_delimiter(cells: &[Cell], found: usize, columns: usize) -> bool {
    found == columns + 1 && cells.last().is_some_and(|cell| cell.is_nothing())
}

/// `end`, or one less where the line ends with a carriage return before its line feed.
fn without_carriage_return(bytes: &[u8], start: usize, end: usize) -> usize {
    if end > start && bytes.get(end) == Some(&b'\n') && bytes[end - 1] == b'\r' { end - 1 } else { end }
}

const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte of `word` that equals the same byte of `pattern`; all other bits are 0.
const fn equal_bytes(word: u64, pattern: u64) -> u64 {
    const LOW: u64 = repeat(0x7f);
    let differ = word ^ pattern;
    !(((differ & LOW) + LOW) | differ) & !LOW
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(text: &[u8], has_quotes: bool) -> Block {
        Block { bytes: text.to_vec(), start: 0, line: 1, offset: 0, has_quotes }
    }

    fn rows(text: &[u8], has_quotes: bool, columns: usize, rows_max: usize) -> Result<Vec<Vec<String>>, Fault> {
        let block = block(text, has_quotes);
        let mut reader = CellReader::new(&block, Marks { delimiter: b',', quote: Some(b'"') });
        let (mut cells, mut out) = (Vec::new(), Vec::new());
        while reader.next_rows(&mut cells, columns, rows_max)? > 0 {
            for row in cells.chunks(columns) {
                out.push(row.iter().map(|c| String::from_utf8_lossy(&text[c.range()]).into_owned()).collect());
            }
        }
        Ok(out)
    }

    #[test]
    fn quoted_cells_lose_their_quotes() {
        let out = rows(b"1,\"a,b\"\r\n\n\"\",\"x\ny\"\n", true, 2, 10).unwrap();
        assert_eq!(out, [["1", "a,b"], ["", "x\ny"]]);
    }

    #[test]
    fn faults_are_located() {
        let fault = rows(b"1,2\n3\n", false, 2, 10).unwrap_err();
        assert_eq!(fault, Fault { at: 4, kind: FaultKind::Ragged { found: 1 } });
        let fault = rows(b"1,\"2\"x\n", true, 2, 10).unwrap_err();
        assert_eq!(fault, Fault { at: 5, kind: FaultKind::TextAfterQuote });
    }

    proptest! {
        #[test]
        fn the_quick_way_finds_what_the_careful_way_finds(text in "[ab,\r\n]{0,80}", columns in 1usize..4, max in 1usize..5) {
            let text = format!("{text}\n");
            prop_assert_eq!(
                rows(text.as_bytes(), false, columns, max),
                rows(text.as_bytes(), true, columns, max)
            );
        }

        #[test]
        fn equal_bytes_are_found_exactly(word: u64, byte: u8, at in 0usize..8) {
            let mut bytes = word.to_le_bytes();
            bytes[at] = byte;
            let expected = bytes.map(|b| if b == byte { 0x80 } else { 0 });
            prop_assert_eq!(equal_bytes(u64::from_le_bytes(bytes), repeat(byte)), u64::from_le_bytes(expected));
        }
    }
}
