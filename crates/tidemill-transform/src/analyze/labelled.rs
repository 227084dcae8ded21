//! The label by value of a column.

use arrow::array::ArrayRef;
use tidemill_model::steps::Encoding;
use tidemill_model::{Keys, fold_of_row};
use tidemill_validation::stored;

use super::{Keyed, Merge};

/// Rows and the sum of their labels.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    rows: f64,
    labels: f64,
}

impl std::ops::Add for Sum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, labels: self.labels + other.labels }
    }
}

/// How many rows each value has and the sum of their labels, by fold.
#[derive(Debug)]
pub(crate) struct LabelSums {
    folds: usize,
    keys: Keyed<Vec<Sum>>,
    is_binary: bool,
}

impl LabelSums {
    /// For text, or for whole numbers, in so many folds.
    pub(crate) fn new(is_text: bool, folds: usize) -> Self {
        Self { folds, keys: Keyed::new(is_text, vec![Sum::default(); folds]), is_binary: true }
    }

    /// Takes in a column whose first row is row `first_row` of the split. Rows without a finite label are skipped.
    pub(crate) fn update(&mut self, column: &ArrayRef, labels: &[Option<f64>], first_row: u64) {
        let folds = self.folds;
        self.is_binary &= labels.iter().flatten().all(|label| *label == 0.0 || *label == 1.0);
        self.keys.update(column, |row, sums| {
            let Some(label) = labels.get(row).copied().flatten().filter(|label| label.is_finite()) else { return };
            let sum = &mut sums[fold_of_row(first_row + row as u64, folds)];
            *sum = *sum + Sum { rows: 1.0, labels: label };
        });
    }

    /// How many different values there are.
    pub(crate) fn distinct(&self) -> usize {
        self.keys.len()
    }

    /// Whether every label is 0 or 1.
    pub(crate) fn is_binary(&self) -> bool {
        self.is_binary
    }

    /// The values ascending with the encodings of all rows and, fold by fold, of the rows of the other folds.
    ///
    /// The encoding of n rows with the label sum s is (s + m · mean) / (n + m), where m is `smoothing` and the mean that
    /// of all rows looked at (Micci-Barreca 2001, with a constant weight). Sums of other folds are added up rather than
    /// taken from the whole, so that not even rounding depends on a row's own label. `None` without rows.
    pub(crate) fn encode(&self, smoothing: f64) -> Option<(Keys, Encoding, Vec<Encoding>)> {
        let (keys, values) = self.keys.sorted();
        let encoding = |without: Option<usize>| {
            let total = |sums: &[Sum]| {
                let kept = sums.iter().enumerate().filter(|(fold, _)| Some(*fold) != without);
                kept.fold(Sum::default(), |total, (_, sum)| total + *sum)
            };
            let missing = total(&self.keys.missing);
            let totals: Vec<Sum> = values.iter().map(|sums| total(sums)).collect();
            let all = totals.iter().fold(missing, |all, sum| all + *sum);
            if all.rows == 0.0 {
                return None;
            }
            let mean = all.labels / all.rows;
            let of = |sum: Sum| {
                let weight = sum.rows + smoothing;
                if weight == 0.0 { mean } else { (sum.labels + smoothing * mean) / weight }
            };
            Some(Encoding { encodings: totals.into_iter().map(of).collect(), missing: of(missing), other: mean })
        };
        let full = encoding(None)?;
        // A fold that holds all the rows there are leaves none to fit on.
        let folds = (0..self.folds).map(|fold| encoding(Some(fold)).unwrap_or_else(|| full_of_mean(&full))).collect();
        Some((keys, full, folds))
    }

    /// Values with their rows and, in bits times the number of rows, the mutual information of having the value and
    /// the label, which is 0 or 1 (as TensorFlow Transform orders a vocabulary with labels).
    pub(crate) fn information(&self) -> (Keys, Vec<(u64, f64)>) {
        let (keys, values) = self.keys.sorted();
        let sum = |sums: &Vec<Sum>| sums.iter().fold(Sum::default(), |total, sum| total + *sum);
        let sums: Vec<Sum> = values.into_iter().map(sum).collect();
        let all = sums.iter().fold(sum(&self.keys.missing), |all, sum| all + *sum);
        let part = |both: f64, x: f64, y: f64| if both > 0.0 { both * (both * all.rows / (x * y)).log2() } else { 0.0 };
        let information = |value: &Sum| {
            let label = |with: f64, of_all: f64| {
                part(with, value.rows, of_all) + part(of_all - with, all.rows - value.rows, of_all)
            };
            label(value.labels, all.labels) + label(value.rows - value.labels, all.rows - all.labels)
        };
        let rows = sums.iter().map(|value| (value.rows as u64, information(value))).collect();
        (keys, rows)
    }
}

stored!(Sum { rows, labels });

stored!(LabelSums { folds, keys, is_binary });

impl Merge for LabelSums {
    fn merge(&mut self, other: Self) {
        self.is_binary &= other.is_binary;
        self.keys.merge_with(other.keys, |sums, others| {
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum = *sum + other;
            }
        });
    }
}

fn full_of_mean(full: &Encoding) -> Encoding {
    Encoding { encodings: vec![full.other; full.encodings.len()], missing: full.other, other: full.other }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn encodings_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1: TargetEncoder(smooth=2.0, target_type="continuous").fit([["a"], ["a"], ["b"], ["c"], ["a"]],
        // [1, 0, 1, 0, 1]).encodings_ is [[0.64, 0.733…, 0.4]]
        let column: ArrayRef = Arc::new(StringArray::from(vec!["a", "a", "b", "c", "a"]));
        let mut sums = LabelSums::new(true, 5);
        sums.update(&column, &[1.0, 0.0, 1.0, 0.0, 1.0].map(Some), 0);
        let (keys, full, folds) = sums.encode(2.0).unwrap();
        assert_eq!(keys, Keys::Strings(["a", "b", "c"].map(str::to_owned).to_vec()));
        for (encoding, expected) in full.encodings.iter().zip([0.64, 2.2 / 3.0, 0.4]) {
            assert!((encoding - expected).abs() < 1e-15, "{encoding}");
        }
        assert_eq!((full.missing, full.other, folds.len()), (0.6, 0.6, 5));
        assert!(LabelSums::new(true, 2).encode(1.0).is_none());
    }

    #[test]
    fn information_is_that_of_the_contingency_table() {
        // sklearn.metrics.mutual_info_score([1, 1, 0, 0], [1, 1, 0, 0]) is ln 2: one bit a row.
        let column: ArrayRef = Arc::new(StringArray::from(vec!["x", "x", "y", "y"]));
        let mut sums = LabelSums::new(true, 1);
        sums.update(&column, &[1.0, 1.0, 0.0, 0.0].map(Some), 0);
        let (_, rows) = sums.information();
        assert_eq!(rows, [(2, 4.0), (2, 4.0)]);
        // mutual_info_score([1, 1, 1, 0], [1, 1, 0, 0]) / ln 2 * 4 == 1.245…
        let column: ArrayRef = Arc::new(StringArray::from(vec!["x", "x", "x", "y"]));
        let mut sums = LabelSums::new(true, 1);
        sums.update(&column, &[1.0, 1.0, 0.0, 0.0].map(Some), 0);
        let (_, rows) = sums.information();
        assert!((rows[0].1 - 1.245_112_497_836_532).abs() < 1e-12, "{rows:?}");
    }
}
