//! How many different values there are.

use std::collections::HashSet;

use datasketches::hll::{HllSketch, HllType, HllUnion};

use super::state::{Input, StateError, Stored, word};

/// Distinct values that are counted one by one.
const DISTINCT_MAX: usize = 4096;
/// 2^12 registers: the number of distinct values is right within 1.6 % (one standard error).
pub(crate) const HLL_LG_K: u8 = 12;

/// A sketch that estimates a number of distinct values.
pub(crate) fn sketch() -> HllSketch {
    HllSketch::new(HLL_LG_K, HllType::Hll8).expect("12 is a size the sketch allows")
}

/// One sketch of what two have seen.
pub(crate) fn union(a: &HllSketch, b: &HllSketch) -> HllSketch {
    let mut union = HllUnion::new(HLL_LG_K).expect("12 is a size the sketch allows");
    union.update(a);
    union.update(b);
    union.to_sketch(HllType::Hll8)
}

/// Counts distinct values by their 64-bit hashes: exact to 4,096, an estimate beyond.
#[derive(Debug, Clone)]
pub(crate) enum Distinct {
    Exact(HashSet<u64>),
    Sketched(Box<HllSketch>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(HashSet::new())
    }
}

impl Distinct {
    pub fn add(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > DISTINCT_MAX {
                    *self = Self::Sketched(Box::new(spill(hashes)));
                }
            }
            Self::Sketched(sketch) => sketch.update(hash),
        }
    }

    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Exact(theirs)) => {
                for hash in sorted(theirs) {
                    self.add(hash);
                }
            }
            (Self::Exact(mine), Self::Sketched(theirs)) => {
                *self = Self::Sketched(Box::new(union(&spill(mine), theirs)));
            }
            (Self::Sketched(mine), Self::Sketched(theirs)) => **mine = union(mine, theirs),
        }
    }

    /// Bytes held, about.
    pub fn memory(&self) -> usize {
        match self {
            Self::Exact(hashes) => hashes.capacity() * 9,
            Self::Sketched(sketch) => sketch.estimated_size(),
        }
    }

    /// The number, and whether it is an estimate.
    pub fn count(&self) -> (u64, bool) {
        match self {
            Self::Exact(hashes) => (hashes.len() as u64, false),
            Self::Sketched(sketch) => (sketch.estimate().round() as u64, true),
        }
    }
}

/// Hashes from low to high, or a sketch.
impl Stored for Distinct {
    fn store(&self, out: &mut Vec<u8>) {
        match self {
            Self::Exact(hashes) => {
                0u8.store(out);
                (hashes.len() as u64).store(out);
                for hash in sorted(hashes) {
                    out.extend_from_slice(&hash.to_le_bytes());
                }
            }
            Self::Sketched(sketch) => {
                1u8.store(out);
                sketch.store(out);
            }
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        match u8::load(input)? {
            0 => {
                let length = input.length()?;
                let mut hashes = HashSet::new();
                for _ in 0..length {
                    hashes.insert(word(input)?);
                }
                let sound = length <= DISTINCT_MAX && hashes.len() == length;
                input.expect(sound, "distinct values are out of order")?;
                Ok(Self::Exact(hashes))
            }
            1 => Stored::load(input).map(Self::Sketched),
            _ => Err(input.wrong("distinct values are held in an unknown way")),
        }
    }
}

/// The order of a hash table is nobody's promise.
fn sorted(hashes: &HashSet<u64>) -> Vec<u64> {
    let mut sorted: Vec<u64> = hashes.iter().copied().collect();
    sorted.sort_unstable();
    sorted
}

fn spill(hashes: &HashSet<u64>) -> HllSketch {
    let mut sketch = sketch();
    for hash in sorted(hashes) {
        sketch.update(hash);
    }
    sketch
}
