//! Numbers in bins that two sides have in common.

use tidemill_core::{Bins, Bucket, CompactHistogram};

use super::shares::Pairs;
use crate::counted::Counted;

/// A bin between the edges of both sides joins the next one while it holds less than this share of them: thin slices
/// would measure where the edges happened to fall.
const BIN_SHARE_MIN: f64 = 0.02;
/// Values that a bin should hold at least on the smaller side, if both are alike (Cochran 1954): a bin of one value would tell
/// any two small samples apart completely.
const BIN_VALUES_MIN: f64 = 5.0;

/// Finite numbers of a feature as buckets whose counts add up to their number.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Numbers {
    pub buckets: Vec<Bucket>,
    /// Edges of the bins that a distance is taken over.
    edges: Vec<f64>,
    /// Values that have a bin to themselves.
    points: Vec<f64>,
    /// NaN and infinities.
    apart: (f64, f64),
    /// Thin bins are joined.
    joined: bool,
    /// Examples with a value.
    size: f64,
}

impl Numbers {
    /// The numbers of a feature, to be held in `bins`; `None` for other types.
    pub fn of(counted: Counted<'_>, bins: Bins) -> Option<Self> {
        let numeric = counted.feature.numeric.as_ref()?;
        let weighted = counted.feature.weighted.as_ref().filter(|_| counted.by_weight);
        let (quantiles, histogram, hundredths, apart) = match weighted {
            Some(weighted) => {
                let numeric = weighted.numeric.as_ref()?;
                (&numeric.quantiles, &numeric.histogram, &numeric.fine, (numeric.num_nan, numeric.num_inf))
            }
            None => {
                let apart = (numeric.num_nan as f64, numeric.num_inf as f64);
                (&numeric.quantiles, &numeric.histogram, &numeric.fine, apart)
            }
        };
        let finite = (counted.values() - apart.0 - apart.1).max(0.0);
        let shown = match bins {
            Bins::Quantile => &quantiles.buckets,
            Bins::EqualWidth => &histogram.buckets,
        };
        let size = counted.feature.common.num_non_missing as f64;
        let shown_total: f64 = shown.iter().map(|bucket| bucket.count).sum();
        // A value that occurs once is a point by accident.
        let repeats = |bucket: &Bucket| bucket.count / shown_total * size > 1.5;
        let mut edges: Vec<f64> = shown.iter().flat_map(|bucket| [bucket.low, bucket.high]).collect();
        sort(&mut edges);
        Some(Self {
            buckets: match bins {
                Bins::Quantile => scaled(fine(hundredths, &quantiles.buckets), finite),
                Bins::EqualWidth => scaled(shown.clone(), finite),
            },
            points: shown
                .iter()
                .filter(|bucket| bucket.low == bucket.high && repeats(bucket))
                .map(|bucket| bucket.low)
                .collect(),
            edges,
            apart,
            joined: bins == Bins::Quantile,
            size,
        })
    }

    /// Counts of both in the bins of both: the edges of either cut the other.
    pub fn pairs(&self, other: &Self) -> Pairs {
        let mut edges = [self.edges.as_slice(), &other.edges].concat();
        let mut points = [self.points.as_slice(), &other.points].concat();
        sort(&mut edges);
        sort(&mut points);
        self.pairs_in(other, &edges, &points)
    }

    /// Counts of both in the bins of this one. What lies outside goes into the outermost bin, or beside it where that is a
    /// single value: fives and sixes have nothing in common.
    pub fn pairs_in_own(&self, other: &Self) -> Pairs {
        let mut points = self.points.clone();
        sort(&mut points);
        let mut edges = self.edges.clone();
        for (outermost, beyond) in [
            (edges.first().copied(), f64::next_down as fn(f64) -> f64),
            (edges.last().copied(), f64::next_up as fn(f64) -> f64),
        ] {
            edges.extend(outermost.filter(|edge| points.contains(edge)).map(beyond).filter(|edge| edge.is_finite()));
        }
        sort(&mut edges);
        self.pairs_in(other, &edges, &points)
    }

