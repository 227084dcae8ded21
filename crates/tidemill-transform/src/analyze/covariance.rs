//! Covariance of several columns, and the directions in which they vary most.

use nalgebra::{DMatrix, SymmetricEigen};
use tidemill_validation::stored;

use super::Merge;

/// Means and co-moments of rows of several numbers, updated row by row (Welford 1962).
#[derive(Debug, Clone)]
pub(crate) struct Covariance {
    rows: u64,
    means: Vec<f64>,
    /// Sums of products of differences from the means, row by row.
    moments: Vec<f64>,
}

stored!(Covariance { rows, means, moments });

impl Merge for Covariance {
    /// The formula is that of Chan, Golub and `LeVeque` 1979.
    fn merge(&mut self, other: Self) {
        if other.rows == 0 || other.means.len() != self.means.len() {
            return;
        }
        let (n, m) = (self.rows as f64, other.rows as f64);
        let columns = self.means.len();
        let apart: Vec<f64> = other.means.iter().zip(&self.means).map(|(other, mean)| other - mean).collect();
        for (at, (moment, other)) in self.moments.iter_mut().zip(other.moments).enumerate() {
            *moment += other + apart[at / columns] * apart[at % columns] * (n * m / (n + m));
        }
        for (mean, apart) in self.means.iter_mut().zip(&apart) {
            *mean += apart * (m / (n + m));
        }
        self.rows += other.rows;
    }
}

impl Covariance {
    /// Of so many columns.
    pub(crate) fn new(columns: usize) -> Self {
        Self { rows: 0, means: vec![0.0; columns], moments: vec![0.0; columns * columns] }
    }

    /// Takes in a row; one with a value that is not finite is skipped.
    pub(crate) fn update(&mut self, row: &[f64]) {
        if row.len() != self.means.len() || !row.iter().all(|value| value.is_finite()) {
            return;
        }
        self.rows += 1;
        let columns = row.len();
        let before: Vec<f64> = row.iter().zip(&self.means).map(|(value, mean)| value - mean).collect();
        for (mean, difference) in self.means.iter_mut().zip(&before) {
            *mean += difference / self.rows as f64;
        }
        let after: Vec<f64> = row.iter().zip(&self.means).map(|(value, mean)| value - mean).collect();
        for (sums, difference) in self.moments.chunks_exact_mut(columns.max(1)).zip(&before) {
            for (sum, other) in sums.iter_mut().zip(&after) {
                *sum += difference * other;
            }
        }
    }

    /// The mean of each column; `None` without rows.
    pub(crate) fn means(&self) -> Option<&[f64]> {
        (self.rows > 0).then_some(&self.means)
    }

    /// The covariance of each pair of columns, divided by n.
    fn matrix(&self) -> DMatrix<f64> {
        let columns = self.means.len();
        let of = |a: usize, b: usize| self.moments[a * columns + b] / self.rows.max(1) as f64;
        // Both halves are the same but for rounding.
        DMatrix::from_fn(columns, columns, |a, b| f64::midpoint(of(a, b), of(b, a)))
    }

    /// The `count` directions of unit length in which rows vary most, most first. The largest weight of each is
    /// positive.
    pub(crate) fn directions(&self, count: usize) -> Vec<Vec<f64>> {
        let eigen = SymmetricEigen::new(self.matrix());
        let mut order: Vec<usize> = (0..self.means.len()).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let direction = |at: &usize| {
            let weights: Vec<f64> = eigen.eigenvectors.column(*at).iter().copied().collect();
            let largest = weights.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() + 1e-12 { b } else { a });
            weights.into_iter().map(|weight| if largest < 0.0 { -weight } else { weight }).collect()
        };
        order.iter().take(count).map(direction).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COVARIANCE: [[f64; 3]; 3] = [[4.56, 5.72, 0.3], [5.72, 8.24, -0.3], [0.3, -0.3, 0.5]];
    const DIRECTIONS: [[f64; 3]; 2] = [
        [0.588_806_880_628_716_2, 0.808_254_846_770_607_1, -0.005_528_109_631_971_888],
        [0.536_107_263_322_364_6, -0.385_412_931_519_386_66, 0.751_029_875_857_570_1],
    ];

    #[test]
    fn covariance_and_directions_are_those_of_numpy() {
        // numpy 2.4.6: x = [[1, 2, 0.5], [2, 1, 1.5], [4, 6, 0], [5, 5, 2], [7, 9, 1]]
        // np.cov(x, rowvar=False, bias=True); w, v = np.linalg.eigh(_), columns of v by w descending
        let mut covariance = Covariance::new(3);
        for row in [[1.0, 2.0, 0.5], [2.0, 1.0, 1.5], [4.0, 6.0, 0.0], [5.0, 5.0, 2.0], [7.0, 9.0, 1.0]] {
            covariance.update(&row);
        }
        covariance.update(&[f64::NAN, 0.0, 0.0]);
        for (got, expected) in covariance.matrix().iter().zip(COVARIANCE.as_flattened()) {
            assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
        }
        for (got, expected) in covariance.directions(2).concat().iter().zip(DIRECTIONS.as_flattened()) {
            assert!((got - expected).abs() < 1e-9, "{got} is not {expected}");
        }
    }

    #[test]
    fn a_mean_far_from_zero_costs_no_digits() {
        let mut covariance = Covariance::new(2);
        for x in [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0] {
            covariance.update(&[x, -x]);
        }
        assert_eq!(covariance.matrix().as_slice(), [22.5, -22.5, -22.5, 22.5]);
    }
}
