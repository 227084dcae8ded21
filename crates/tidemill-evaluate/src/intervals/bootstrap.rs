//! The Poisson bootstrap.
//!
//! Each replica counts every row a Poisson(1) number of times, which is what drawing n of n rows with
//! replacement tends to (Chamandy et al. 2012), without knowing n. The interval is the metric plus and minus
//! Student's t quantile (replicas - 1 degrees of freedom) times the standard deviation over the replicas, cut
//! at the ends of the metric's range; TFMA does the same. The draws come from a hash of replica and row, so
//! they do not depend on the order of the work, and a candidate and its baseline are resampled alike: the
//! interval of their difference is that of a paired comparison. The rows of a query are counted together.

use std::borrow::Cow;

use rayon::prelude::*;
use tidemill_core::{SplitMix64, TaskKind};

use super::{Interval, IntervalSource, Intervals};
use crate::metrics::{Metric, MetricPlan, Metrics, Row, Rows, metrics_with};
use crate::student::two_sided_quantile;

/// The metrics of every replica of `rows`.
pub(super) fn replicas<R: Rows>(task: TaskKind, rows: &R, plan: &MetricPlan, count: u32) -> Vec<Metrics> {
    (0..count).into_par_iter().map(|replica| metrics_with(task, &Resampled { rows, replica }, plan)).collect()
}

/// Intervals around `metrics`.
pub(super) fn intervals(metrics: &Metrics, replicas: &[Metrics], level: f64) -> Intervals {
    metrics
        .iter()
        .filter(|(metric, _)| *metric != Metric::Count)
        .filter_map(|(metric, value)| {
            let (low, high) = metric.range();
            let around = interval(value?, replicas.iter().map(|replica| replica.get(metric)), level)?;
            Some((metric, Interval { low: around.low.max(low), high: around.high.min(high), ..around }))
        })
        .collect()
}

/// Intervals around the differences between two models that were resampled alike.
pub(super) fn change_intervals(
    [candidate, baseline]: [&Metrics; 2],
    [candidates, baselines]: [&[Metrics]; 2],
    level: f64,
) -> Intervals {
    candidate
        .iter()
        .filter(|(metric, _)| *metric != Metric::Count)
        .filter_map(|(metric, value)| {
            let change = value? - baseline.get(metric)?;
            let changes = candidates.iter().zip(baselines).map(|(a, b)| Some(a.get(metric)? - b.get(metric)?));
            Some((metric, interval(change, changes, level)?))
        })
        .collect()
}

/// `value` ± t · standard deviation. Replicas in which the metric is undefined are ignored.
fn interval(value: f64, replicas: impl Iterator<Item = Option<f64>>, level: f64) -> Option<Interval> {
    let values: Vec<f64> = replicas.flatten().collect();
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    let reach = two_sided_quantile(level, n - 1.0) * variance.sqrt();
    Some(Interval { low: value - reach, high: value + reach, source: IntervalSource::Bootstrap })
}

/// Rows, each counted a random number of times.
struct Resampled<'a, R> {
    rows: &'a R,
    replica: u32,
}

impl<R: Rows> Rows for Resampled<'_, R> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    fn row(&self, position: usize) -> Row {
        let row = self.rows.row(position);
        let times = poisson(draw(self.replica, self.rows.unit(position)));
        Row { weight: row.weight * times, ..row }
    }

    fn id(&self, position: usize) -> u32 {
        self.rows.id(position)
    }

    fn group(&self, position: usize) -> u32 {
        self.rows.group(position)
    }

    fn unit(&self, position: usize) -> u32 {
        self.rows.unit(position)
    }

    fn levels(&self) -> &[f64] {
        self.rows.levels()
    }

    fn class_count(&self) -> usize {
        self.rows.class_count()
    }

    fn predicted(&self, position: usize) -> u32 {
        self.rows.predicted(position)
    }

    fn class_score(&self, position: usize, class: usize) -> f64 {
        self.rows.class_score(position, class)
    }

    fn value(&self, position: usize, column: usize) -> f64 {
        self.rows.value(position, column)
    }

    fn class_order(&self, class: usize) -> Cow<'_, [u32]> {
        self.rows.class_order(class)
    }
}

