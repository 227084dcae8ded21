//! Always-valid confidence intervals: they hold at every moment at once, however often one looks at them.
//!
//! A fixed threshold that is looked at after every request fires sooner or later. These intervals do not: the chance that
//! the truth is ever outside is at most `alpha`.

/// An interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::endpoint) struct Interval {
    pub(in crate::endpoint) low: f64,
    pub(in crate::endpoint) high: f64,
}

/// Halvings of an interval when its ends are searched.
const HALVINGS: usize = 40;

/// The interval of a probability after `successes` of `trials`: Robbins' mixture of likelihood ratios with the prior
/// Beta(½, ½). It holds all `p` with `B(s + ½, f + ½) / B(½, ½) < p^s (1 − p)^f / alpha`.
pub(in crate::endpoint) fn of_rate(successes: u64, trials: u64, alpha: f64) -> Interval {
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (s, f) = (successes as f64, trials.saturating_sub(successes) as f64);
    let evidence = ln_beta(s + 0.5, f + 0.5) - ln_beta(0.5, 0.5);
    let log_likelihood = |p: f64| {
        let part = |count: f64, p: f64| if count > 0.0 { count * p.ln() } else { 0.0 };
        part(s, p) + part(f, 1.0 - p)
    };
    let is_inside = |p: f64| evidence - log_likelihood(p) < -alpha.ln();
    let mean = s / trials as f64;
    let end = |outside: f64| {
        if is_inside(outside) {
            return outside;
        }
        let (mut out, mut inside) = (outside, mean);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(out, inside);
            if is_inside(middle) { inside = middle } else { out = middle }
        }
        inside
    };
    Interval { low: end(0.0), high: end(1.0) }
}

/// The interval of a mean from the number of values, their sum and the sum of their squares: the normal mixture of Robbins,
/// with the variance of the values (asymptotic: it holds from some tens of values on).
pub(in crate::endpoint) fn of_mean(count: u64, sum: f64, squares: f64, alpha: f64) -> Interval {
    if count < 2 {
        return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
    }
    let n = count as f64;
    let mean = sum / n;
    let variance = ((squares - sum * mean) / (n - 1.0)).max(0.0);
    // Narrowest at about a thousand values.
    let rho = 1.0 / 1000.0;
    let spread = n * rho + 1.0;
    let radius = (2.0 * spread / (n * n * rho) * (spread.sqrt() / alpha).ln() * variance).sqrt();
    Interval { low: mean - radius, high: mean + radius }
}

/// Whether two counts differ from their expected shares, at a chance of 1 in 1,000 if they do not (χ² with one degree of
/// freedom).
pub(in crate::endpoint) fn ratio_differs(count: u64, of: u64, share: f64) -> bool {
    // The 99.9 % quantile.
    const LIMIT: f64 = 10.828;
    let (n, expected) = (of as f64, of as f64 * share);
    if expected < 5.0 || n - expected < 5.0 {
        return false;
    }
    let difference = count as f64 - expected;
    difference * difference / expected + difference * difference / (n - expected) > LIMIT
}

fn ln_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

#[cfg(test)]
mod tests {
    use tidemill_core::SplitMix64;

    use super::*;

    fn uniform(number: u64) -> f64 {
        (SplitMix64::nth(number) >> 11) as f64 / (1u64 << 53) as f64
    }

    #[test]
    fn intervals_of_rates_hold_at_every_moment() {
        // 400 sequences of 2,000 requests: the truth may be outside at any moment in at most 5 % of them.
        for rate in [0.01, 0.3] {
            let mut missed = 0;
            for sequence in 0..400u64 {
                let mut errors = 0;
                let outside = (1..=2000u64).any(|n| {
                    errors += u64::from(uniform(sequence * 10_000 + n) < rate);
                    let interval = of_rate(errors, n, 0.05);
                    !(interval.low <= rate && rate <= interval.high)
                });
                missed += u32::from(outside);
            }
            assert!(missed <= 20, "{missed} of 400 at {rate}");
        }
    }

    #[test]
    fn intervals_shrink_and_agree_with_values_worked_out_by_hand() {
        assert_eq!(of_rate(0, 0, 0.05), Interval { low: 0.0, high: 1.0 });
        let few = of_rate(10, 100, 0.05);
        let many = of_rate(1000, 10_000, 0.05);
        assert!(few.low < 0.1 && 0.1 < few.high && many.high - many.low < (few.high - few.low) / 5.0);
        // 20 errors of 100 are significantly more than 5 %, 8 are not.
        assert!(of_rate(20, 100, 0.05).low > 0.05 && of_rate(8, 100, 0.05).low < 0.05);
        // For one success of one trial the bound is alpha · B(3/2, 1/2) / B(1/2, 1/2) = alpha / 2.
        assert!((of_rate(1, 1, 0.05).low - 0.025).abs() < 1e-9);
    }

    #[test]
    fn intervals_of_means_hold_at_every_moment() {
        let mut missed = 0;
        for sequence in 0..300u64 {
            let (mut sum, mut squares) = (0.0, 0.0);
            let outside = (1..=3000u64).any(|n| {
                let value = uniform(sequence * 10_000 + n);
                sum += value;
                squares += value * value;
                let interval = of_mean(n, sum, squares, 0.05);
                n >= 50 && !(interval.low <= 0.5 && 0.5 <= interval.high)
            });
            missed += u32::from(outside);
        }
        assert!(missed <= 15, "{missed} of 300");
        assert!(of_mean(1, 0.5, 0.25, 0.05).high.is_infinite());
    }

    #[test]
    fn a_wrong_ratio_is_noticed() {
        assert!(!ratio_differs(5050, 10_000, 0.5) && ratio_differs(5300, 10_000, 0.5));
        assert!(!ratio_differs(3, 10, 0.1));
    }
}
