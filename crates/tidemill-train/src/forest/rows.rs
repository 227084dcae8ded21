//! Rows as trees of a forest see them.

use tidemill_core::{SplitMix64, Task};

use crate::bin_columns::BinColumns;

/// Binned rows with their labels.
#[derive(Debug)]
pub(super) struct ForestRows {
    pub(super) bins: BinColumns,
    pub(super) labels: Labels,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) rows: usize,
}

/// What is learned.
#[derive(Debug)]
pub(super) enum Labels {
    /// An amount, less its mean; or 0 and 1 of two classes.
    Amount(Vec<f64>),
    /// One of several classes.
    Class {
        /// By row.
        of: Vec<u32>,
        /// How many classes there are.
        count: usize,
    },
}

impl Labels {
    /// Labels of a task; those of an amount less `centre`.
    pub(super) fn new(task: &Task, labels: &[f64], centre: f64) -> Self {
        match task {
            Task::MultiClass { classes } => {
                Self::Class { of: labels.iter().map(|label| *label as u32).collect(), count: classes.len() }
            }
            _ => Self::Amount(labels.iter().map(|label| label - centre).collect()),
        }
    }

    /// How many numbers a leaf has.
    pub(super) fn sums(&self) -> usize {
        match self {
            Self::Amount(_) => 1,
            Self::Class { count, .. } => *count,
        }
    }
}

impl ForestRows {
    /// What each row counts in a tree: how often it was drawn, times its weight; 0 for a row out of the bag.
    pub(super) fn draw(&self, share: f64, replace: bool, seed: u64) -> Vec<f64> {
        let rows = self.rows;
        let count = ((rows as f64 * share).round() as usize).clamp(1, rows);
        let mut draw = SplitMix64::new(seed);
        let mut counts = vec![0.0; rows];
        if replace {
            (0..count).for_each(|_| counts[draw.below(rows as u64) as usize] += 1.0);
        } else {
            // Selection sampling: every row has the same chance, and exactly `count` are drawn.
            let mut wanted = count as u64;
            for (row, drawn) in counts.iter_mut().enumerate() {
                if draw.below((rows - row) as u64) < wanted {
                    *drawn = 1.0;
                    wanted -= 1;
                }
            }
        }
        if let Some(weights) = &self.weights {
            counts.iter_mut().zip(weights).for_each(|(count, weight)| *count *= weight);
        }
        counts
    }
}
