//! Rows as an additive model sees them.

use tidemill_core::{SplitMix64, Task};

use crate::bin_columns::BinColumns;

/// Binned rows with their labels.
#[derive(Debug)]
pub(super) struct AdditiveRows {
    pub(super) bins: BinColumns,
    /// 0 and 1 of two classes, numbers of classes, or amounts in standard deviations from their mean.
    pub(super) targets: Vec<f32>,
    pub(super) weights: Option<Vec<f32>>,
    /// How many scores there are.
    pub(super) scores: usize,
    pub(super) kind: Kind,
}

/// What a score is of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its mean.
    Amount,
    /// Its log-odds.
    Binary,
    /// The logarithm of the share of its class, up to a constant.
    Classes,
}

impl AdditiveRows {
    pub(super) fn rows(&self) -> usize {
        self.targets.len()
    }

    pub(super) fn weight(&self, row: usize) -> f32 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// How many cells the used feature `at` has: its bins, and one for missing values.
    pub(super) fn cells(&self, at: usize) -> usize {
        self.bins.binning.used[at].bins.len() + 1
    }

    /// The scores of a model without features.
    pub(super) fn base(&self, task: &Task) -> Vec<f64> {
        if self.kind == Kind::Amount {
            return vec![0.0];
        }
        // One row more for every class, so that no logarithm is infinite.
        let mut sums = vec![1.0_f64; task.columns().max(2)];
        for (row, target) in self.targets.iter().enumerate() {
            sums[*target as usize] += f64::from(self.weight(row));
        }
        match self.kind {
            Kind::Binary => vec![(sums[1] / sums[0]).ln()],
            _ => {
                let total: f64 = sums.iter().sum();
                sums.iter().map(|sum| (sum / total).ln()).collect()
            }
        }
    }

    /// The rows that a bag learns from and those by which it stops, both ascending. Classes keep their shares.
    pub(super) fn split(&self, share: f64, seed: u64) -> [Vec<u32>; 2] {
        let mut draw = SplitMix64::new(seed);
        let classes = if self.kind == Kind::Amount { 1 } else { self.scores.max(2) };
        let class = |row: u32| if self.kind == Kind::Amount { 0 } else { self.targets[row as usize] as usize };
        let mut by_class = vec![Vec::new(); classes];
        (0..self.rows() as u32).for_each(|row| by_class[class(row)].push(row));
        let (mut learned, mut held) = (Vec::new(), Vec::new());
        for mut rows in by_class {
            for at in (1..rows.len()).rev() {
                rows.swap(at, draw.below(at as u64 + 1) as usize);
            }
            let count = (rows.len() as f64 * share).round() as usize;
            held.extend_from_slice(&rows[..count]);
            learned.extend_from_slice(&rows[count..]);
        }
        if learned.is_empty() {
            std::mem::swap(&mut learned, &mut held);
        }
        learned.sort_unstable();
        held.sort_unstable();
        [learned, held]
    }
}