/// A number in [0, 1) for each pair of replica and row: `SplitMix64` over the pair, mixed twice because the inputs
/// differ in few bits.
pub(crate) fn draw(replica: u32, row: u32) -> f64 {
    let state = (u64::from(replica) << 32) | u64::from(row);
    SplitMix64::to_unit(SplitMix64::hash(SplitMix64::hash(state)))
}

/// The Poisson(1) number at quantile `uniform`, by inversion.
fn poisson(uniform: f64) -> f64 {
    let (mut k, mut chance) = (0.0, (-1.0_f64).exp());
    let mut cumulative = chance;
    while uniform >= cumulative && k < 20.0 {
        k += 1.0;
        chance /= k;
        cumulative += chance;
    }
    k
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Ordered, metrics_of};

    fn rows(n: u32) -> Ordered {
        let scores: Vec<f64> = (0..n).map(|i| draw(1_000, i)).collect();
        let labels: Vec<f64> = (0..n).map(|i| f64::from(u8::from(draw(1_001, i) < scores[i as usize]))).collect();
        Ordered::new(&scores, &labels, None)
    }

    #[test]
    fn draws_are_poisson_with_mean_and_variance_one() {
        let counts: Vec<f64> = (0..100_000).map(|row| poisson(draw(3, row))).collect();
        let mean = counts.iter().sum::<f64>() / 1e5;
        let variance = counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / 1e5;
        // Five standard errors: sqrt(1 / n) for the mean, sqrt(3 / n) for the variance.
        assert!((mean - 1.0).abs() < 0.016, "{mean}");
        assert!((variance - 1.0).abs() < 0.028, "{variance}");
        let together = (0..100_000).map(|row| poisson(draw(3, row)) * poisson(draw(4, row))).sum::<f64>() / 1e5;
        assert!((together - 1.0).abs() < 0.03, "replicas are correlated: {together}");
    }

    #[test]
    fn an_interval_has_the_width_that_theory_gives() {
        let data = rows(4_000);
        let point = metrics_of(TaskKind::Binary, &data, 0.5);
        let found = intervals(&point, &replicas(TaskKind::Binary, &data, &MetricPlan::at(0.5), 400), 0.95);
        // Accuracy is a mean of 0s and 1s: its standard error is sqrt(p (1 - p) / n).
        let p = point.get(Metric::Accuracy).unwrap();
        let expected = 2.0 * 1.966 * (p * (1.0 - p) / 4_000.0).sqrt();
        let width = found[&Metric::Accuracy].high - found[&Metric::Accuracy].low;
        assert!((width / expected - 1.0).abs() < 0.15, "{width} against {expected}");
        // AUC: Hanley and McNeil's standard error, from AUC and the sizes of the classes, to within a quarter.
        let auc = point.get(Metric::Auc).unwrap();
        let positives = point.get(Metric::LabelMean).unwrap() * 4_000.0;
        let negatives = 4_000.0 - positives;
        let (q1, q2) = (auc / (2.0 - auc), 2.0 * auc * auc / (1.0 + auc));
        let variance =
            (auc * (1.0 - auc) + (positives - 1.0) * (q1 - auc * auc) + (negatives - 1.0) * (q2 - auc * auc))
                / (positives * negatives);
        let width = found[&Metric::Auc].high - found[&Metric::Auc].low;
        assert!((width / (2.0 * 1.966 * variance.sqrt()) - 1.0).abs() < 0.25, "{width}");
    }

    #[test]
    fn intervals_shrink_with_the_root_of_the_rows() {
        let width = |n| {
            let data = rows(n);
            let point = metrics_of(TaskKind::Binary, &data, 0.5);
            let found = intervals(&point, &replicas(TaskKind::Binary, &data, &MetricPlan::at(0.5), 200), 0.95);
            found[&Metric::LogLoss].high - found[&Metric::LogLoss].low
        };
        let ratio = width(1_000) / width(16_000);
        assert!((3.2..4.8).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_paired_difference_of_equal_models_has_no_width() {
        let data = rows(500);
        let point = metrics_of(TaskKind::Binary, &data, 0.5);
        let drawn = replicas(TaskKind::Binary, &data, &MetricPlan::at(0.5), 20);
        let change = change_intervals([&point, &point], [&drawn, &drawn], 0.95);
        assert_eq!(change[&Metric::Auc], Interval { low: 0.0, high: 0.0, source: IntervalSource::Bootstrap });
    }
}
