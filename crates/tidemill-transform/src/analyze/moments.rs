//! Mean and variance.

use tidemill_validation::stored;

use super::Merge;

/// Mean and variance of finite values, summed in twice the precision of `f64`.
///
/// Sums are of differences from the first value and are carried as an unevaluated pair of floats (Dekker 1971, Knuth
/// 1969: two-sum and two-product), so the result is correctly rounded for all practical purposes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moments {
    count: u64,
    shift: f64,
    sum: Pair,
    squares: Pair,
}

/// The sum of a high and a low part.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    high: f64,
    low: f64,
}

impl Pair {
    fn add(&mut self, value: f64) {
        let (sum, error) = two_sum(self.high, value);
        (self.high, self.low) = quick_two_sum(sum, self.low + error);
    }

    /// Adds `value` × `value`.
    fn add_square(&mut self, value: f64) {
        let product = value * value;
        self.add(product);
        self.low += value.mul_add(value, -product);
    }

    fn add_pair(&mut self, other: Self) {
        self.add(other.high);
        self.add(other.low);
    }

    /// The product of two pairs.
    fn times(self, other: Self) -> Self {
        let product = self.high * other.high;
        let error = self.high.mul_add(other.high, -product) + self.high * other.low + self.low * other.high;
        let (high, low) = quick_two_sum(product, error);
        Self { high, low }
    }

    fn value(self) -> f64 {
        self.high + self.low
    }
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

fn quick_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

stored!(Moments { count, shift, sum, squares });
stored!(Pair { high, low });

impl Merge for Moments {
    /// With d the difference of both first values: Σ(x + d) = Σx + n·d and Σ(x + d)² = Σx² + 2d·Σx + n·d².
    fn merge(&mut self, other: Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = other;
            return;
        }
        let (d, d_low) = two_sum(other.shift, -self.shift);
        let d = Pair { high: d, low: d_low };
        let count = other.count as f64;
        let moved = d.times(Pair { high: count, low: 0.0 });
        self.squares.add_pair(other.squares);
        self.squares.add_pair(d.times(other.sum).times(Pair { high: 2.0, low: 0.0 }));
        self.squares.add_pair(d.times(moved));
        self.sum.add_pair(other.sum);
        self.sum.add_pair(moved);
        self.count += other.count;
    }
}

impl Moments {
    /// Takes in values; those that are not finite are skipped.
    pub(crate) fn update(&mut self, values: &[f64]) {
        for value in values.iter().copied().filter(|value| value.is_finite()) {
            if self.count == 0 {
                self.shift = value;
            }
            self.count += 1;
            let (difference, error) = two_sum(value, -self.shift);
            self.sum.add(difference);
            self.sum.low += error;
            self.squares.add_square(difference);
        }
    }

    /// The mean; `None` without values.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.shift + self.sum.value() / self.count as f64)
    }

    /// The standard deviation, divided by n; `None` without values.
    pub(crate) fn std_dev(&self) -> Option<f64> {
        let count = self.count as f64;
        (self.count > 0).then(|| {
            let mut rest = self.squares;
            let mean = self.sum.value() / count;
            let product = mean * self.sum.value();
            rest.add(-product);
            rest.low -= mean.mul_add(self.sum.value(), -product);
            (rest.value() / count).max(0.0).sqrt()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_joined_are_the_whole() {
        let values: Vec<f64> = (0..1000).map(|i| 1e6 + f64::from(i * i % 977) * 0.37).collect();
        let whole = moments(&values);
        for cut in [0, 1, 499, 1000] {
            let mut parts = [Moments::default(), Moments::default()];
            parts[0].update(&values[..cut]);
            parts[1].update(&values[cut..]);
            let [mut joined, other] = parts;
            joined.merge(other);
            let joined = (joined.mean().unwrap(), joined.std_dev().unwrap());
            assert!((joined.0 - whole.0).abs() <= 1e-15 * whole.0, "{joined:?} is not {whole:?}");
            assert!((joined.1 - whole.1).abs() <= 1e-15 * whole.1, "{joined:?} is not {whole:?}");
        }
    }

    fn moments(values: &[f64]) -> (f64, f64) {
        let mut moments = Moments::default();
        moments.update(values);
        (moments.mean().unwrap_or(f64::NAN), moments.std_dev().unwrap_or(f64::NAN))
    }

    #[test]
    fn small_deviations_from_a_large_mean_survive() {
        // numpy 2: np.std([1e9 + x for x in (4, 7, 13, 16)]) == 4.743416490252569
        let (mean, std_dev) = moments(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
        assert_eq!(mean, 1e9 + 10.0);
        assert!((std_dev - 4.743_416_490_252_569).abs() < 1e-15, "{std_dev}");
    }

    #[test]
    fn a_constant_column_has_no_deviation_at_all() {
        assert_eq!(moments(&[0.1; 1000]), (0.1, 0.0));
    }

    #[test]
    fn values_that_are_not_finite_do_not_count() {
        assert_eq!(moments(&[1.0, f64::NAN, f64::INFINITY, 3.0]), (2.0, 1.0));
        assert!(Moments::default().mean().is_none());
    }

    #[test]
    fn where_batches_begin_does_not_matter() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i * 7919 % 1000).sqrt() * 1e3).collect();
        let mut parts = Moments::default();
        for part in values.chunks(17) {
            parts.update(part);
        }
        assert_eq!((parts.mean(), parts.std_dev()), (Some(moments(&values).0), Some(moments(&values).1)));
    }
}
