//! Binned rows: the second pass, and the only copy of the features that training keeps.

use std::sync::Arc;

use rayon::prelude::*;
use tidemill_model::FeatureBlock;

use super::binning::Binning;

/// Features stored side by side: their histograms of 256 cells of 16 bytes fill 32 KiB and so stay in the first-level
/// cache, and a row's bins are one 8-byte load.
pub(crate) const LANES: usize = 8;

/// Rows as bins, one byte a used feature, in groups of eight features.
#[derive(Debug, Clone)]
pub struct Binned {
    pub(crate) binning: Arc<Binning>,
    rows: usize,
    /// Group `g` holds the used features `8 g .. 8 g + 8`, a row after the other.
    pub(crate) groups: Vec<Vec<[u8; LANES]>>,
}

impl Binned {
    /// No rows yet; `capacity` are expected.
    pub fn new(binning: Arc<Binning>, capacity: usize) -> Self {
        let groups = binning.used.len().div_ceil(LANES);
        Self { binning, rows: 0, groups: (0..groups).map(|_| Vec::with_capacity(capacity)).collect() }
    }

    /// Adds the rows of `block`, which must have all features the binning was planned for.
    pub fn push(&mut self, block: &FeatureBlock) {
        let used = &self.binning.used;
        self.groups.par_iter_mut().zip(used.par_chunks(LANES)).for_each(|(group, features)| {
            let first = group.len();
            group.resize(first + block.rows, [0; LANES]);
            for (lane, used) in features.iter().enumerate() {
                let column = block.columns.get(used.feature as usize).map_or(&[][..], Vec::as_slice);
                for (row, value) in group[first..].iter_mut().zip(column) {
                    row[lane] = used.bins.bin(*value);
                }
            }
        });
        self.rows += block.rows;
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The group of the used feature `at`, and its lane there.
    pub(crate) fn place(at: usize) -> (usize, usize) {
        (at / LANES, at % LANES)
    }
}