    fn pairs_in(&self, other: &Self, edges: &[f64], points: &[f64]) -> Pairs {
        let (left, right) = (cells(edges, points, &self.buckets), cells(edges, points, &other.buckets));
        let mut pairs: Vec<(f64, f64)> = left.into_iter().zip(right).collect();
        if self.joined {
            let is_point = |value: &f64| points.binary_search_by(|point| point.total_cmp(value)).is_ok();
            let least = BIN_SHARE_MIN.max((BIN_VALUES_MIN / self.size.min(other.size).max(1.0)).min(0.4));
            pairs = join_thin(&pairs, least, |edge| edges.get(edge).is_some_and(is_point));
        }
        pairs.push((self.apart.0, other.apart.0));
        pairs.push((self.apart.1, other.apart.1));
        Pairs::from(pairs)
    }
}

/// The cells of [`cells`] with thin gaps joined, from low to high; a point keeps its cell and no bin reaches across it.
fn join_thin(cells: &[(f64, f64)], least: f64, is_point: impl Fn(usize) -> bool) -> Vec<(f64, f64)> {
    let totals = Pairs::from(cells.to_vec()).totals();
    let part = |count: f64, total: f64| if total > 0.0 { count / total } else { 0.0 };
    let thin = |bin: (f64, f64)| f64::midpoint(part(bin.0, totals.0), part(bin.1, totals.1)) < least;
    let sum = |a: (f64, f64), b: (f64, f64)| (a.0 + b.0, a.1 + b.1);
    let (mut out, mut run) = (Vec::with_capacity(cells.len()), Vec::new());
    let mut open = (0.0, 0.0);
    // What is left of a run joins the bin before it.
    let close = |out: &mut Vec<(f64, f64)>, run: &mut Vec<(f64, f64)>, open: &mut (f64, f64)| {
        let rest = std::mem::take(open);
        match run.last_mut() {
            Some(last) => *last = sum(*last, rest),
            None => run.push(rest),
        }
        out.append(run);
    };
    for (edge, cell) in cells.chunks(2).enumerate() {
        let (point, gap) = (cell[0], cell.get(1).copied().unwrap_or_default());
        if is_point(edge) {
            close(&mut out, &mut run, &mut open);
            out.push(point);
            open = gap;
        } else {
            open = sum(open, sum(point, gap));
        }
        if !thin(open) {
            run.push(std::mem::take(&mut open));
        }
    }
    close(&mut out, &mut run, &mut open);
    out
}

/// The finest buckets there are: hundredths, or tenths where a file has no hundredths.
fn fine(hundredths: &CompactHistogram, tenths: &[Bucket]) -> Vec<Bucket> {
    if hundredths.is_empty() { tenths.to_vec() } else { hundredths.buckets().collect() }
}

fn scaled(mut buckets: Vec<Bucket>, total: f64) -> Vec<Bucket> {
    let sum: f64 = buckets.iter().map(|bucket| bucket.count).sum();
    for bucket in &mut buckets {
        bucket.count = if sum > 0.0 { bucket.count / sum * total } else { 0.0 };
    }
    buckets
}

pub(super) fn sort(numbers: &mut Vec<f64>) {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.dedup();
}

