//! How many equal rows came before a row, in bounded memory.
//!
//! Rows are compared by a hash of 64 bits: among 100 million rows, 0.03 % of all tables have one pair that is taken
//! for equal by chance, and nothing worse follows than another seed for one of the two.
//!
//! * Up to [`ROWS_MAX`] rows: a table of the hashes seen, 9 bytes a place, at most 151 MB; and a counter for each hash
//!   that was seen twice.
//! * More rows: they are read once more beforehand. Their hashes go to a temporary file of 8 bytes a row, in 256 parts, and
//!   each part is sorted. Only the hashes that repeat get a counter; if there are more than [`COUNTERS_MAX`] of them,
//!   those that repeat most. Which ones is a property of the table, not of the order of its rows. The others stay
//!   together in one split: in a table that large they are a small part each.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use hashbrown::HashTable;

use crate::DataError;

/// Rows whose hashes are kept in memory: what fits a hash table of 2^24 places.
pub(crate) const ROWS_MAX: u64 = 14_000_000;

/// Counters, at most, where a source has more rows than that.
const COUNTERS_MAX: u64 = 4_000_000;

/// Parts of the temporary file of hashes.
const PARTS: usize = 256;

/// The rows seen so far, by their hash.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// Hashes seen; none where it is known beforehand which repeat.
    seen: HashTable<u64>,
    counters: HashMap<u64, Counter>,
    is_known: bool,
    /// Rows of portions that are complete.
    crossing: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    rows: u32,
    /// Whether the rows are in more than one split.
    crosses: bool,
}

impl Repeats {
    /// How many rows with this hash came before; the row counts as seen from now on.
    pub(crate) fn count(&mut self, hash: u64) -> u32 {
        if self.is_known {
            let Some(counter) = self.counters.get_mut(&hash) else { return 0 };
            counter.rows += 1;
            return counter.rows - 1;
        }
        if self.seen.find(hash, |known| *known == hash).is_none() {
            self.seen.insert_unique(hash, hash, |known| *known);
            return 0;
        }
        let counter = self.counters.entry(hash).or_insert(Counter { rows: 1, crosses: false });
        counter.rows += 1;
        counter.rows - 1
    }

    /// A row with this hash is in another split than the first one.
    pub(crate) fn cross(&mut self, hash: u64) {
        if let Some(counter) = self.counters.get_mut(&hash) {
            counter.crosses = true;
        }
    }

    /// Begins a portion of the source that is counted on its own. `known` are the hashes that repeat in it, if that was
    /// looked up beforehand.
    pub(crate) fn begin(&mut self, known: Option<Vec<u64>>) {
        self.crossing = self.crossing_rows();
        self.seen.clear();
        self.is_known = known.is_some();
        let counters = known.into_iter().flatten().map(|hash| (hash, Counter::default()));
        self.counters = counters.collect();
    }

    /// Rows of which an equal one is in another split.
    pub(crate) fn crossing_rows(&self) -> u64 {
        let here = self.counters.values().filter(|counter| counter.crosses).map(|counter| u64::from(counter.rows));
        self.crossing + here.sum::<u64>()
    }
}

/// Finds the hashes that repeat among very many.
pub(crate) struct RepeatFinder {
    parts: Vec<BufWriter<File>>,
    counters_max: u64,
}

impl RepeatFinder {
    pub(crate) fn new() -> Result<Self, DataError> {
        let part = || tempfile::tempfile().map(|file| BufWriter::with_capacity(1 << 14, file));
        let parts = (0..PARTS).map(|_| part()).collect::<io::Result<_>>().map_err(unwritable)?;
        Ok(Self { parts, counters_max: COUNTERS_MAX })
    }

    pub(crate) fn add(&mut self, hashes: &[u64]) -> Result<(), DataError> {
        for hash in hashes {
            let part = &mut self.parts[(hash >> 56) as usize];
            part.write_all(&hash.to_le_bytes()).map_err(unwritable)?;
        }
        Ok(())
    }

    /// The hashes that repeat: all, or those that repeat most.
    pub(crate) fn finish(mut self) -> Result<Vec<u64>, DataError> {
        // By how often a hash repeats: how many hashes do.
        let mut sizes: BTreeMap<usize, u64> = BTreeMap::new();
        for part in &mut self.parts {
            part.flush().map_err(unwritable)?;
            runs(part.get_mut(), |_, rows| *sizes.entry(rows).or_default() += 1).map_err(unwritable)?;
        }
        let (mut least, mut counters) = (usize::MAX, 0);
        for (rows, hashes) in sizes.into_iter().rev() {
            counters += hashes;
            if counters > self.counters_max {
                break;
            }
            least = rows;
        }
        let mut found = Vec::new();
        for part in &mut self.parts {
            let keep = |hash, rows| {
                if rows >= least {
                    found.push(hash);
                }
            };
            runs(part.get_mut(), keep).map_err(unwritable)?;
        }
        Ok(found)
    }
}

/// Gives each hash of a part that is there more than once, with how often.
fn runs(part: &mut File, mut give: impl FnMut(u64, usize)) -> io::Result<()> {
    part.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    BufReader::new(part).read_to_end(&mut bytes)?;
    let mut hashes: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
    hashes.sort_unstable();
    for run in hashes.chunk_by(|a, b| a == b).filter(|run| run.len() > 1) {
        give(run[0], run.len());
    }
    Ok(())
}

fn unwritable(error: io::Error) -> DataError {
    DataError::write(Path::new(&std::env::temp_dir()), error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_rows_are_counted() {
        let mut repeats = Repeats::default();
        let counts: Vec<u32> = [7, 8, 7, 7, 8, 9].map(|hash| repeats.count(hash)).to_vec();
        assert_eq!(counts, [0, 0, 1, 2, 1, 0]);
        repeats.cross(7);
        assert_eq!(repeats.crossing_rows(), 3);
        repeats.begin(None);
        assert_eq!((repeats.count(7), repeats.crossing_rows()), (0, 3));
    }

    #[test]
    fn only_the_most_frequent_get_a_counter_where_there_are_too_many() {
        let mut finder = RepeatFinder { counters_max: 2, ..RepeatFinder::new().unwrap() };
        finder.add(&[1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 5, 5]).unwrap();
        let mut found = finder.finish().unwrap();
        found.sort_unstable();
        assert_eq!(found, [1, 3]);
    }

    proptest! {
        #[test]
        fn counters_known_beforehand_count_the_same(hashes in prop::collection::vec(prop_oneof![0u64..6, any::<u64>()], 0..80), cut in 0usize..80) {
            let mut finder = RepeatFinder::new().unwrap();
            let (head, tail) = hashes.split_at(cut.min(hashes.len()));
            finder.add(head).unwrap();
            finder.add(tail).unwrap();
            let (mut one, mut other) = (Repeats::default(), Repeats::default());
            other.begin(Some(finder.finish().unwrap()));
            for hash in &hashes {
                prop_assert_eq!(one.count(*hash), other.count(*hash));
            }
        }
    }
}
