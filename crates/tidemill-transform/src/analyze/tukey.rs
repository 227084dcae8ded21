//! Parameters of Tukey's hh-distribution by L-moments.

use std::f64::consts::PI;

/// Heavier tails have no fourth L-moment that can be told from noise.
const H_MAX: f64 = 0.7;
/// Where integrals begin and end, and how fine they are.
const Z_MAX: f64 = 12.0;
const STEPS: usize = 2400;

/// Location, scale and tails such that z = `gaussian`(x) is standard normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tukey {
    pub(crate) location: f64,
    pub(crate) scale: f64,
    pub(crate) h_left: f64,
    pub(crate) h_right: f64,
}

/// The distribution whose first four L-moments are nearest those of `sorted`; `None` without values.
///
/// Tails are at least normal (h = 0) and at most 0.7. Formulas: Hosking 1990 for the moments of a sample, Headrick and
/// Pant 2012 for the distribution, whose L-moments are integrated numerically here.
pub(crate) fn fit_tukey(sorted: &[f64]) -> Option<Tukey> {
    let [l1, l2, t3, t4] = sample_moments(sorted)?;
    if l2 <= 0.0 {
        return Some(Tukey { location: l1, scale: 0.0, h_left: 0.0, h_right: 0.0 });
    }
    let normal = Normal::new();
    let ratios = |[_, l2, l3, l4]: [f64; 4]| (l3 / l2 - t3, l4 / l2 - t4);
    let miss = |left: f64, right: f64| ratios(normal.moments(left, right));
    let size = |(a, b): (f64, f64)| a * a + b * b;
    let (mut left, mut right) = (0.1, 0.1);
    let mut error = miss(left, right);
    // Newton's method with halved steps, inside the bounds; differences stand for derivatives.
    for _ in 0..60 {
        let d = 1e-6;
        let (by_left, by_right) = (miss(left + d, right), miss(left, right + d));
        let [[a, b], [c, e]] = [
            [(by_left.0 - error.0) / d, (by_right.0 - error.0) / d],
            [(by_left.1 - error.1) / d, (by_right.1 - error.1) / d],
        ];
        let determinant = a * e - b * c;
        if determinant.abs() < 1e-12 {
            break;
        }
        let step = ((e * error.0 - b * error.1) / determinant, (a * error.1 - c * error.0) / determinant);
        let mut part = 1.0;
        let next = loop {
            let to = ((left - part * step.0).clamp(0.0, H_MAX), (right - part * step.1).clamp(0.0, H_MAX));
            let found = miss(to.0, to.1);
            if size(found) < size(error) {
                break Some((to, found));
            }
            part /= 2.0;
            if part < 1e-4 {
                break None;
            }
        };
        let Some((to, found)) = next else { break };
        let moved = (to.0 - left).abs().max((to.1 - right).abs());
        ((left, right), error) = (to, found);
        if moved < 1e-10 {
            break;
        }
    }
    let [mean, spread, ..] = normal.moments(left, right);
    let scale = l2 / spread;
    Some(Tukey { location: l1 - scale * mean, scale, h_left: left, h_right: right })
}

/// The first two L-moments and the two ratios of a sample, from unbiased probability-weighted moments (Hosking 1990).
fn sample_moments(sorted: &[f64]) -> Option<[f64; 4]> {
    let n = sorted.len() as f64;
    if sorted.is_empty() {
        return None;
    }
    // Differences from the middle keep the digits of values far from zero.
    let middle = sorted[sorted.len() / 2];
    let mut b = [0.0; 4];
    for (at, value) in sorted.iter().enumerate() {
        let at = at as f64;
        let mut weight = (value - middle) / n;
        for (order, sum) in b.iter_mut().enumerate() {
            *sum += weight;
            let order = order as f64;
            weight *= if n - 1.0 - order > 0.0 { (at - order) / (n - 1.0 - order) } else { 0.0 };
        }
    }
    let l2 = 2.0 * b[1] - b[0];
    let l3 = 6.0 * b[2] - 6.0 * b[1] + b[0];
    let l4 = 20.0 * b[3] - 30.0 * b[2] + 12.0 * b[1] - b[0];
    let ratio = |moment: f64| if l2 > 0.0 { moment / l2 } else { 0.0 };
    Some([b[0] + middle, l2, ratio(l3), ratio(l4)])
}

