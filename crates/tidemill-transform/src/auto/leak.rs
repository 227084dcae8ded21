//! Whether a column gives the label away.

use std::collections::{HashMap, HashSet};

/// Fewer rows say nothing.
const ROWS_MIN: usize = 20;
/// From so many rows on, a column that alone orders a label of two values is taken for a leak and not for a lucky
/// measurement.
const ROWS_SURE: usize = 1000;
/// A label with more values is an amount.
const CLASSES_MAX: usize = 50;

/// What a column says about the label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Leak {
    No,
    /// It is the label, written in another way.
    Copy,
    /// It alone decides the label: the area under the ROC curve.
    Decides(f64),
    /// It nearly does, and may well be known when predicting.
    Suspicious(f64),
}

/// What values say about labels of the same rows. `is_text`: the values are names, whose order means nothing.
pub(super) fn leak(sample: &[(f64, f64)], is_text: bool) -> Leak {
    if sample.len() < ROWS_MIN {
        return Leak::No;
    }
    let labels = distinct(sample.iter().map(|(_, label)| *label), CLASSES_MAX + 1);
    if labels.len() < 2 {
        return Leak::No;
    }
    if labels.len() <= CLASSES_MAX {
        if is_recoded(sample, labels.len()) {
            return Leak::Copy;
        }
    } else if !is_text && is_scaled(sample) {
        return Leak::Copy;
    }
    let is_binary = labels.len() == 2;
    if !is_binary || is_text {
        return Leak::No;
    }
    let high = labels.iter().map(|bits| f64::from_bits(*bits)).fold(f64::NEG_INFINITY, f64::max);
    let area = auc(sample, high);
    let area = area.max(1.0 - area);
    if area < 0.999 {
        Leak::No
    } else if area >= 0.9999 && sample.len() >= ROWS_SURE {
        Leak::Decides(area)
    } else {
        Leak::Suspicious(area)
    }
}

fn distinct(values: impl Iterator<Item = f64>, most: usize) -> HashSet<u64> {
    let mut seen = HashSet::new();
    for value in values {
        seen.insert((value + 0.0).to_bits());
        if seen.len() >= most {
            break;
        }
    }
    seen
}

/// Whether each value stands for one label and each label for one value.
fn is_recoded(sample: &[(f64, f64)], labels: usize) -> bool {
    let mut label_of: HashMap<u64, u64> = HashMap::new();
    for (value, label) in sample {
        let label = (label + 0.0).to_bits();
        if *label_of.entry((value + 0.0).to_bits()).or_insert(label) != label || label_of.len() > labels {
            return false;
        }
    }
    label_of.len() == labels
}

/// Whether the label is the value times a constant plus another one.
fn is_scaled(sample: &[(f64, f64)]) -> bool {
    let n = sample.len() as f64;
    let (mean_x, mean_y) = sample.iter().fold((0.0, 0.0), |(x, y), (a, b)| (x + a / n, y + b / n));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in sample {
        let (x, y) = (x - mean_x, y - mean_y);
        (xx, yy, xy) = (xx + x * x, yy + y * y, xy + x * y);
    }
    xx > 0.0 && yy > 0.0 && xy * xy / (xx * yy) > 1.0 - 1e-9
}

/// The area under the ROC curve of the value as a score of the label `high` (Mann and Whitney 1947; a tie is half).
fn auc(sample: &[(f64, f64)], high: f64) -> f64 {
    let mut sorted: Vec<(f64, bool)> = sample.iter().map(|(value, label)| (*value, *label == high)).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut halves, mut positives) = (0_u64, 0_u64, 0_u64);
    for same in sorted.chunk_by(|a, b| a.0 == b.0) {
        let yes = same.iter().filter(|(_, positive)| *positive).count() as u64;
        let no = same.len() as u64 - yes;
        halves += yes * (2 * below + no);
        below += no;
        positives += yes;
    }
    halves as f64 / (2 * positives * below).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_label_is_found() {
        let rows = |of: fn(usize) -> (f64, f64)| (0..200).map(of).collect::<Vec<_>>();
        assert_eq!(leak(&rows(|i| ((i % 3) as f64 * 10.0, (i % 3) as f64)), true), Leak::Copy);
        assert_eq!(leak(&rows(|i| ((i % 6) as f64, (i % 3) as f64)), true), Leak::No);
        assert_eq!(leak(&rows(|i| (i as f64 * 0.45 + 32.0, i as f64)), false), Leak::Copy);
        assert_eq!(leak(&rows(|i| ((i * i) as f64, i as f64)), false), Leak::No);
        assert_eq!(leak(&rows(|i| (i as f64, f64::from(u8::from(i >= 100)))), false), Leak::Suspicious(1.0));
        assert_eq!(leak(&rows(|i| ((i * 7 % 200) as f64, f64::from(u8::from(i >= 100)))), false), Leak::No);
    }

    #[test]
    fn many_rows_in_perfect_order_are_a_leak() {
        let rows: Vec<(f64, f64)> = (0..2000).map(|i| (f64::from(i), f64::from(u8::from(i >= 700)))).collect();
        assert_eq!(leak(&rows, false), Leak::Decides(1.0));
        // scikit-learn 1.9.1: roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        assert_eq!(auc(&[(0.1, 0.0), (0.4, 0.0), (0.35, 1.0), (0.8, 1.0)], 1.0), 0.75);
    }
}
