//! Histograms out of counted or sketched numbers.

use tidemill_core::{Bucket, Histogram};

use super::grid::Grid;
use super::moments::Moments;

/// Buckets of either histogram that is shown.
pub(crate) const BUCKETS: usize = 10;
/// Buckets that distances are computed from.
pub(crate) const FINE_BUCKETS: usize = 100;

/// Sorted values with counts as values with weights. Exact below 2^53.
pub(crate) fn weights(pairs: Vec<(f64, u64)>) -> Vec<(f64, f64)> {
    pairs.into_iter().map(|(value, count)| (value, count as f64)).collect()
}

/// Equal-width buckets from sorted values with weights, none of them beyond `min` and `max`; edges are
/// `min + i · (max − min) / 10`.
pub(crate) fn equal_width(pairs: &[(f64, f64)], min: f64, max: f64) -> Histogram {
    if pairs.is_empty() {
        return Histogram::default();
    }
    let edges = even_edges(min, max);
    fill(&edges, |edge| {
        let upto = pairs.partition_point(|pair| pair.0 < edge);
        pairs[..upto].iter().map(|pair| pair.1).sum()
    })
}

/// Equal-width buckets from a grid: exact counts between edges moved to the nearest line of the grid.
pub(crate) fn equal_width_grid(grid: &Grid, moments: &Moments) -> Histogram {
    let mut edges = even_edges(moments.min, moments.max);
    let inner = edges.len() - 1;
    for edge in edges.iter_mut().take(inner).skip(1) {
        *edge = grid.snap(*edge);
    }
    edges.dedup();
    let total = grid.total();
    fill(&edges, |edge| if edge > moments.max { total as f64 } else { grid.count_below(edge) as f64 })
}

/// Ten equal steps from `min` to `max`, fewer where floats are too coarse for ten.
fn even_edges(min: f64, max: f64) -> Vec<f64> {
    let step = max / BUCKETS as f64 - min / BUCKETS as f64;
    let mut edges: Vec<f64> = (0..BUCKETS).map(|i| min + step * i as f64).collect();
    edges.push(max);
    edges.dedup_by(|next, edge| *next <= *edge);
    match edges.last_mut() {
        Some(last) if *last < max => *last = max,
        _ => {}
    }
    edges
}

/// Buckets between `edges`, the last one closed; a single edge gives one bucket of no width.
fn fill(edges: &[f64], count_below: impl Fn(f64) -> f64) -> Histogram {
    let total = count_below(f64::INFINITY);
    if let [only] = edges {
        return Histogram { buckets: vec![Bucket { low: *only, high: *only, count: total }] };
    }
    let mut below = 0.0;
    let buckets = edges
        .windows(2)
        .enumerate()
        .map(|(i, edge)| {
            let upto = if i + 2 == edges.len() { total } else { count_below(edge[1]) };
            let count = upto - below;
            below = upto;
            Bucket { low: edge[0], high: edge[1], count }
        })
        .collect();
    Histogram { buckets }
}

/// About `wanted` buckets of equal share from sorted values with weights.
///
/// Every inner edge is a quantile, a value of the data, and counts to the bucket above it. A value that fills a bucket gets one of no width to itself, so
/// that a pile of zeros is not smeared over its neighbours; the rest is divided into equal shares.
pub(crate) fn equal_share(pairs: &[(f64, f64)], min: f64, max: f64, wanted: usize) -> Histogram {
    let total: f64 = pairs.iter().map(|pair| pair.1).sum();
    let heavy = |weight: f64| weight * wanted as f64 >= total;
    let light: f64 = pairs.iter().map(|pair| pair.1).filter(|weight| !heavy(*weight)).sum();
    let shares = if total > 0.0 { (wanted as f64 * light / total).round().max(1.0) } else { 1.0 };
    let mut buckets = Vec::with_capacity(wanted + 2);
    let (mut low, mut inside) = (min, 0.0);
    let (mut light_below, mut share) = (0.0, 1.0);
    for (value, weight) in pairs {
        if heavy(*weight) {
            if inside > 0.0 || low < *value {
                buckets.push(Bucket { low, high: *value, count: inside });
            }
            buckets.push(Bucket { low: *value, high: *value, count: *weight });
            (low, inside) = (*value, 0.0);
            continue;
        }
        // The edge is the quantile: the first value up to which the share is full.
        let reached = |share: f64| share < shares && (light_below + weight) * shares >= share * light;
        if reached(share) {
            if inside > 0.0 {
                buckets.push(Bucket { low, high: *value, count: inside });
                (low, inside) = (*value, 0.0);
            }
            while reached(share) {
                share += 1.0;
            }
        }
        inside += weight;
        light_below += weight;
    }
    if inside > 0.0 || low < max {
        buckets.push(Bucket { low, high: max, count: inside });
    }
    Histogram { buckets }
}

