//! Wilson's score interval of a share of rows (E. B. Wilson 1927, doi:10.1080/01621459.1927.10502953).

use tidemill_core::TaskKind;

use super::{Interval, IntervalSource, Intervals, Measured};
use crate::metrics::{Kind, Metric, Rows, counts_at};
use crate::normal::two_sided_quantile;

/// The interval of a share `part / whole`.
fn interval(part: f64, whole: f64, level: f64) -> Option<Interval> {
    if whole <= 0.0 {
        return None;
    }
    let z = two_sided_quantile(level);
    let (share, square) = (part / whole, z * z / whole);
    let middle = (share + square / 2.0) / (1.0 + square);
    let reach = (share * (1.0 - share) * square + square * square / 4.0).sqrt() / (1.0 + square);
    Some(Interval { low: (middle - reach).max(0.0), high: (middle + reach).min(1.0), source: IntervalSource::Wilson })
}

/// The intervals of the metrics that are shares of rows, each of which counts once.
pub(super) fn intervals<R: Rows>(task: TaskKind, measured: &Measured<'_, R>, level: f64) -> Intervals {
    if task != TaskKind::Binary {
        // A share of all rows.
        let shares = match task {
            TaskKind::MultiClass => [Metric::Accuracy].as_slice(),
            TaskKind::MultiLabel => &[Metric::SubsetAccuracy],
            TaskKind::Regression => &[Metric::Coverage],
            TaskKind::Ranking | TaskKind::Binary => &[],
        };
        let rows = measured.rows.len() as f64;
        let of = |metric: &Metric| Some((*metric, interval(measured.metrics.get(*metric)? * rows, rows, level)?));
        return shares.iter().filter_map(of).collect();
    }
    // Each share with the threshold that it is of.
    let at = |metric: Metric| match metric {
        Metric::Written(written) => match written.kind() {
            Kind::At { base, at } => Some((metric, *base, *at)),
            _ => None,
        },
        plain => Some((plain, plain, measured.plan.decision_threshold)),
    };
    let mut shares: Vec<(Metric, Metric, f64)> = measured.metrics.iter().filter_map(|(metric, _)| at(metric)).collect();
    shares.sort_by(|a, b| a.2.total_cmp(&b.2));
    let mut thresholds: Vec<f64> = shares.iter().map(|share| share.2).collect();
    thresholds.dedup();
    let counts = counts_at(measured.rows, &thresholds);
    let of = |(metric, base, at): &(Metric, Metric, f64)| {
        let counts = counts[thresholds.partition_point(|threshold| threshold < at)];
        let (part, whole) = counts.share(*base)?;
        Some((*metric, interval(part, whole, level)?))
    };
    shares.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from statsmodels 0.15: `proportion_confint(part, whole, alpha=1 - level, method="wilson")`.
    #[test]
    fn intervals_agree_with_statsmodels() {
        for (part, whole, level, low, high) in WILSON {
            let found = interval(part, whole, level).unwrap();
            assert!((found.low - low).abs() < 1e-12 && (found.high - high).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(interval(0.0, 0.0, 0.95), None);
    }

    #[allow(clippy::unreadable_literal, reason = "as recorded")]
    const WILSON: [(f64, f64, f64, f64, f64); 4] = [
        (7.0, 20.0, 0.95, 0.18119182410108206, 0.5671457233147638),
        (0.0, 50.0, 0.95, 6.938893903907228e-18, 0.07134759913335872),
        (981.0, 1000.0, 0.9, 0.9724926385454347, 0.9869116514579157),
        (3.0, 3.0, 0.99, 0.3113681572547469, 1.0),
    ];
}
