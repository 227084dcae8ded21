//! The container: a header, then blocks of records, as the Avro specification 1.12 says.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::{no_avro, of_block};
use crate::DataError;
use crate::source::block::{RECORD_BYTES_MAX, unreadable};

const MAGIC: &[u8] = b"Obj\x01";

/// Bytes of the longest key or value of a header: schemas of thousands of columns fit.
const HEADER_BYTES_MAX: usize = 16 << 20;

/// Bytes of the longest block, decompressed.
const BLOCK_BYTES_MAX: usize = 4 * RECORD_BYTES_MAX;

/// Bytes of blocks that are decoded together.
const GROUP_BYTES: usize = 4 << 20;

/// Records of some blocks, one after another.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The records, not compressed.
    pub(super) bytes: Vec<u8>,
    pub(super) count: usize,
    /// The first block, counted from 1, and where it begins in the file.
    pub(super) number: u64,
    pub(super) offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
}

/// A file whose header has been read.
pub(super) struct Container {
    path: PathBuf,
    input: Counted<BufReader<File>>,
    /// The schema, as JSON.
    pub(super) schema: Vec<u8>,
    codec: Codec,
    sync: [u8; 16],
    /// Blocks so far.
    number: u64,
    /// A block that did not fit into the group before.
    waiting: Option<Records>,
}

impl Container {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            return Err(DataError::SourceEmpty { path: path.to_owned(), header_only: false });
        }
        let mut input = Counted { input: BufReader::with_capacity(1 << 18, file), offset: 0 };
        let fault = |what: Fault| what.of(path, |message| no_avro(path, message));
        if input.take(MAGIC.len()).map_err(fault)? != MAGIC {
            return Err(no_avro(path, "it does not begin with `Obj` and 1"));
        }
        let (mut schema, mut codec) = (None, Codec::Null);
        loop {
            let mut count = input.long().map_err(fault)?;
            if count == 0 {
                break;
            }
            if count < 0 {
                // The size of the entries in bytes follows, for readers that pass over them.
                input.long().map_err(fault)?;
                count = count.checked_neg().ok_or_else(|| no_avro(path, "its header has no end"))?;
            }
            for _ in 0..count {
                let key = input.bytes(HEADER_BYTES_MAX).map_err(fault)?;
                let value = input.bytes(HEADER_BYTES_MAX).map_err(fault)?;
                match key.as_slice() {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = codec_of(path, &value)?,
                    _ => {}
                }
            }
        }
        let sync = input.take(16).map_err(fault)?.try_into().unwrap_or_default();
        let schema = schema.ok_or_else(|| no_avro(path, "its header has no schema"))?;
        Ok(Self { path: path.to_owned(), input, schema, codec, sync, number: 0, waiting: None })
    }

    /// The next records, of as many blocks as make some megabytes and at most `rows_max` rows, or of one block; `None` at
    /// the end of the file.
    pub(super) fn next_group(&mut self, rows_max: usize) -> Result<Option<Records>, DataError> {
        let mut group = match self.waiting.take() {
            Some(block) => block,
            None => match self.next_block()? {
                Some(block) => block,
                None => return Ok(None),
            },
        };
        while group.bytes.len() < GROUP_BYTES && group.count < rows_max {
            match self.next_block()? {
                Some(block) if group.count + block.count > rows_max => {
                    self.waiting = Some(block);
                    break;
                }
                Some(block) => {
                    group.count += block.count;
                    group.bytes.extend_from_slice(&block.bytes);
                }
                None => break,
            }
        }
        Ok(Some(group))
    }

    /// Up to `count` groups, fewer only at the end of the file.
    pub(super) fn next_groups(&mut self, count: usize, rows_max: usize) -> Result<Vec<Records>, DataError> {
        let mut groups = Vec::with_capacity(count);
        while groups.len() < count
            && let Some(group) = self.next_group(rows_max)?
        {
            groups.push(group);
        }
        Ok(groups)
    }

    /// The next block that has records.
    fn next_block(&mut self) -> Result<Option<Records>, DataError> {
        loop {
            let (number, offset) = (self.number + 1, self.input.offset);
            if self.input.is_at_end().map_err(|error| unreadable(&self.path, error))? {
                return Ok(None);
            }
            let path = &self.path;
            let fault = |what: Fault| what.of(path, |message| of_block(path, number, offset, message));
            let refuse = |message: &str| Err(of_block(path, number, offset, message));
            let count = self.input.long().map_err(fault)?;
            let compressed = self.input.bytes(RECORD_BYTES_MAX).map_err(fault)?;
            if self.input.take(16).map_err(fault)? != self.sync {
                return refuse("the marker after it is not that of the file: the file is damaged");
            }
            self.number = number;
            let bytes = match self.codec.decompress(compressed) {
                Ok(bytes) => bytes,
                Err(message) => return refuse(&message),
            };
            let Ok(count) = usize::try_from(count) else { return refuse("it has a negative number of records") };
            // A record without a single byte has no value in it.
            if count > bytes.len() {
                return refuse(&format!("it says {count} records but holds {} bytes", bytes.len()));
            }
            if count > 0 {
                return Ok(Some(Records { bytes, count, number, offset }));
            }
            if !bytes.is_empty() {
                return refuse("it says 0 records but holds bytes");
            }
        }
    }
}

