//! Distances of cumulative shares.

use tidemill_core::Bucket;

use super::bins::{cells, sort};

/// Distances of two cumulative shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cumulative {
    pub kolmogorov_smirnov: f64,
    pub wasserstein: f64,
    /// `∫ sqrt(F (1 − F))` with `F` the cumulative share of both sides together.
    pub spread: f64,
}

/// The Kolmogorov-Smirnov statistic and the Wasserstein distance of two sets of numbers, from their buckets.
///
/// Between the ends of a bucket its numbers are taken to lie evenly, so a cumulative share is off by at most the share of a bucket
/// with a width on each side: a hundredth. `None` where a side has no numbers.
pub(super) fn cumulative(a: &[Bucket], b: &[Bucket]) -> Option<Cumulative> {
    let total = |buckets: &[Bucket]| buckets.iter().map(|bucket| bucket.count).sum::<f64>();
    let totals = (total(a), total(b));
    if totals.0 <= 0.0 || totals.1 <= 0.0 {
        return None;
    }
    let mut edges: Vec<f64> = a.iter().chain(b).flat_map(|bucket| [bucket.low, bucket.high]).collect();
    sort(&mut edges);
    let (left, right) = (cells(&edges, &edges, a), cells(&edges, &edges, b));
    let mut widest = 0.0f64;
    let (mut area, mut spread, mut both) = (0.0, 0.0, 0.0f64);
    // The difference of the cumulative shares: jumps on an edge, runs straight through a gap.
    let mut difference = 0.0f64;
    for (index, edge) in edges.iter().enumerate() {
        let step = |cell: usize| left[cell] / totals.0 - right[cell] / totals.1;
        let before = difference + step(index * 2);
        let after = before + step(index * 2 + 1);
        widest = widest.max(before.abs()).max(after.abs());
        let share = |cell: usize| (left[cell] + right[cell]) / (totals.0 + totals.1);
        let (start, end) = (both + share(index * 2), both + share(index * 2) + share(index * 2 + 1));
        both = end;
        if let Some(next) = edges.get(index + 1) {
            let height = if before.signum() == after.signum() || before == 0.0 || after == 0.0 {
                f64::midpoint(before.abs(), after.abs())
            } else {
                (before * before + after * after) / (2.0 * (before.abs() + after.abs()))
            };
            area += height * next - height * edge;
            let middle = f64::midpoint(start, end);
            let deviation = (middle * (1.0 - middle)).max(0.0).sqrt();
            spread += deviation * next - deviation * edge;
        }
        difference = after;
    }
    let bounded = |area: f64| if area.is_finite() { area.max(0.0) } else { f64::MAX };
    Some(Cumulative { kolmogorov_smirnov: widest.min(1.0), wasserstein: bounded(area), spread: bounded(spread) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<Bucket> {
        values.iter().map(|value| Bucket { low: *value, high: *value, count: 1.0 }).collect()
    }

    #[test]
    fn points_are_what_scipy_gives() {
        // SciPy 1.17: ks_2samp(a, b).statistic, wasserstein_distance(a, b)
        let (a, b) = ([1.0, 2.0, 2.0, 5.0], [2.0, 3.0, 7.0]);
        let Cumulative { kolmogorov_smirnov: ks, wasserstein, .. } = cumulative(&points(&a), &points(&b)).unwrap();
        assert!((ks - 5.0 / 12.0).abs() < 1e-12, "{ks}");
        assert!((wasserstein - 1.5).abs() < 1e-12, "{wasserstein}");
    }

    #[test]
    fn even_buckets_are_integrated_exactly() {
        let bucket = |low, high| vec![Bucket { low, high, count: 3.0 }];
        let pair = |found: Cumulative| (found.kolmogorov_smirnov, found.wasserstein);
        let near = |found: Option<Cumulative>, ks: f64, wasserstein: f64| {
            let found = found.map_or((f64::NAN, f64::NAN), pair);
            assert!((found.0 - ks).abs() < 1e-12 && (found.1 - wasserstein).abs() < 1e-12, "{found:?}");
        };
        near(cumulative(&bucket(0.0, 1.0), &bucket(0.5, 1.5)), 0.5, 0.5);
        near(cumulative(&bucket(0.0, 1.0), &bucket(0.0, 2.0)), 0.5, 0.5);
        // The cumulative shares cross in the middle.
        near(cumulative(&bucket(0.0, 3.0), &bucket(1.0, 2.0)), 1.0 / 3.0, 0.5);
        assert_eq!(cumulative(&bucket(0.0, 1.0), &[]), None);
        let far = cumulative(&bucket(f64::MIN, f64::MIN), &bucket(f64::MAX, f64::MAX));
        assert_eq!(far.map(pair), Some((1.0, f64::MAX)));
    }
}
