//! What is gathered of one column.

use std::collections::HashMap;

use super::cell::Cell;
use super::{ColumnDiff, FrequentChange};

/// Different changes that are counted each.
const CHANGES_MAX: usize = 1000;
/// Changes shown.
const SHOWN: usize = 5;

/// The differences seen in one column.
#[derive(Default)]
pub(super) struct ColumnTally {
    changed: u64,
    appeared: u64,
    vanished: u64,
    largest: Option<f64>,
    changes: HashMap<(Option<String>, Option<String>), u64>,
}

impl ColumnTally {
    /// Counts a pair of cells that differ.
    pub(super) fn add(&mut self, a: Cell<'_>, b: Cell<'_>) {
        self.changed += 1;
        self.appeared += u64::from(a == Cell::Missing);
        self.vanished += u64::from(b == Cell::Missing);
        if let Some(difference) = a.difference(b) {
            self.largest = Some(self.largest.map_or(difference, |largest| largest.max(difference)));
        }
        // Numbers hardly ever change in the same way twice.
        if !matches!(a, Cell::Float(_)) && !matches!(b, Cell::Float(_)) {
            let change = (a.shown(), b.shown());
            if let Some(count) = self.changes.get_mut(&change) {
                *count += 1;
            } else if self.changes.len() < CHANGES_MAX {
                self.changes.insert(change, 1);
            }
        }
    }

    pub(super) fn finish(self, column: &str) -> ColumnDiff {
        let mut frequent: Vec<FrequentChange> = self
            .changes
            .into_iter()
            .filter(|(_, rows)| *rows > 1)
            .map(|((a, b), rows)| FrequentChange { a, b, rows })
            .collect();
        frequent.sort_by(|x, y| y.rows.cmp(&x.rows).then_with(|| (&x.a, &x.b).cmp(&(&y.a, &y.b))));
        frequent.truncate(SHOWN);
        ColumnDiff {
            column: column.to_owned(),
            changed: self.changed,
            appeared: self.appeared,
            vanished: self.vanished,
            largest_difference: self.largest,
            frequent,
        }
    }
}