/// The median of sorted values with weights: the middle value, or the mean of the two middle ones where the weight
/// divides evenly between them.
pub(crate) fn median(pairs: &[(f64, f64)]) -> f64 {
    let half = pairs.iter().map(|pair| pair.1).sum::<f64>() / 2.0;
    let (mut below, mut lower) = (0.0, None::<f64>);
    for (value, weight) in pairs.iter().filter(|pair| pair.1 > 0.0) {
        if let Some(lower) = lower {
            return if lower == *value { lower } else { lower / 2.0 + value / 2.0 };
        }
        below += weight;
        if below > half {
            return *value;
        }
        if below == half {
            lower = Some(*value);
        }
    }
    lower.or(pairs.last().map(|pair| pair.0)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(histogram: &Histogram) -> Vec<f64> {
        histogram.buckets.iter().map(|bucket| bucket.count).collect()
    }

    #[test]
    fn equal_width_is_what_numpy_gives() {
        // numpy.histogram([0, 1, 2, 2, 5, 7, 7, 7, 9, 10], bins=10)[0] -> [1 1 2 0 0 1 0 3 0 2]
        let pairs = [(0.0, 1.0), (1.0, 1.0), (2.0, 2.0), (5.0, 1.0), (7.0, 3.0), (9.0, 1.0), (10.0, 1.0)];
        assert_eq!(counts(&equal_width(&pairs, 0.0, 10.0)), [1.0, 1.0, 2.0, 0.0, 0.0, 1.0, 0.0, 3.0, 0.0, 2.0]);
    }

    #[test]
    fn a_pile_of_zeros_keeps_to_itself() {
        let mut pairs = vec![(0.0, 600.0)];
        pairs.extend((1..=400).map(|i| (f64::from(i), 1.0)));
        let histogram = equal_share(&pairs, 0.0, 400.0, BUCKETS);
        assert_eq!((histogram.buckets[0].low, histogram.buckets[0].high), (0.0, 0.0));
        assert_eq!(counts(&histogram), [600.0, 99.0, 100.0, 100.0, 101.0]);
    }

    #[test]
    fn a_constant_is_one_bucket_of_no_width() {
        let pairs = [(3.0, 7.0)];
        for histogram in [equal_width(&pairs, 3.0, 3.0), equal_share(&pairs, 3.0, 3.0, BUCKETS)] {
            assert_eq!(histogram.buckets, [Bucket { low: 3.0, high: 3.0, count: 7.0 }]);
        }
    }

    proptest! {
        #[test]
        fn buckets_follow_on_each_other_and_hold_everything(
            values in prop::collection::btree_map(-100i32..100, 1u64..50, 1..80)
        ) {
            let pairs: Vec<(f64, f64)> = values.iter().map(|(v, c)| (f64::from(*v), *c as f64)).collect();
            let total: u64 = values.values().sum();
            let (min, max) = (pairs[0].0, pairs[pairs.len() - 1].0);
            for histogram in [
                equal_width(&pairs, min, max),
                equal_share(&pairs, min, max, BUCKETS),
                equal_share(&pairs, min, max, FINE_BUCKETS),
            ] {
                prop_assert_eq!(counts(&histogram).iter().sum::<f64>(), total as f64);
                prop_assert_eq!(histogram.buckets[0].low, min);
                prop_assert_eq!(histogram.buckets[histogram.buckets.len() - 1].high, max);
                for pair in histogram.buckets.windows(2) {
                    prop_assert_eq!(pair[0].high, pair[1].low);
                    prop_assert!(pair[0].low <= pair[0].high);
                }
                // A point bucket holds exactly its value; the others what lies between, without such a value.
                let points: Vec<f64> = histogram.buckets.iter().filter(|b| b.low == b.high).map(|b| b.low).collect();
                for (i, bucket) in histogram.buckets.iter().enumerate() {
                    let last = i + 1 == histogram.buckets.len();
                    let expected: f64 = pairs.iter().filter(|(v, _)| if bucket.low == bucket.high {
                        *v == bucket.low
                    } else {
                        !points.contains(v) && *v >= bucket.low && (*v < bucket.high || (last && *v == bucket.high))
                    }).map(|pair| pair.1).sum();
                    prop_assert_eq!(bucket.count, expected, "{:?}", bucket);
                }
            }
        }
    }
}