/// Points of the standard normal distribution with their density times the step, and the share below.
struct Normal(Vec<(f64, f64, f64)>);

impl Normal {
    fn new() -> Self {
        let step = 2.0 * Z_MAX / STEPS as f64;
        let density = |z: f64| (-z * z / 2.0).exp() / (2.0 * PI).sqrt();
        let mut below = 0.0;
        let points = (0..=STEPS).map(|i| {
            let z = i as f64 * step - Z_MAX;
            if i > 0 {
                // Simpson's rule over the last step.
                below += step / 6.0 * (density(z - step) + 4.0 * density(z - step / 2.0) + density(z));
            }
            (z, density(z) * step, below)
        });
        Self(points.collect())
    }

    /// The first four L-moments of z · exp(h · z² / 2): integrals of the quantile function with shifted Legendre
    /// polynomials of the share below.
    fn moments(&self, left: f64, right: f64) -> [f64; 4] {
        let mut moments = [0.0; 4];
        for (z, weight, below) in &self.0 {
            let h = if *z < 0.0 { left } else { right };
            let value = z * (h * z * z / 2.0).exp() * weight;
            let u = *below;
            let polynomials = [1.0, 2.0 * u - 1.0, (6.0 * u - 6.0) * u + 1.0, ((20.0 * u - 30.0) * u + 12.0) * u - 1.0];
            for (moment, polynomial) in moments.iter_mut().zip(polynomials) {
                *moment += value * polynomial;
            }
        }
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_sample_are_those_of_lmoments3() {
        // Python, lmoments3 1.0.8: lmom_ratios([1, 2, 4, 8, 16, 3, 5, -7], 4)
        let sample = [-7.0, 1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 16.0];
        let expected = [4.0, 3.678_571_428_571_428_4, 0.077_669_902_912_621_35, 0.495_145_631_067_961_17];
        for (got, expected) in sample_moments(&sample).unwrap().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-14, "{got} is not {expected}");
        }
    }

    #[test]
    fn moments_of_the_distribution_are_those_published() {
        // Hosking 1990, table 1: the normal distribution has 1/√π, 0 and 0.1226.
        let [l1, l2, l3, l4] = Normal::new().moments(0.0, 0.0);
        assert!(l1.abs() < 1e-12 && l3.abs() < 1e-12);
        assert!((l2 - 1.0 / PI.sqrt()).abs() < 1e-9, "{l2}");
        assert!((l4 / l2 - (30.0 / PI * 2f64.sqrt().atan() - 9.0)).abs() < 1e-8, "{}", l4 / l2);
        // Headrick and Pant 2012: the mean is (1 / (1 − hr) − 1 / (1 − hl)) / √(2π).
        let [l1, ..] = Normal::new().moments(0.1, 0.3);
        assert!((l1 - (1.0 / 0.7 - 1.0 / 0.9) / (2.0 * PI).sqrt()).abs() < 1e-9, "{l1}");
    }

    #[test]
    fn parameters_of_a_sample_are_found_again() {
        let mut state = 1_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        let mut values: Vec<f64> = (0..100_000)
            .map(|_| {
                let z = (-2.0 * uniform().ln()).sqrt() * (2.0 * PI * uniform()).cos();
                5.0 + 2.0 * z * ((if z < 0.0 { 0.05 } else { 0.2 }) * z * z / 2.0).exp()
            })
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        let Tukey { location, scale, h_left, h_right } = fit_tukey(&values).unwrap();
        for (got, expected) in [(location, 5.0), (scale, 2.0), (h_left, 0.05), (h_right, 0.2)] {
            assert!((got - expected).abs() < 0.03, "{got} is not {expected}");
        }
        assert_eq!(fit_tukey(&[3.0; 9]).unwrap().scale, 0.0);
        assert!(fit_tukey(&[]).is_none());
    }
}
