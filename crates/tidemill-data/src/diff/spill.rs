//! Rows in portions by the hash of their key, on disk as soon as they are many.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use xxhash_rust::xxh3::xxh3_64;

use crate::DataError;

/// Portions of a table.
pub(super) const PORTIONS: usize = 256;
/// Bytes of rows in memory before they go to disk.
const BUFFERED_MAX: usize = 64 << 20;

/// The rows of one table, by portion.
#[derive(Default)]
pub(super) struct Portions {
    buffers: Vec<Vec<u8>>,
    buffered: usize,
    file: Option<File>,
    /// Where the pieces of each portion are in the file.
    pieces: Vec<Vec<(u64, usize)>>,
    end: u64,
}

impl Portions {
    pub(super) fn new() -> Self {
        Self { buffers: vec![Vec::new(); PORTIONS], pieces: vec![Vec::new(); PORTIONS], ..Self::default() }
    }

    /// Adds a row to the portion of its key.
    pub(super) fn add(&mut self, key: &[u8], row: u64, cells: &[u8]) -> Result<(), DataError> {
        let portion = (xxh3_64(key) % PORTIONS as u64) as usize;
        let buffer = &mut self.buffers[portion];
        let before = buffer.len();
        for part in [key.len() as u64, cells.len() as u64, row] {
            buffer.extend(part.to_le_bytes());
        }
        buffer.extend(key);
        buffer.extend(cells);
        self.buffered += buffer.len() - before;
        if self.buffered > BUFFERED_MAX { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), DataError> {
        let failed = |source: std::io::Error| DataError::write(&std::env::temp_dir(), source);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile().map_err(failed)?),
        };
        for (buffer, pieces) in self.buffers.iter_mut().zip(&mut self.pieces) {
            if buffer.is_empty() {
                continue;
            }
            file.write_all(buffer).map_err(failed)?;
            pieces.push((self.end, buffer.len()));
            self.end += buffer.len() as u64;
            *buffer = Vec::new();
        }
        self.buffered = 0;
        Ok(())
    }

    /// The bytes of a portion, which is forgotten.
    pub(super) fn take(&mut self, portion: usize) -> Result<Vec<u8>, DataError> {
        let failed = |source: std::io::Error| DataError::unreadable(&std::env::temp_dir(), source);
        let mut bytes = Vec::new();
        if let Some(file) = &mut self.file {
            for (start, length) in std::mem::take(&mut self.pieces[portion]) {
                file.seek(SeekFrom::Start(start)).map_err(failed)?;
                let before = bytes.len();
                bytes.resize(before + length, 0);
                file.read_exact(&mut bytes[before..]).map_err(failed)?;
            }
        }
        bytes.extend(std::mem::take(&mut self.buffers[portion]));
        Ok(bytes)
    }
}

/// One row of a portion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub key: &'a [u8],
    pub number: u64,
    pub cells: &'a [u8],
}

/// The rows of a portion.
pub(super) fn rows(mut bytes: &[u8]) -> impl Iterator<Item = Row<'_>> {
    std::iter::from_fn(move || {
        let mut number =
            || super::cell::take(&mut bytes, 8).and_then(|eight| eight.try_into().ok()).map(u64::from_le_bytes);
        let (key, cells, number) = (number()?, number()?, number()?);
        let key = super::cell::take(&mut bytes, usize::try_from(key).ok()?)?;
        let cells = super::cell::take(&mut bytes, usize::try_from(cells).ok()?)?;
        Some(Row { key, number, cells })
    })
}