/// The mass of `buckets` on edges and between them: edge `i` at `2 i`, the gap above it at `2 i + 1`.
///
/// A bucket's mass is spread evenly; a bucket of no width is a point. A point on an edge counts to the gap above it,
/// unless it is one of `points`. Mass outside the edges goes to the outermost cell.
pub(super) fn cells(edges: &[f64], points: &[f64], buckets: &[Bucket]) -> Vec<f64> {
    let mut mass = vec![0.0; (edges.len() * 2).max(1)];
    let Some(last) = edges.len().checked_sub(1) else {
        mass[0] = buckets.iter().map(|bucket| bucket.count).sum();
        return mass;
    };
    let is_point = |value: f64| points.binary_search_by(|point| point.total_cmp(&value)).is_ok();
    // The gap that holds a value strictly between edges, or one outside them.
    let gap = |above: usize| (above.clamp(1, last.max(1)) - 1) * 2 + 1;
    for Bucket { low, high, count } in buckets {
        let first = edges.partition_point(|edge| edge <= low);
        if low == high {
            let on_edge = first > 0 && edges[first - 1] == *low;
            let cell = if on_edge && is_point(*low) { (first - 1) * 2 } else { gap(first) };
            mass[if last == 0 && !on_edge { 0 } else { cell }] += count;
            continue;
        }
        let beyond = edges.partition_point(|edge| edge < high);
        let mut from = *low;
        for next in first..=beyond {
            let to = if next == beyond { *high } else { edges[next] };
            // Halves, because a difference may be too large for a float.
            let share = (to / 2.0 - from / 2.0) / (high / 2.0 - low / 2.0);
            mass[if last == 0 { 0 } else { gap(next) }] += count * share;
            from = to;
        }
    }
    mass
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(buckets: &[(f64, f64, f64)]) -> Numbers {
        let buckets: Vec<Bucket> =
            buckets.iter().map(|(low, high, count)| Bucket { low: *low, high: *high, count: *count }).collect();
        let mut edges: Vec<f64> = buckets.iter().flat_map(|bucket| [bucket.low, bucket.high]).collect();
        sort(&mut edges);
        let points = buckets.iter().filter(|bucket| bucket.low == bucket.high).map(|bucket| bucket.low).collect();
        Numbers { buckets, edges, points, apart: (0.0, 0.0), joined: false, size: 1e6 }
    }

    #[test]
    fn bins_with_other_edges_but_the_same_mass_do_not_differ() {
        let a = numbers(&[(0.0, 0.0, 10.0), (0.0, 4.0, 40.0)]);
        let b = numbers(&[(0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 4.0, 3.0)]);
        assert!(a.pairs(&b).jensen_shannon() < 1e-12);
        assert_eq!(a.pairs(&numbers(&[(9.0, 10.0, 1.0)])).jensen_shannon(), 1.0);
    }

    #[test]
    fn what_lies_beside_a_constant_is_no_part_of_it() {
        let (fives, sixes) = (numbers(&[(5.0, 5.0, 200.0)]), numbers(&[(6.0, 6.0, 200.0)]));
        // 2 (1 − 0.0001) ln(1 / 0.0001)
        let expected = 2.0 * (1.0 - 1e-4) * 1e4f64.ln();
        assert!((fives.pairs_in_own(&sixes).population_stability_index() - expected).abs() < 1e-9);
        assert!((sixes.pairs_in_own(&fives).population_stability_index() - expected).abs() < 1e-9);
        assert_eq!(fives.pairs_in_own(&fives).population_stability_index(), 0.0);
        // Zeros below amounts: what is negative is no amount.
        let amounts = numbers(&[(0.0, 0.0, 50.0), (0.0, 9.0, 50.0)]);
        let refunds = numbers(&[(-3.0, -3.0, 50.0), (0.0, 0.0, 50.0)]);
        assert!(amounts.pairs_in_own(&refunds).population_stability_index() > 4.0);
    }

    #[test]
    fn thin_bins_join_the_next_and_points_stay() {
        let cells =
            [(0.0, 0.0), (1.0, 0.0), (0.0, 0.0), (49.0, 50.0), (30.0, 20.0), (0.0, 1.0), (0.0, 0.0), (20.0, 29.0)];
        let joined = join_thin(&cells, BIN_SHARE_MIN, |edge| edge == 2);
        assert_eq!(joined, [(50.0, 50.0), (30.0, 20.0), (20.0, 30.0)]);
        assert_eq!(join_thin(&[(3.0, 4.0)], BIN_SHARE_MIN, |_| false), [(3.0, 4.0)]);
    }

    #[test]
    fn mass_is_cut_at_edges_and_kept_outside_them() {
        let edges = [0.0, 1.0, 2.0];
        let bucket = |low, high| Bucket { low, high, count: 4.0 };
        assert_eq!(cells(&edges, &[], &[bucket(0.0, 2.0)]), [0.0, 2.0, 0.0, 2.0, 0.0, 0.0]);
        assert_eq!(cells(&edges, &[], &[bucket(-2.0, 2.0)]), [0.0, 3.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(cells(&edges, &[], &[bucket(5.0, 6.0)]), [0.0, 0.0, 0.0, 4.0, 0.0, 0.0]);
        assert_eq!(cells(&edges, &[], &[bucket(1.0, 1.0)]), [0.0, 0.0, 0.0, 4.0, 0.0, 0.0]);
        assert_eq!(cells(&edges, &[1.0], &[bucket(1.0, 1.0)]), [0.0, 0.0, 4.0, 0.0, 0.0, 0.0]);
        assert_eq!(cells(&edges, &[], &[bucket(2.0, 2.0)]), [0.0, 0.0, 0.0, 4.0, 0.0, 0.0]);
        assert_eq!(cells(&[1.0], &[1.0], &[bucket(1.0, 1.0), bucket(0.0, 2.0)]), [8.0, 0.0]);
    }
}
