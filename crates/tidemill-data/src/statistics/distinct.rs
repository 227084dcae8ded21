//! How many different values there are.

use std::collections::HashSet;

use datasketches::hll::{HllSketch, HllType, HllUnion};

/// Distinct values that are counted one by one.
const DISTINCT_MAX: usize = 4096;
/// 2^12 registers: the number of distinct values is right within 1.6 % (one standard error).
const HLL_LG_K: u8 = 12;

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
                let mut hashes: Vec<u64> = theirs.iter().copied().collect();
                hashes.sort_unstable();
                for hash in hashes {
                    self.add(hash);
                }
            }
            (Self::Exact(mine), Self::Sketched(theirs)) => {
                *self = Self::Sketched(Box::new(union(&spill(mine), theirs)));
            }
            (Self::Sketched(mine), Self::Sketched(theirs)) => **mine = union(mine, theirs),
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

fn spill(hashes: &HashSet<u64>) -> HllSketch {
    let mut sorted: Vec<u64> = hashes.iter().copied().collect();
    // The order of a hash table is nobody's promise.
    sorted.sort_unstable();
    let mut sketch = sketch();
    for hash in sorted {
        sketch.update(hash);
    }
    sketch
}
