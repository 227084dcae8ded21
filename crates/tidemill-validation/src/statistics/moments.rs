//! Count, mean, deviation and extremes of finite numbers.

use super::state::stored;

/// Running moments that merge.
///
/// Blocks are summed in two passes (mean, then squared distances from it) and joined by the pairwise update of
/// Chan, Golub and `LeVeque` (1979), which keeps full precision whatever the size of the mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    pub count: u64,
    pub mean: f64,
    /// Sum of squared distances from the mean.
    pub m2: f64,
    pub min: f64,
    pub max: f64,
}

stored!(Moments { count, mean, m2, min, max } if |it| it.count == 0 || it.mean.is_finite() && it.min <= it.max);

impl Default for Moments {
    fn default() -> Self {
        Self { count: 0, mean: 0.0, m2: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Moments {
    /// The moments of `values`, all finite.
    pub fn of(values: &[f64]) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let count = values.len() as u64;
        let mut mean = lanes(values, |x| x) / count as f64;
        let (min, max) = extremes(values);
        if !mean.is_finite() {
            mean = lanes(values, |x| x / count as f64).clamp(min, max);
        }
        let m2 = lanes(values, |x| (x - mean) * (x - mean));
        Self { count, mean, m2, min, max }
    }

    /// Takes in the moments of other values.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let total = self.count + other.count;
        let share = other.count as f64 / total as f64;
        let delta = other.mean - self.mean;
        self.mean =
            if delta.is_finite() { self.mean + delta * share } else { self.mean * (1.0 - share) + other.mean * share };
        self.m2 += other.m2 + delta * delta * share * self.count as f64;
        self.count = total;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Deviation divided by n; 0 for no values. Always finite, for files that cannot hold anything else.
    pub fn std_dev(&self) -> f64 {
        if self.count == 0 { 0.0 } else { (self.m2 / self.count as f64).sqrt().min(f64::MAX) }
    }
}

/// Sum of `f` over `values` in eight lanes, added in a fixed order.
fn lanes(values: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0f64; 8];
    let mut chunks = values.chunks_exact(8);
    for chunk in &mut chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += f(*x);
        }
    }
    let rest: f64 = chunks.remainder().iter().map(|x| f(*x)).sum();
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])) + rest
}

/// Smallest and largest of some values, none of them NaN.
fn extremes(values: &[f64]) -> (f64, f64) {
    let mut low = [f64::INFINITY; 8];
    let mut high = [f64::NEG_INFINITY; 8];
    let mut chunks = values.chunks_exact(8);
    for chunk in &mut chunks {
        for lane in 0..8 {
            let x = chunk[lane];
            low[lane] = if x < low[lane] { x } else { low[lane] };
            high[lane] = if x > high[lane] { x } else { high[lane] };
        }
    }
    let rest = chunks.remainder();
    let min = low.iter().chain(rest).fold(f64::INFINITY, |a, b| a.min(*b));
    let max = high.iter().chain(rest).fold(f64::NEG_INFINITY, |a, b| a.max(*b));
    (min, max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_mean_does_not_swallow_a_small_deviation() {
        let values: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 3)).collect();
        let mut merged = Moments::default();
        for chunk in values.chunks(37) {
            merged.merge(&Moments::of(chunk));
        }
        // Population deviation of 334 zeros, 333 ones and 333 twos.
        let mean: f64 = (333.0 + 666.0) / 1000.0;
        let variance = (334.0 * mean * mean + 333.0 * (1.0 - mean).powi(2) + 333.0 * (2.0 - mean).powi(2)) / 1000.0;
        assert!((merged.std_dev() - variance.sqrt()).abs() < 1e-9);
        assert!((merged.mean - 1e9 - mean).abs() < 1e-6);
        assert_eq!((merged.min, merged.max), (1e9, 1e9 + 2.0));
    }

    #[test]
    fn huge_values_do_not_overflow_the_mean() {
        let moments = Moments::of(&[f64::MAX, f64::MAX, f64::MAX]);
        assert!((moments.mean / f64::MAX - 1.0).abs() < 1e-12);
        let mut merged = Moments::of(&[f64::MIN]);
        merged.merge(&Moments::of(&[f64::MAX, f64::MAX]));
        assert!(merged.mean.is_finite() && merged.std_dev().is_finite());
    }
}
