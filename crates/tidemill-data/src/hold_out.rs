//! Rows of a split that are kept aside, so that something can be decided on rows that nothing was learned from.
//!
//! The rows are chosen in the way that the splits were made. Rows of a group stay together, the newest rows are kept
//! aside where splits are by time, and otherwise a hash of the row's number in its split decides, within each class where
//! the label has classes. So the same split and seed give the same rows, and rows added at the end move few others.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::array::RecordBatch;
use tidemill_core::SplitMix64;

use crate::split::{Key, Splitter};
use crate::time_split::{TimeColumn, TimeSplitter};
use crate::{DataError, Examples};

/// A group that would bring the rows kept aside above so many times the wanted number is passed over.
const OVERSHOOT: f64 = 1.5;
/// Parts that a share is counted in.
const PARTS: f64 = 10_000.0;
/// The fold of a row that is in none.
const NO_FOLD: usize = usize::MAX;

/// Which rows are kept aside.
#[derive(Debug, Clone, Copy)]
pub struct HoldOut<'a> {
    /// The share of the rows: above 0 and below 1.
    pub share: f64,
    /// Another seed chooses other rows, unless time decides.
    pub seed: u64,
    /// What decides.
    pub by: HoldOutBy<'a>,
}

/// What decides which rows are kept aside.
#[derive(Debug, Clone, Copy)]
pub enum HoldOutBy<'a> {
    /// Chance. With the class of every row, each class gives its share.
    Rows(Option<&'a [f64]>),
    /// Rows with the same values in these columns stay together.
    Groups(&'a [String]),
    /// The newest rows by this column. Rows of the same time stay together.
    Time(&'a str),
}

impl Examples {
    /// For each row of `split`, in the order of [`batches`](Self::batches), whether it is kept aside. It may be none: in a
    /// split of one group or one time.
    pub fn hold_out(&self, split: &str, choice: HoldOut<'_>) -> Result<Vec<bool>, DataError> {
        match choice.by {
            HoldOutBy::Rows(classes) => {
                let rows = self.splits().iter().find(|info| info.name == split).map_or(0, |info| info.rows);
                Ok(by_rows(rows as usize, classes, choice))
            }
            HoldOutBy::Groups(columns) => Ok(by_groups(&self.group_hashes(split, columns, choice.seed)?, choice.share)),
            HoldOutBy::Time(column) => {
                let batches = self.batches(split, Some(&[column]))?;
                let time = TimeColumn::new(Path::new(split), &batches.schema(), column)?;
                let mut times = Vec::new();
                for batch in batches {
                    let batch: RecordBatch = batch?;
                    times.extend(time.times(Path::new(split), &batch, times.len() as u64 + 1)?);
                }
                let newest = (choice.share * PARTS).round() as u32;
                let splitter = TimeSplitter::new(time, times.clone(), &[PARTS as u32 - newest, newest]);
                let held: Vec<bool> = times.iter().map(|time| splitter.split_of(*time) > 0).collect();
                Ok(if held.iter().all(|held| *held) { vec![false; held.len()] } else { held })
            }
        }
    }
}

impl Examples {
    /// For each row of `split`, in the order of [`batches`](Self::batches), which of the folds from 0 to `count - 1` it is in: each class is
    /// spread over all folds, and rows of a group are in one. A larger number: it is in none. `None` for rows that are split by time, which have no folds.
    pub fn folds(
        &self,
        split: &str,
        count: usize,
        seed: u64,
        by: HoldOutBy<'_>,
    ) -> Result<Option<Vec<usize>>, DataError> {
        match by {
            HoldOutBy::Rows(classes) => {
                let rows = self.splits().iter().find(|info| info.name == split).map_or(0, |info| info.rows);
                Ok(Some(folds_of_rows(rows as usize, classes, count, seed)))
            }
            HoldOutBy::Groups(columns) => Ok(Some(folds_of_groups(&self.group_hashes(split, columns, seed)?, count))),
            HoldOutBy::Time(_) => Ok(None),
        }
    }

    /// For each row of `split` a hash of its values in `columns`.
    fn group_hashes(&self, split: &str, columns: &[String], seed: u64) -> Result<Vec<u64>, DataError> {
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let batches = self.batches(split, Some(&names))?;
        let splitter = Splitter::new(Path::new(split), &batches.schema(), &[1], Key::Columns(columns))?;
        let mut groups = Vec::new();
        for batch in batches {
            let hashes = splitter.key_hashes(&batch?);
            groups.extend(hashes.into_iter().map(|hash| SplitMix64::hash(seed ^ hash)));
        }
        Ok(groups)
    }
}

/// The rows of each class in turn, in the order of their hashes. The only row of its class is in no fold: without it nothing would
/// be known of the class.
fn folds_of_rows(rows: usize, classes: Option<&[f64]>, count: usize, seed: u64) -> Vec<usize> {
    let mut folds = vec![0; rows];
    let mut next = 0;
    for mut members in by_class(rows, classes, seed).into_values() {
        members.sort_unstable();
        let is_alone = members.len() == 1 && classes.is_some();
        for (_, row) in members {
            if is_alone {
                folds[row] = NO_FOLD;
                continue;
            }
            folds[row] = next % count;
            next += 1;
        }
    }
    folds
}

/// Each group in the fold that has the fewest rows, the largest groups first.
fn folds_of_groups(groups: &[u64], count: usize) -> Vec<usize> {
    let mut rows: HashMap<u64, usize> = HashMap::new();
    groups.iter().for_each(|group| *rows.entry(*group).or_default() += 1);
    let mut order: Vec<(u64, usize)> = rows.into_iter().collect();
    order.sort_unstable_by_key(|(group, rows)| (std::cmp::Reverse(*rows), *group));
    let mut filled = vec![0; count.max(1)];
    let mut fold_of: HashMap<u64, usize> = HashMap::new();
    for (group, rows) in order {
        let least = (0..filled.len()).min_by_key(|fold| filled[*fold]).unwrap_or(0);
        filled[least] += rows;
        fold_of.insert(group, least);
    }
    groups.iter().map(|group| fold_of[group]).collect()
}

/// The rows of each class with their hashes.
fn by_class(rows: usize, classes: Option<&[f64]>, seed: u64) -> BTreeMap<u64, Vec<(u64, usize)>> {
    let mut of_class: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
    let seed = SplitMix64::hash(seed);
    for row in 0..rows {
        let class = classes.map_or(0, |classes| (classes[row] + 0.0).to_bits());
        of_class.entry(class).or_default().push((SplitMix64::hash(seed ^ row as u64), row));
    }
    of_class
}

/// The rows with the smallest hashes of each class; never a whole class.
fn by_rows(rows: usize, classes: Option<&[f64]>, choice: HoldOut<'_>) -> Vec<bool> {
    let mut held = vec![false; rows];
    for mut members in by_class(rows, classes, choice.seed).into_values() {
        let count = ((members.len() as f64 * choice.share).round() as usize).min(members.len() - 1);
        if count > 0 {
            members.select_nth_unstable(count - 1);
            members[..count].iter().for_each(|(_, row)| held[*row] = true);
        }
    }
    held
}

/// Whole groups in the order of their hashes until there are enough rows; never all groups.
fn by_groups(groups: &[u64], share: f64) -> Vec<bool> {
    let mut rows: HashMap<u64, usize> = HashMap::new();
    groups.iter().for_each(|group| *rows.entry(*group).or_default() += 1);
    let mut order: Vec<(u64, usize)> = rows.into_iter().collect();
    order.sort_unstable();
    let wanted = groups.len() as f64 * share;
    let mut chosen = std::collections::HashSet::new();
    let mut held = 0;
    for (group, rows) in &order {
        let fits = (held + rows) as f64 <= wanted * OVERSHOOT;
        if (held as f64) < wanted && fits && chosen.len() + 1 < order.len() {
            chosen.insert(*group);
            held += rows;
        }
    }
    if chosen.is_empty() && order.len() > 1 {
        // All groups are large: the smallest is the nearest to what is wanted.
        chosen.extend(order.iter().min_by_key(|(group, rows)| (*rows, *group)).map(|(group, _)| *group));
    }
    groups.iter().map(|group| chosen.contains(group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(share: f64, seed: u64, rows: usize, classes: Option<&[f64]>) -> Vec<bool> {
        by_rows(rows, classes, HoldOut { share, seed, by: HoldOutBy::Rows(classes) })
    }

    fn count(held: &[bool]) -> usize {
        held.iter().filter(|held| **held).count()
    }

    #[test]
    fn each_class_gives_its_share_and_keeps_a_row() {
        let classes: Vec<f64> = (0..1000).map(|row| if row < 40 { 1.0 } else { 0.0 }).chain([2.0]).collect();
        let held = rows(0.2, 7, 1001, Some(&classes));
        assert_eq!((count(&held[..40]), count(&held[40..1000]), held[1000]), (8, 192, false));
        assert_ne!(held, rows(0.2, 8, 1001, Some(&classes)));
        assert_eq!((count(&rows(0.5, 1, 1, None)), count(&rows(0.1, 1, 4, None))), (0, 0));
    }

    #[test]
    fn rows_added_at_the_end_move_few_others() {
        let (before, after) = (rows(0.1, 3, 10_000, None), rows(0.1, 3, 10_100, None));
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert_eq!(count(&before), 1000);
        assert!(moved <= 30, "{moved}");
    }

    #[test]
    fn folds_have_their_share_of_each_class_and_whole_groups() {
        let classes: Vec<f64> = (0..103).map(|row| if row < 23 { 1.0 } else { 0.0 }).collect();
        let folds = folds_of_rows(103, Some(&classes), 5, 1);
        for fold in 0..5 {
            let members = |class: f64| (0..103).filter(|row| folds[*row] == fold && classes[*row] == class).count();
            assert!((4..=5).contains(&members(1.0)) && (15..=17).contains(&members(0.0)), "{folds:?}");
        }
        assert_ne!(folds, folds_of_rows(103, Some(&classes), 5, 2));
        let groups: Vec<u64> = (0..100).map(|row| SplitMix64::hash(row / 10)).collect();
        let folds = folds_of_groups(&groups, 5);
        assert!(folds.chunks(10).all(|group| group.iter().all(|fold| *fold == group[0])));
        assert!((0..5).all(|fold| folds.iter().filter(|other| **other == fold).count() == 20));
    }

    #[test]
    fn groups_stay_together() {
        let groups: Vec<u64> = (0..1000).map(|row| SplitMix64::hash(row / 10)).collect();
        let held = by_groups(&groups, 0.2);
        assert_eq!(count(&held), 200);
        assert!(held.chunks(10).all(|group| group.iter().all(|held| *held == group[0])));
        // Two large groups and a small one.
        let groups: Vec<u64> = (0..100).map(|row| if row < 50 { 1 } else { 2 + u64::from(row > 90) }).collect();
        assert_eq!(count(&by_groups(&groups, 0.1)), 9);
        assert_eq!(count(&by_groups(&[5; 10], 0.5)), 0);
    }
}
