//! How far the distributions of two datasets lie apart.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tidemill_core::{Bucket, DatasetStatistics, FeatureStatistics, Histogram};

/// How far one feature lies apart in two datasets. Distances are computed from shares of the values present.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureDistance {
    /// The feature.
    pub feature: String,
    /// Jensen-Shannon divergence in bits, from 0 to 1: of values for text and booleans, of quantile bins for numbers.
    pub jensen_shannon: f64,
    /// Largest difference of the shares of any one value. Text and booleans only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l_infinity: Option<f64>,
    /// Share of missing values in the second dataset less that in the first.
    pub missing_difference: f64,
}

/// The distances of every feature that both datasets have with the same kind of values, in the order of `a`.
///
/// Numbers are compared on the quantile bins of both: the edges of either cut the other, a bin's mass is spread
/// evenly, and a bin of no width (a value that fills a tenth by itself) stays a point. Equal-width bins would be
/// blind as soon as one outlier stretches them. Text beyond the exactly counted values is compared on the values
/// listed and everything else together.
pub fn distances(a: &DatasetStatistics, b: &DatasetStatistics) -> Vec<FeatureDistance> {
    let others: HashMap<&str, _> = b.features.iter().map(|feature| (feature.name.as_str(), feature)).collect();
    a.features.iter().filter_map(|left| feature_distance(left, others.get(left.name.as_str())?)).collect()
}

fn feature_distance(a: &FeatureStatistics, b: &FeatureStatistics) -> Option<FeatureDistance> {
    let (jensen_shannon, l_infinity) = if let (Some(left), Some(right)) = (&a.numeric, &b.numeric) {
        let apart = [(left.num_nan, right.num_nan), (left.num_inf, right.num_inf)];
        (numeric_divergence(&left.quantiles, &right.quantiles, &apart), None)
    } else {
        let pairs = aligned(&value_counts(a)?, &value_counts(b)?);
        let pairs = shares(&pairs);
        let widest = pairs.iter().map(|(p, q)| (p - q).abs()).fold(0.0, f64::max);
        (divergence(&pairs), Some(widest))
    };
    Some(FeatureDistance {
        feature: a.name.clone(),
        jensen_shannon,
        l_infinity,
        missing_difference: b.common.missing_fraction() - a.common.missing_fraction(),
    })
}

/// Counts by value; everything that was not counted by itself goes under `None`.
fn value_counts(feature: &FeatureStatistics) -> Option<BTreeMap<Option<String>, f64>> {
    let mut counts = BTreeMap::new();
    if let Some(boolean) = feature.boolean {
        counts.insert(Some("true".to_owned()), boolean.num_true as f64);
        counts.insert(Some("false".to_owned()), boolean.num_false as f64);
        return Some(counts);
    }
    let text = feature.string.as_ref()?;
    match &text.values {
        Some(values) => counts.extend(values.iter().map(|(value, count)| (Some(value.to_owned()), count as f64))),
        None => {
            let top = text.top_values.iter();
            counts.extend(top.map(|value| (Some(value.value.clone()), value.frequency as f64)));
            let listed: f64 = counts.values().sum();
            counts.insert(None, (feature.common.tot_num_values as f64 - listed).max(0.0));
        }
    }
    Some(counts)
}

fn aligned(a: &BTreeMap<Option<String>, f64>, b: &BTreeMap<Option<String>, f64>) -> Vec<(f64, f64)> {
    let mut pairs: BTreeMap<&Option<String>, (f64, f64)> = BTreeMap::new();
    for (value, count) in a {
        pairs.entry(value).or_default().0 = *count;
    }
    for (value, count) in b {
        pairs.entry(value).or_default().1 = *count;
    }
    pairs.into_values().collect()
}

/// Counts as shares of the sum on each side.
fn shares(pairs: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let total = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    let share = |count: f64, total: f64| if total > 0.0 { count / total } else { 0.0 };
    pairs.iter().map(|(p, q)| (share(*p, total.0), share(*q, total.1))).collect()
}

/// Jensen-Shannon divergence in bits of aligned shares. An empty side against a full one is 1.
fn divergence(shares: &[(f64, f64)]) -> f64 {
    let sums = shares.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    if sums.0 == 0.0 || sums.1 == 0.0 {
        return if sums.0 == sums.1 { 0.0 } else { 1.0 };
    }
    let part = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
    let sum: f64 = shares
        .iter()
        .map(|(p, q)| {
            let m = f64::midpoint(*p, *q);
            part(*p, m) + part(*q, m)
        })
        .sum();
    (sum / 2.0).clamp(0.0, 1.0)
}

fn numeric_divergence(a: &Histogram, b: &Histogram, apart: &[(u64, u64)]) -> f64 {
    let mut edges: Vec<f64> = a.buckets.iter().chain(&b.buckets).flat_map(|bucket| [bucket.low, bucket.high]).collect();
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    let (left, right) = (Cut::new(&edges, a), Cut::new(&edges, b));
    let mut pairs: Vec<(f64, f64)> = left.0.into_iter().zip(right.0).collect();
    pairs.extend(apart.iter().map(|(p, q)| (*p as f64, *q as f64)));
    divergence(&shares(&pairs))
}

/// A histogram's mass on the points and gaps between common edges: point `i` at `2 i`, the gap above it at `2 i + 1`.
struct Cut(Vec<f64>);

impl Cut {
    fn new(edges: &[f64], histogram: &Histogram) -> Self {
        let mut mass = vec![0.0; (edges.len() * 2).max(1)];
        for Bucket { low, high, count } in &histogram.buckets {
            let first = edges.partition_point(|edge| edge < low);
            if low == high {
                mass[first * 2] += count;
                continue;
            }
            let last = edges.partition_point(|edge| edge < high);
            for gap in first..last {
                mass[gap * 2 + 1] += count * ((edges[gap + 1] - edges[gap]) / (high - low));
            }
        }
        Self(mass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(f64, f64, f64)]) -> Histogram {
        Histogram {
            buckets: buckets
                .iter()
                .map(|(low, high, count)| Bucket { low: *low, high: *high, count: *count })
                .collect(),
        }
    }

    #[test]
    fn divergence_is_what_scipy_gives() {
        // SciPy 1.17: jensenshannon([.1, .4, .5], [.3, .3, .4], base=2) ** 2
        let scipy = 0.046_930_300_568_985_47;
        assert!((divergence(&[(0.1, 0.3), (0.4, 0.3), (0.5, 0.4)]) - scipy).abs() < 1e-14);
        assert_eq!(divergence(&[(1.0, 0.0), (0.0, 1.0)]), 1.0);
        assert_eq!(divergence(&[(0.5, 0.5), (0.5, 0.5)]), 0.0);
    }

    #[test]
    fn bins_with_other_edges_but_the_same_mass_do_not_differ() {
        let a = histogram(&[(0.0, 0.0, 10.0), (0.0, 4.0, 40.0)]);
        let b = histogram(&[(0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 4.0, 3.0)]);
        assert!(numeric_divergence(&a, &b, &[]) < 1e-12);
        let far = histogram(&[(9.0, 10.0, 1.0)]);
        assert_eq!(numeric_divergence(&a, &far, &[]), 1.0);
    }
}
