//! Whether two counts differ by more than chance, for many features at once.

/// The chance of a χ² of `degrees` degrees of freedom of at least `value`: the upper regularised incomplete gamma
/// function `Q(degrees / 2, value / 2)`, by its series or its continued fraction (Press et al., "Numerical Recipes",
/// section 6.2).
pub fn chi_squared_tail(value: f64, degrees: f64) -> f64 {
    if !(value > 0.0 && degrees > 0.0) {
        return 1.0;
    }
    let (a, x) = (degrees / 2.0, value / 2.0);
    let scale = (a * x.ln() - x - libm::lgamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * f64::EPSILON {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return (1.0 - sum * scale).clamp(0.0, 1.0);
    }
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for i in 1..100_000 {
        let i = f64::from(i);
        let numerator = -i * (i - a);
        b += 2.0;
        d = numerator * d + b;
        d = if d.abs() < TINY { TINY } else { d };
        c = b + numerator / c;
        c = if c.abs() < TINY { TINY } else { c };
        d = 1.0 / d;
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    (fraction * scale).clamp(0.0, 1.0)
}

/// χ² and degrees of freedom of the hypothesis that two samples are of one distribution (Pearson 1900), over the cells
/// where there is anything.
pub fn homogeneity(a: &[f64], b: &[f64]) -> (f64, f64) {
    let (total_a, total_b): (f64, f64) = (a.iter().sum(), b.iter().sum());
    let all = total_a + total_b;
    if total_a <= 0.0 || total_b <= 0.0 {
        return (0.0, 0.0);
    }
    let (mut value, mut cells) = (0.0_f64, 0.0_f64);
    for (a, b) in a.iter().zip(b) {
        let both = a + b;
        if both <= 0.0 {
            continue;
        }
        let (expected_a, expected_b) = (both * total_a / all, both * total_b / all);
        value += (a - expected_a).powi(2) / expected_a + (b - expected_b).powi(2) / expected_b;
        cells += 1.0;
    }
    (value, (cells - 1.0).max(0.0))
}

/// Which hypotheses are rejected if the share of false ones among the rejected is to be at most `rate` (Benjamini and
/// Hochberg 1995).
pub fn benjamini_hochberg(p: &[f64], rate: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let bound = |rank: usize| rate * (rank + 1) as f64 / p.len() as f64;
    let last = order.iter().enumerate().rev().find(|(rank, at)| p[**at] <= bound(*rank)).map(|(rank, _)| rank);
    let mut rejected = vec![false; p.len()];
    for at in order.into_iter().take(last.map_or(0, |last| last + 1)) {
        rejected[at] = true;
    }
    rejected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SciPy` 1.17: `scipy.stats.chi2.sf(value, degrees)`.
    #[test]
    fn tails_are_those_of_scipy() {
        for (value, degrees, expected) in TAILS {
            let got = chi_squared_tail(*value, *degrees);
            let near = (got - expected).abs() <= 1e-9 * expected.abs().max(1e-3);
            assert!(near, "{value} {degrees}: {got} instead of {expected}");
        }
    }

    include!("significance_tests.rs");

    /// `SciPy`: `scipy.stats.chi2_contingency([a, b], correction=False)`.
    #[test]
    fn homogeneity_is_that_of_scipy() {
        let (a, b) = ([10.0, 40.0, 50.0, 7.0], [60.0, 60.0, 80.0, 3.0]);
        let (value, degrees) = homogeneity(&a, &b);
        assert_eq!(degrees, 3.0);
        assert!(
            (value - HOMOGENEITY.0).abs() < 1e-9 && (chi_squared_tail(value, degrees) - HOMOGENEITY.1).abs() < 1e-9
        );
        assert_eq!(homogeneity(&[1.0, 2.0], &[0.0, 0.0]), (0.0, 0.0));
    }

    /// `scipy.stats.false_discovery_control(p) <= 0.05`.
    #[test]
    fn discoveries_are_those_of_scipy() {
        let p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205];
        assert_eq!(benjamini_hochberg(&p, 0.05), [true, true, false, false, false, false, false, false]);
        assert_eq!(benjamini_hochberg(&[0.04, 0.03], 0.05), [true, true]);
        assert!(benjamini_hochberg(&[], 0.05).is_empty());
    }
}
