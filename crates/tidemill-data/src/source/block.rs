//! Cuts a text file into blocks of whole records, so that blocks can be worked on side by side.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use memchr::{memchr, memchr_iter, memchr2, memrchr};

use super::dialect::Marks;
use super::json::{ArrayFault, ArrayLines};
use crate::DataError;

/// Bytes of a block, unless a single record is longer.
const BLOCK_BYTES: usize = 4 << 20;

/// Bytes of the longest record. Beyond it, it is almost certainly a quote that was never closed, and reading on
/// would take the whole file into memory.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;

/// Bytes looked at to see what a file of JSON begins with.
const HEAD_BYTES: u64 = 4096;

/// Blocks worked on side by side, at most: they bound the memory.
const BLOCKS_MAX: usize = 8;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What compressed files begin with.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How many blocks to read for all threads.
pub(super) fn blocks_at_once() -> usize {
    rayon::current_num_threads().clamp(1, BLOCKS_MAX)
}

/// Length of the byte order mark that `bytes` begins with, if any.
pub(super) fn mark_bytes(bytes: &[u8]) -> usize {
    if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
}

/// Whole records as they are in the file; the last byte is a line feed.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Where the first record of rows begins: after a byte order mark and the header in the first block.
    pub(super) start: usize,
    /// Line of the first byte in the file, counted from 1.
    pub(super) line: u64,
    /// Offset of the first byte in the file.
    pub(super) offset: u64,
    /// Whether there is any quote that matters.
    pub(super) has_quotes: bool,
}

impl Block {
    /// The line of the file that byte `at` of the block is on.
    pub(super) fn line_at(&self, at: usize) -> u64 {
        self.line + memchr_iter(b'\n', &self.bytes[..at.min(self.bytes.len())]).count() as u64
    }

    /// The text of the block, or an error that names the first byte that is not UTF-8.
    pub(super) fn text(&self, path: &Path) -> Result<&str, DataError> {
        std::str::from_utf8(&self.bytes).map_err(|error| {
            let at = error.valid_up_to();
            DataError::NotUtf8 {
                path: path.to_owned(),
                line: self.line_at(at),
                offset: self.offset + at as u64,
                byte: self.bytes.get(at).copied().unwrap_or_default(),
            }
        })
    }
}

/// The blocks of one file, in order.
pub(super) struct Blocks {
    path: PathBuf,
    input: Box<dyn Read + Send>,
    marks: Option<Marks>,
    block_bytes: usize,
    rest: Vec<u8>,
    line: u64,
    offset: u64,
    done: bool,
    /// Whether a last line of JSON that is cut off is left out.
    skips_torn: bool,
    torn: Option<u64>,
}

