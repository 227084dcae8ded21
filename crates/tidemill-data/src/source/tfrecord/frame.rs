//! Records in a file.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tidemill_proto::tfrecord::{HEAD_BYTES, TAIL_BYTES, is_sum_of, length};

use super::of_record;
use crate::DataError;
use crate::source::block::{GZIP, RECORD_BYTES_MAX, unreadable};

/// Bytes of a block of records, unless a single one is longer.
const BLOCK_BYTES: usize = 4 << 20;

/// Records one after another.
pub(super) struct Block {
    bytes: Vec<u8>,
    records: Vec<Place>,
}

struct Place {
    start: usize,
    end: usize,
    number: u64,
    offset: u64,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) bytes: &'a [u8],
    /// Its number in the file, counted from 1.
    pub(super) number: u64,
    /// Where its length begins in the (decompressed) file.
    pub(super) offset: u64,
}

impl Block {
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.records.iter().map(|place| Record {
            bytes: &self.bytes[place.start..place.end],
            number: place.number,
            offset: place.offset,
        })
    }
}

/// The records of one file, in order, with their checksums checked.
pub(super) struct Frames {
    path: PathBuf,
    input: Box<dyn Read + Send>,
    /// Records so far.
    number: u64,
    /// Bytes so far.
    offset: u64,
}

impl Frames {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let failed = |error| unreadable(path, error);
        let mut file = File::open(path).map_err(failed)?;
        let mut head = Vec::with_capacity(HEAD_BYTES);
        file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let file = BufReader::with_capacity(1 << 18, file);
        // A length may look like the beginning of a compressed file; its checksum tells.
        let input: Box<dyn Read + Send> = if head.starts_with(&GZIP) && length(&head).is_none() {
            Box::new(BufReader::with_capacity(1 << 18, flate2::bufread::MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        Ok(Self { path: path.to_owned(), input, number: 0, offset: 0 })
    }

    /// The next records, at most `rows_max` and a few megabytes of them; `None` at the end of the file.
    pub(super) fn next_block(&mut self, rows_max: usize) -> Result<Option<Block>, DataError> {
        let mut block = Block { bytes: Vec::new(), records: Vec::new() };
        while block.records.len() < rows_max && block.bytes.len() < BLOCK_BYTES && self.next_record(&mut block)? {}
        Ok((!block.records.is_empty()).then_some(block))
    }

    /// Up to `count` blocks, fewer only at the end of the file.
    pub(super) fn next_blocks(&mut self, count: usize, rows_max: usize) -> Result<Vec<Block>, DataError> {
        let mut blocks = Vec::with_capacity(count);
        while blocks.len() < count
            && let Some(block) = self.next_block(rows_max)?
        {
            blocks.push(block);
        }
        Ok(blocks)
    }

    fn next_record(&mut self, block: &mut Block) -> Result<bool, DataError> {
        let (number, offset) = (self.number + 1, self.offset);
        let fault = |path: &Path, message: &str| of_record(path, number, offset, message);
        let start = block.bytes.len();
        match self.fill(&mut block.bytes, HEAD_BYTES)? {
            0 => return Ok(false),
            HEAD_BYTES => {}
            got => return Err(fault(&self.path, &format!("the file ends after {got} of the 12 bytes of its head"))),
        }
        let Some(length) = length(&block.bytes[start..]) else {
            let what = if number == 1 { "the file is no TFRecord, or damaged" } else { "the file is damaged" };
            return Err(fault(&self.path, &format!("the checksum of its length is wrong: {what}")));
        };
        block.bytes.truncate(start);
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= RECORD_BYTES_MAX) else {
            let message = format!("it is {length} bytes long, more than the 64 MiB that are read");
            return Err(fault(&self.path, &message));
        };
        let got = self.fill(&mut block.bytes, length + TAIL_BYTES)?;
        if got < length + TAIL_BYTES {
            let message = format!("the file ends after {} of its {length} bytes", got.min(length));
            return Err(fault(&self.path, &message));
        }
        let end = start + length;
        if !is_sum_of(&block.bytes[end..], &block.bytes[start..end]) {
            return Err(fault(&self.path, "the checksum of its bytes is wrong: the file is damaged"));
        }
        block.bytes.truncate(end);
        block.records.push(Place { start, end, number, offset });
        self.number = number;
        self.offset += (HEAD_BYTES + length + TAIL_BYTES) as u64;
        Ok(true)
    }

    /// Appends up to `count` bytes and gives how many there were.
    fn fill(&mut self, bytes: &mut Vec<u8>, count: usize) -> Result<usize, DataError> {
        // Not all at once: a length may promise what the file does not have.
        let path = &self.path;
        self.input.by_ref().take(count as u64).read_to_end(bytes).map_err(|error| unreadable(path, error))
    }
}