fn codec_of(path: &Path, name: &[u8]) -> Result<Codec, DataError> {
    Ok(match name {
        b"null" | b"" => Codec::Null,
        b"deflate" => Codec::Deflate,
        b"snappy" => Codec::Snappy,
        b"zstandard" => Codec::Zstandard,
        other => {
            let name = String::from_utf8_lossy(other).escape_debug().to_string();
            let message = format!("its codec is `{name}`; null, deflate, snappy and zstandard are read");
            return Err(DataError::malformed(path, None, message));
        }
    })
}

impl Codec {
    fn decompress(self, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        let damaged = |error: std::io::Error| format!("its compressed bytes are damaged: {error}");
        let limited = |input: &mut dyn Read| {
            let mut out = Vec::new();
            input.take(BLOCK_BYTES_MAX as u64 + 1).read_to_end(&mut out).map_err(damaged)?;
            if out.len() > BLOCK_BYTES_MAX { Err(TOO_LONG.to_owned()) } else { Ok(out) }
        };
        match self {
            Self::Null => Ok(bytes),
            Self::Deflate => limited(&mut flate2::bufread::DeflateDecoder::new(bytes.as_slice())),
            Self::Zstandard => limited(&mut zstd::Decoder::with_buffer(bytes.as_slice()).map_err(damaged)?),
            Self::Snappy => {
                let damaged = || "its compressed bytes are damaged".to_owned();
                let (compressed, checksum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
                if snap::raw::decompress_len(compressed).map_err(|_| damaged())? > BLOCK_BYTES_MAX {
                    return Err(TOO_LONG.to_owned());
                }
                let out = snap::raw::Decoder::new().decompress_vec(compressed).map_err(|_| damaged())?;
                if crc32fast::hash(&out) != u32::from_be_bytes(*checksum) {
                    return Err("its checksum is wrong: the file is damaged".to_owned());
                }
                Ok(out)
            }
        }
    }
}

const TOO_LONG: &str = "it is longer than 256 MiB when decompressed";

/// Input that knows how far it has been read.
struct Counted<R> {
    input: R,
    offset: u64,
}

/// Why something could not be read.
enum Fault {
    Unreadable(std::io::Error),
    Broken(String),
}

impl Fault {
    fn of(self, path: &Path, broken: impl FnOnce(&str) -> DataError) -> DataError {
        match self {
            Self::Unreadable(error) => unreadable(path, error),
            Self::Broken(message) => broken(&message),
        }
    }
}

impl<R: std::io::BufRead> Counted<R> {
    fn is_at_end(&mut self) -> Result<bool, std::io::Error> {
        Ok(self.input.fill_buf()?.is_empty())
    }

    /// So many bytes.
    fn take(&mut self, count: usize) -> Result<Vec<u8>, Fault> {
        // Not all at once: a length may promise what the file does not have.
        let mut bytes = Vec::new();
        let got = self.input.by_ref().take(count as u64).read_to_end(&mut bytes).map_err(Fault::Unreadable)?;
        self.offset += got as u64;
        if got < count {
            return Err(Fault::Broken(format!("the file ends after {got} of {count} bytes")));
        }
        Ok(bytes)
    }

    /// A length and so many bytes, at most `max`.
    fn bytes(&mut self, max: usize) -> Result<Vec<u8>, Fault> {
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) if length <= max => self.take(length),
            Ok(_) => {
                Err(Fault::Broken(format!("it holds {length} bytes, more than the {} MiB that are read", max >> 20)))
            }
            Err(_) => Err(Fault::Broken("a length is negative".to_owned())),
        }
    }

    /// A number of up to ten bytes, seven bits each, the sign in the lowest.
    fn long(&mut self) -> Result<i64, Fault> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.take(1)?.first().unwrap_or(&0);
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Fault::Broken("a number has more than ten bytes".to_owned()))
    }
}
