//! Means and variances of losses, and the test that compares two of them.

use crate::student::upper_tail;

/// Count, sum and sum of squares. Losses are centred on their overall mean first, to avoid cancellation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    pub n: f64,
    pub sum: f64,
    pub squares: f64,
}

impl std::ops::Add for Moments {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.plus(other)
    }
}

impl Moments {
    pub fn push(&mut self, value: f64) {
        self.n += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    pub fn plus(self, other: Self) -> Self {
        Self { n: self.n + other.n, sum: self.sum + other.sum, squares: self.squares + other.squares }
    }

    pub fn minus(self, other: Self) -> Self {
        Self { n: self.n - other.n, sum: self.sum - other.sum, squares: self.squares - other.squares }
    }

    pub fn mean(self) -> f64 {
        if self.n > 0.0 { self.sum / self.n } else { 0.0 }
    }

    /// Unbiased variance; 0 for fewer than two values.
    pub fn variance(self) -> f64 {
        if self.n < 2.0 {
            return 0.0;
        }
        ((self.squares - self.sum * self.sum / self.n) / (self.n - 1.0)).max(0.0)
    }
}

/// How many standard deviations the mean of `a` lies above that of `b`: √2 (m₁ - m₂) / √(s₁² + s₂²).
pub fn effect_size(a: Moments, b: Moments) -> f64 {
    let spread = (a.variance() + b.variance()).sqrt();
    let apart = a.mean() - b.mean();
    if spread > 0.0 { std::f64::consts::SQRT_2 * apart / spread } else { 0.0 }
}

/// The probability of means this far apart (that of `a` above that of `b`) if they were equal: Welch's t-test,
/// one-sided, with Welch and Satterthwaite's degrees of freedom. 1 if there are too few values.
pub fn welch_p_value(a: Moments, b: Moments) -> f64 {
    if a.n < 2.0 || b.n < 2.0 {
        return 1.0;
    }
    let (va, vb) = (a.variance() / a.n, b.variance() / b.n);
    let apart = a.mean() - b.mean();
    if va + vb <= 0.0 {
        return if apart > 0.0 { 0.0 } else { 1.0 };
    }
    let df = (va + vb) * (va + vb) / (va * va / (a.n - 1.0) + vb * vb / (b.n - 1.0));
    upper_tail(apart / (va + vb).sqrt(), df)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> Moments {
        let mut all = Moments::default();
        for value in values {
            all.push(*value);
        }
        all
    }

    /// Recorded from `SciPy` 1.17.1: `scipy.stats.ttest_ind(a, b, equal_var=False, alternative="greater").pvalue`.
    #[test]
    fn tests_agree_with_scipy() {
        let a = moments(&[2.1, 3.4, 1.9, 5.6, 4.4, 3.8]);
        let b = moments(&[1.2, 2.2, 0.9, 1.4, 2.6, 1.1, 0.3, 1.8]);
        assert!((welch_p_value(a, b) - WELCH).abs() < 1e-12);
        assert!((welch_p_value(b, a) - (1.0 - WELCH)).abs() < 1e-12);
    }

    #[allow(clippy::unreadable_literal, reason = "as recorded")]
    const WELCH: f64 = 0.0061892375770874015;
}