impl Blocks {
    /// Cuts a file of JSON after lines; if it is an array, each of its elements is a line. Says whether it is.
    pub(super) fn open_json(path: &Path) -> Result<(Self, bool), DataError> {
        let mut input = open_text(path)?;
        let mut head = Vec::new();
        let first = loop {
            let rest = head.get(mark_bytes(&head)..).unwrap_or_default();
            if let Some(byte) = rest.iter().find(|byte| !byte.is_ascii_whitespace()) {
                break Some(*byte);
            }
            let got =
                input.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| unreadable(path, error))?;
            if got == 0 || head.len() > RECORD_BYTES_MAX {
                break None;
            }
        };
        let whole = Cursor::new(head).chain(input);
        Ok(if first == Some(b'[') {
            (Self::new(path, Box::new(ArrayLines::new(whole)), None, BLOCK_BYTES), true)
        } else {
            (Self { skips_torn: true, ..Self::new(path, Box::new(whole), None, BLOCK_BYTES) }, false)
        })
    }

    /// Cuts the file after records. With marks between and around cells, line feeds in quoted cells are part of a
    /// record; without, every line is one.
    pub(super) fn open(path: &Path, marks: Option<Marks>) -> Result<Self, DataError> {
        Ok(Self::new(path, open_text(path)?, marks, BLOCK_BYTES))
    }

    fn new(path: &Path, input: Box<dyn Read + Send>, marks: Option<Marks>, block_bytes: usize) -> Self {
        Self {
            path: path.to_owned(),
            input,
            marks,
            block_bytes,
            rest: Vec::new(),
            line: 1,
            offset: 0,
            done: false,
            skips_torn: false,
            torn: None,
        }
    }

    /// The last line, if it is cut off and left out: known once all blocks are read.
    pub(super) fn torn_line(&self) -> Option<u64> {
        self.torn
    }

    /// Takes away a last line that ends in the middle of a value: whoever wrote it was stopped. A file that has no other
    /// line keeps it.
    fn drop_torn_line(&mut self, bytes: &mut Vec<u8>) {
        let start = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        let is_cut =
            |line: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err_and(|error| error.is_eof());
        if self.skips_torn
            && (start > 0 || self.offset > 0)
            && !bytes[start..].trim_ascii().is_empty()
            && is_cut(&bytes[start..])
        {
            self.torn = Some(self.line + memchr_iter(b'\n', &bytes[..start]).count() as u64);
            bytes.truncate(start);
        }
    }

    /// The next block, or `None` at the end of the file.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, DataError> {
        if self.done {
            return Ok(None);
        }
        let mut bytes = std::mem::take(&mut self.rest);
        let mut target = self.block_bytes;
        loop {
            if bytes.len() >= target {
                target = bytes.len() + self.block_bytes;
            }
            let ended = self.read_up_to(&mut bytes, target)?;
            if ended {
                self.drop_torn_line(&mut bytes);
                if bytes.is_empty() {
                    self.done = true;
                    return Ok(None);
                }
                if bytes.last() != Some(&b'\n') {
                    bytes.push(b'\n');
                }
            }
            let quoted = self.marks.and_then(|marks| Some((marks.delimiter, marks.quote?)));
            let quoted = quoted.filter(|(_, quote)| memchr(*quote, &bytes).is_some());
            let has_quotes = quoted.is_some();
            let cut = if let Some((delimiter, quote)) = quoted {
                let skip = if self.offset == 0 { mark_bytes(&bytes) } else { 0 };
                cut_quoted(&bytes, skip, delimiter, quote)
            } else {
                let after = |at| at + 1;
                Cut {
                    first: memchr(b'\n', &bytes).map_or(0, after),
                    end: memrchr(b'\n', &bytes).map_or(0, after),
                    open_quote: None,
                }
            };
            if ended && let Some(at) = cut.open_quote {
                return Err(self.unclosed(&bytes, at, "a quoted cell is not closed"));
            }
            // Only the first record can be that long: where it is, the block is grown no further than it needs.
            if (if cut.end == 0 { bytes.len() } else { cut.first }) > RECORD_BYTES_MAX {
                let text = match self.marks {
                    Some(_) => "a row is longer than 64 MiB; is a quote left open?",
                    None => "a line is longer than 64 MiB",
                };
                return Err(self.unclosed(&bytes, cut.open_quote.unwrap_or(0), text));
            }
            if cut.end == 0 {
                target = bytes.len() * 2;
                continue;
            }
            self.rest = bytes.split_off(cut.end);
            self.done = ended;
            let block = Block { start: 0, line: self.line, offset: self.offset, has_quotes, bytes };
            self.line = block.line_at(block.bytes.len());
            self.offset += block.bytes.len() as u64;
            return Ok(Some(block));
        }
    }

    /// Up to `count` blocks, fewer only at the end of the file.
    pub(super) fn next_blocks(&mut self, count: usize) -> Result<Vec<Block>, DataError> {
        let mut blocks = Vec::with_capacity(count);
        while blocks.len() < count
            && let Some(block) = self.next_block()?
        {
            blocks.push(block);
        }
        Ok(blocks)
    }

    /// Fills `bytes` to `target` bytes; true at the end of the file.
    fn read_up_to(&mut self, bytes: &mut Vec<u8>, target: usize) -> Result<bool, DataError> {
        let want = target - bytes.len();
        // One more than wanted, so that the line feed added at the end of the file needs no larger buffer.
        bytes.reserve(want + 1);
        let got = self.input.by_ref().take(want as u64).read_to_end(bytes);
        got.map(|got| got < want).map_err(|error| unreadable(&self.path, error))
    }

    fn unclosed(&self, bytes: &[u8], at: usize, message: &str) -> DataError {
        let line = self.line + memchr_iter(b'\n', &bytes[..at]).count() as u64;
        DataError::malformed(&self.path, Some(line), message)
    }
}

