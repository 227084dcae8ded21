//! Accumulators as bytes, for those that finish the work elsewhere or later.
//!
//! ```text
//! TMST            four letters
//! version         a byte
//! body            the dataset's accumulator: its members one after the other, as each type says at its own place
//! checksum        XXH3 of all before, 8 bytes, low one first
//! ```
//!
//! Counts and lengths are written with seven bits a byte, low ones first; floats as their eight bytes. Reading trusts
//! nothing: lengths are held against the bytes that are there, counts against [`COUNT_MAX`], and what one member says
//! of another (the counts of a grid and the number of values) is checked, so that no state that is read can make later
//! work fail.

mod primitives;
mod sketches;

use xxhash_rust::xxh3::xxh3_64;

pub(crate) use self::primitives::{stored, text, word};
use tidemill_core::{Code, Coded};

const MAGIC: &[u8; 4] = b"TMST";
/// Raised with every change of what is written.
const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

/// No count of a state is larger, so that sums of thousands of states cannot overflow.
pub(crate) const COUNT_MAX: u64 = 1 << 48;

/// Why bytes are no state to go on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// They are something else.
    #[error("these {bytes} bytes are no state of statistics")]
    Foreign {
        /// How many they are.
        bytes: usize,
    },
    /// They are of a version that is not known here.
    #[error("the state of statistics is of version {found}; version {VERSION} is read")]
    Version {
        /// Their version.
        found: u8,
    },
    /// They are not what was written.
    #[error("the state of statistics is damaged: {what} at byte {at}")]
    Damaged {
        /// What is wrong.
        what: String,
        /// Where.
        at: usize,
    },
    /// Two states are of other columns.
    #[error("states of other columns cannot be merged: {mine} and {theirs}")]
    Columns {
        /// A column of one of them.
        mine: String,
        /// What the other has in its place.
        theirs: String,
    },
}

impl Coded for StateError {
    fn code(&self) -> Code {
        match self {
            Self::Columns { .. } => Code::SchemasDiffer,
            _ => Code::StatisticsFile,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Foreign { .. } => Some("a state comes from `statistics_state(…)` in SQL".to_owned()),
            Self::Version { .. } | Self::Damaged { .. } => Some("compute it anew from the rows".to_owned()),
            Self::Columns { .. } => None,
        }
    }
}

/// What is written into a state and read back from one. [`stored!`](crate::stored) writes the code for structures and
/// enumerations.
pub trait Stored: Sized {
    /// Appends this.
    fn store(&self, out: &mut Vec<u8>);
    /// Reads what [`Stored::store`] wrote; anything else is an error.
    fn load(input: &mut Input<'_>) -> Result<Self, StateError>;
}

/// `value` with all that stands around it.
pub(super) fn sealed<T: Stored>(value: &T) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(VERSION);
    value.store(&mut out);
    let checksum = xxh3_64(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// What [`sealed`] wrote.
pub(super) fn unsealed<T: Stored>(bytes: &[u8]) -> Result<T, StateError> {
    if bytes.len() < MAGIC.len() + 1 + CHECKSUM_BYTES || !bytes.starts_with(MAGIC) {
        return Err(StateError::Foreign { bytes: bytes.len() });
    }
    let found = bytes[MAGIC.len()];
    if found != VERSION {
        return Err(StateError::Version { found });
    }
    let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
    if xxh3_64(content).to_le_bytes() != checksum {
        return Err(StateError::Damaged { what: "its checksum is another".to_owned(), at: content.len() });
    }
    let mut input = Input { bytes: content, at: MAGIC.len() + 1 };
    let value = T::load(&mut input)?;
    if input.left() > 0 {
        return Err(input.wrong("bytes are left over"));
    }
    Ok(value)
}

/// Bytes of a state that are not read yet.
#[derive(Debug)]
pub struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    /// All of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], StateError> {
        if count > self.left() {
            return Err(self.wrong("it ends too soon"));
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    /// The next text.
    pub fn text(&mut self) -> Result<&'a str, StateError> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.wrong("a text is no UTF-8"))
    }

    /// How many members follow, each of at least one byte.
    pub fn length(&mut self) -> Result<usize, StateError> {
        let length = u64::load(self)?;
        match usize::try_from(length) {
            Ok(length) if length <= self.left() => Ok(length),
            _ => Err(self.wrong("a length goes beyond its end")),
        }
    }

    /// That something is wrong here.
    pub fn wrong(&self, what: impl Into<String>) -> StateError {
        StateError::Damaged { what: what.into(), at: self.at }
    }

    /// [`Input::wrong`] where something does not hold.
    pub fn expect(&self, holds: bool, what: &str) -> Result<(), StateError> {
        if holds { Ok(()) } else { Err(self.wrong(what)) }
    }
}
