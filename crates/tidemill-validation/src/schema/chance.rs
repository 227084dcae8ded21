//! What a fresh sample of the same data may show: bounds for inferred rules.
//!
//! A rule is inferred from `n` values and must hold for another sample, of which the smallest that is planned for is a quarter
//! of the size (the evaluation split of most projects). Two bounds are combined, each at 95 %: the largest rate that is
//! still plausible after the first sample, and the largest count that this rate makes plausible in the second. A rule is
//! broken by chance only if both samples are unusual, each in its own direction, so in fewer than 1 of 100 samples.

/// Confidence of each of the two bounds.
const CONFIDENCE: f64 = 0.95;
/// Size of the smallest fresh sample that is planned for, as a share of the sample that was seen.
const FRESH_SHARE: f64 = 0.25;

/// The share of a fresh sample in which something may happen by chance, if it happened `count` times in `size`.
///
/// For counts that are small against the size: missing values where there were none, and, after Good (1953), values that
/// were never seen, whose probability is estimated by the share of the values that were seen once.
pub(super) fn plausible_share(count: u64, size: u64) -> f64 {
    let fresh = (size as f64 * FRESH_SHARE).max(1.0);
    let expected = poisson_upper(count) * (fresh / size.max(1) as f64);
    (poisson_quantile(expected) as f64 / fresh).min(1.0)
}

/// The upper limit of the mean of a Poisson distribution that gave `count` (Garwood 1936): the mean at which so few or fewer
/// have a probability of 5 %. For a count of 0 it is 3.0, the rule of three.
fn poisson_upper(count: u64) -> f64 {
    if count > 1000 {
        // Wilson and Hilferty's approximation of the chi-squared quantile, good to six digits here.
        let degrees = 2.0 * (count as f64 + 1.0);
        let term = 2.0 / (9.0 * degrees);
        return degrees / 2.0 * (1.0 - term + 1.644_853_627 * term.sqrt()).powi(3);
    }
    let (mut low, mut high) = (count as f64, count as f64 * 2.0 + 10.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if poisson_at_most(count, middle) > 1.0 - CONFIDENCE { low = middle } else { high = middle }
    }
    high
}

/// The smallest count that a Poisson distribution of this mean exceeds with a probability of at most 5 %.
fn poisson_quantile(mean: f64) -> u64 {
    if mean > 1000.0 {
        return (mean + 1.644_853_627 * mean.sqrt() + 1.0).ceil() as u64;
    }
    let mut term = (-mean).exp();
    let (mut sum, mut count) = (term, 0);
    while sum < CONFIDENCE && count < 10_000 {
        count += 1;
        term *= mean / count as f64;
        sum += term;
    }
    count
}

/// The probability of `count` or fewer.
fn poisson_at_most(count: u64, mean: f64) -> f64 {
    // In logarithms, because the first term underflows for large means.
    let mut log_term = -mean;
    let mut sum = log_term.exp();
    for at in 1..=count {
        log_term += (mean / at as f64).ln();
        sum += log_term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_chi_squared_distribution() {
        // SciPy 1.17: chi2.ppf(0.95, 2 * (k + 1)) / 2
        for (count, expected) in [(0, 2.995_732_273_6), (1, 4.743_864_518_4), (10, 16.962_219_236), (500, 538.376_495)]
        {
            let found = poisson_upper(count);
            assert!((found / expected - 1.0).abs() < 1e-4, "{count}: {found}");
        }
        // The approximation goes on where the sum ends.
        assert!((poisson_upper(1001) - poisson_upper(1000) - 1.0).abs() < 0.1);
        // SciPy 1.17: poisson.ppf(0.95, mean)
        for (mean, expected) in [(0.75, 2), (3.0, 6), (20.0, 28), (400.0, 433)] {
            assert_eq!(poisson_quantile(mean), expected, "{mean}");
        }
    }

    #[test]
    fn a_share_shrinks_with_the_size() {
        // None of 1,500: at most two of 375.
        assert!((plausible_share(0, 1500) - 2.0 / 375.0).abs() < 1e-12);
        assert!(plausible_share(0, 1_000_000) < 1e-5);
        assert_eq!(plausible_share(0, 1), 1.0);
    }
}