/// Why the bytes of a file could not be read, which may be compressed.
pub(super) fn unreadable(path: &Path, error: std::io::Error) -> DataError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    if let Some(fault) = error.get_ref().and_then(|inner| inner.downcast_ref::<ArrayFault>()) {
        return DataError::malformed(path, None, fault.to_string());
    }
    match error.kind() {
        UnexpectedEof | InvalidInput | InvalidData => {
            DataError::malformed(path, None, format!("the compressed data is damaged: {error}"))
        }
        _ => DataError::unreadable(path, error),
    }
}

/// Opens a file of text, decompressing it when its first bytes are those of gzip or Zstandard.
pub(super) fn open_text(path: &Path) -> Result<Box<dyn Read + Send>, DataError> {
    let unreadable = |error| DataError::unreadable(path, error);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut magic = Vec::with_capacity(4);
    file.by_ref().take(4).read_to_end(&mut magic).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    if magic.starts_with(&GZIP) {
        Ok(Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(1 << 18, file))))
    } else if magic == ZSTANDARD {
        // The decoder itself refuses windows beyond 128 MiB.
        let decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(1 << 18, file)).map_err(unreadable)?;
        Ok(Box::new(decoder))
    } else {
        Ok(Box::new(file))
    }
}

/// Where the first and the last whole record end (0: there is none), and where a quote opens that nothing closes.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    first: usize,
    end: usize,
    open_quote: Option<usize>,
}

/// Finds the end of the last whole record where line feeds may lie inside quotes. A record begins at `at`.
fn cut_quoted(bytes: &[u8], mut at: usize, delimiter: u8, quote: u8) -> Cut {
    let (mut first, mut end) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == quote {
            match closing_quote(bytes, at + 1, quote) {
                Some(close) => at = close + 1,
                None => return Cut { first, end, open_quote: Some(at) },
            }
        }
        match memchr2(delimiter, b'\n', &bytes[at..]) {
            Some(step) => {
                at += step + 1;
                if bytes[at - 1] == b'\n' {
                    end = at;
                    first = if first == 0 { at } else { first };
                }
            }
            None => break,
        }
    }
    Cut { first, end, open_quote: None }
}

/// The position of the quote that closes a cell whose content begins at `at`; a doubled quote is content.
pub(super) fn closing_quote(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    loop {
        let found = at + memchr(quote, bytes.get(at..)?)?;
        if bytes.get(found + 1) == Some(&quote) {
            at = found + 2;
        } else {
            return Some(found);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MARKS: Marks = Marks { delimiter: b',', quote: Some(b'"') };

    fn blocks_of(text: &[u8], block_bytes: usize) -> Result<Vec<(String, u64)>, DataError> {
        let mut blocks =
            Blocks::new(Path::new("t.csv"), Box::new(std::io::Cursor::new(text.to_vec())), Some(MARKS), block_bytes);
        let mut out = Vec::new();
        while let Some(block) = blocks.next_block()? {
            out.push((String::from_utf8(block.bytes).unwrap(), block.line));
        }
        Ok(out)
    }

    #[test]
    fn blocks_hold_whole_records_and_know_their_line() {
        let blocks = blocks_of(b"a,b\n1,\"x\ny\"\n2,z", 5).unwrap();
        let expected = [("a,b\n", 1), ("1,\"x\ny\"\n", 2), ("2,z\n", 4)].map(|(t, l)| (t.to_owned(), l));
        assert_eq!(blocks, expected);
    }

    #[test]
    fn blocks_of_any_size_join_to_the_file() {
        let text = b"a,b\r\n1,\"x\n\"\"y\"\r\n\r\n2,5\" pipe\n3,\"\"\n";
        for size in 1..text.len() + 2 {
            let joined: String = blocks_of(text, size).unwrap().into_iter().map(|(t, _)| t).collect();
            assert_eq!(joined.as_bytes(), text, "block size {size}");
        }
    }

    #[test]
    fn an_open_quote_is_located() {
        for size in [1, 4, 100] {
            let error = blocks_of(b"a,b\n1,2\n3,\"x\n4,5\n", size).unwrap_err();
            assert_eq!(error.to_string(), "`t.csv` line 3: a quoted cell is not closed");
        }
    }
}
