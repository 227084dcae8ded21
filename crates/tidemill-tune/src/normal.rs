//! The normal distribution, cut to an interval.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The logarithm of the square root of 2π.
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;

/// The share of a standard normal distribution below `x`.
pub(crate) fn cumulative(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// The share of a standard normal distribution between `a` and `b`, exact in both tails.
pub(crate) fn mass(a: f64, b: f64) -> f64 {
    if a > 0.0 { cumulative(-a) - cumulative(-b) } else { cumulative(b) - cumulative(a) }
}

/// The value below which the share `p` of a standard normal distribution lies.
///
/// Acklam's rational approximation, refined by a step of Halley's method to the precision of the error function.
pub(crate) fn quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    let x = approximate_quantile(p);
    let error = cumulative(x) - p;
    let u = error * (2.0 * PI).sqrt() * (x * x / 2.0).exp();
    if u.is_finite() { x - u / (1.0 + x * u / 2.0) } else { x }
}

fn approximate_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416, 1.0];
    const TAIL: f64 = 0.024_25;
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        polynomial(&C, q) / polynomial(&D, q)
    };
    if p < TAIL {
        tail(p)
    } else if p > 1.0 - TAIL {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        q * polynomial(&A, r) / polynomial(&B, r)
    }
}

/// The value of a normal distribution around `mean` with deviation `sigma`, cut to `low..=high`, below which the share `u`
/// of what is left lies.
pub(crate) fn truncated_quantile(u: f64, mean: f64, sigma: f64, low: f64, high: f64) -> f64 {
    let (a, b) = ((low - mean) / sigma, (high - mean) / sigma);
    // The upper tail is turned around, where shares near 1 would lose their digits.
    let x = if a > 0.0 {
        let (from, to) = (cumulative(-b), cumulative(-a));
        -quantile(to - u * (to - from))
    } else {
        let (from, to) = (cumulative(a), cumulative(b));
        quantile(from + u * (to - from))
    };
    (mean + x * sigma).clamp(low, high)
}

/// The logarithm of the density of a standard normal distribution at `x`.
pub(crate) fn log_density(x: f64) -> f64 {
    -0.5 * x * x - LN_SQRT_2_PI
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // SciPy 1.17: norm.ppf.
        for (p, x) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.001, -3.090_232_306_167_813),
            (1e-12, -7.034_483_825_301_131),
        ] {
            assert!((quantile(p) - x).abs() < 1e-9, "{p}: {}", quantile(p));
        }
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn cut_distributions_stay_within_their_bounds_far_from_their_mean() {
        for (mean, low, high) in [(0.0, -1.0, 2.0), (-50.0, 0.0, 1.0), (50.0, 0.0, 1.0), (0.5, 0.0, 1.0)] {
            let mut before = low;
            for u in [0.0, 0.1, 0.5, 0.9, 1.0 - 1e-12] {
                let x = truncated_quantile(u, mean, 1.0, low, high);
                assert!(x >= before && x <= high, "{mean} {u}: {x}");
                before = x;
            }
        }
        assert!((mass(8.0, 9.0) - 6.219_831_985_863_28e-16).abs() < 1e-25);
    }
}
