//! What two discrete variables say about each other, and how much of it chance would say.

/// A table of how often each value of one variable meets each of another.
#[derive(Debug, Clone)]
pub(crate) struct Contingency {
    columns: usize,
    counts: Vec<u64>,
}

/// Mutual information in bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Information {
    /// Σ n(i, j) / N · log₂(N · n(i, j) / (n(i) · n(j))).
    pub(crate) bits: f64,
    /// What two variables with these counts, put together by chance, have in the mean (Vinh, Epps and Bailey 2010).
    pub(crate) by_chance: f64,
}

impl Contingency {
    /// No rows yet, of so many values each.
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        Self { columns, counts: vec![0; rows * columns] }
    }

    /// Counts one meeting.
    pub(crate) fn add(&mut self, row: usize, column: usize) {
        if let Some(count) = self.counts.get_mut(row * self.columns + column) {
            *count += 1;
        }
    }

    /// How many values of the first variable occur.
    pub(crate) fn occurring(&self) -> usize {
        self.counts.chunks_exact(self.columns).filter(|row| row.iter().any(|count| *count > 0)).count()
    }

    /// Both; 0 without rows.
    pub(crate) fn information(&self) -> Information {
        let rows: Vec<u64> = self.counts.chunks_exact(self.columns).map(|row| row.iter().sum()).collect();
        let columns: Vec<u64> =
            (0..self.columns).map(|at| self.counts.iter().skip(at).step_by(self.columns).sum()).collect();
        let total: u64 = rows.iter().sum();
        let n = total as f64;
        let (mut bits, mut by_chance) = (0.0, 0.0);
        for (row, counts) in rows.iter().zip(self.counts.chunks_exact(self.columns)) {
            for (column, both) in columns.iter().zip(counts) {
                bits += part(*both, *row, *column, n);
                by_chance += expected(*row, *column, total);
            }
        }
        Information { bits: f64::max(bits, 0.0), by_chance }
    }
}

fn part(both: u64, row: u64, column: u64, n: f64) -> f64 {
    let both = both as f64;
    if both > 0.0 { both / n * (n * both / (row as f64 * column as f64)).log2() } else { 0.0 }
}

/// The mean of [`part`] where `both` is hypergeometric: of N rows `row` have the one value and `column` the other.
///
/// Probabilities are followed from the mode in both directions by the ratio of neighbours and divided by their sum in the
/// end, which needs no factorials; what is below 10⁻³⁰ of the mode's is left out.
fn expected(row: u64, column: u64, total: u64) -> f64 {
    if row == 0 || column == 0 {
        return 0.0;
    }
    let (a, b, n) = (row as f64, column as f64, total as f64);
    let (low, high) = ((row + column).saturating_sub(total), row.min(column));
    let mode = (((row as u128 + 1) * (column as u128 + 1)) / (total as u128 + 2)) as u64;
    let mode = mode.clamp(low, high);
    let (mut sum, mut weighted) = (1.0, part(mode, row, column, n));
    let mut weight = 1.0;
    for both in mode..high {
        let k = both as f64;
        weight *= (a - k) * (b - k) / ((k + 1.0) * (n - a - b + k + 1.0));
        if weight < 1e-30 {
            break;
        }
        sum += weight;
        weighted += weight * part(both + 1, row, column, n);
    }
    weight = 1.0;
    for both in (low + 1..=mode).rev() {
        let k = both as f64;
        weight *= k * (n - a - b + k) / ((a - k + 1.0) * (b - k + 1.0));
        if weight < 1e-30 {
            break;
        }
        sum += weight;
        weighted += weight * part(both - 1, row, column, n);
    }
    weighted / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(usize, usize)]) -> Information {
        let mut table = Contingency::new(4, 4);
        for (row, column) in pairs {
            table.add(*row, *column);
        }
        table.information()
    }

    #[test]
    fn both_numbers_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1: mutual_info_score(a, b) / ln 2, and sklearn.metrics.cluster's
        // expected_mutual_information(contingency_matrix(a, b, sparse=True), n) / ln 2
        let near = |got: Information, bits: f64, by_chance: f64| {
            let is_near = |got: f64, expected: f64| (got - expected).abs() < 1e-9 * expected;
            assert!(is_near(got.bits, bits) && is_near(got.by_chance, by_chance), "{got:?}");
        };
        let (a, b) = ([0, 0, 1, 1, 2, 2, 2, 0, 1, 0], [1, 0, 1, 1, 0, 0, 0, 1, 1, 0]);
        near(of(&a.into_iter().zip(b).collect::<Vec<_>>()), 0.600_000_000_000_000_4, 0.195_846_725_932_920_7);
        let of_rows = |columns: usize, column: &dyn Fn(usize) -> usize| -> Information {
            let mut table = Contingency::new(11, columns);
            (0..5000).for_each(|i| table.add((i * i * 7 + i * 13) % 11, column(i)));
            table.information()
        };
        let binary = of_rows(2, &|i| usize::from((i * 31 + (i * i * 7 + i * 13) % 11 * 3) % 10 < 4));
        near(binary, 8.143_201_779_703_773e-6, 0.000_721_920_193_149_380_4);
        let several = of_rows(5, &|i| (i * 17 + (i / 3) % 7) % 5);
        near(several, 5.970_959_444_950_357e-5, 0.002_889_739_975_232_355);
    }

    #[test]
    fn what_says_everything_and_what_says_nothing() {
        let everything = of(&[(0, 0), (0, 0), (1, 1), (1, 1)]);
        assert!((everything.bits - 1.0).abs() < 1e-15);
        // Of 4 rows with two values each: both = 2 or 0 with probability 1/6 each, 1 with 2/3: 1 bit in a third of all cases.
        assert!((everything.by_chance - 1.0 / 3.0).abs() < 1e-15, "{everything:?}");
        let nothing = of(&[(0, 0), (0, 1), (1, 0), (1, 1)]);
        assert_eq!(nothing.bits, 0.0);
        assert_eq!(of(&[]), Information { bits: 0.0, by_chance: 0.0 });
    }
}
