//! `DeLong`'s method: the variance of the area under the ROC curve, and of the difference of two areas over the same rows.
//!
//! E. `DeLong`, D. `DeLong` and D. Clarke-Pearson (1988), doi:10.2307/2531595; by ranks as Sun and Xu (2014),
//! doi:10.1109/LSP.2014.2337313, in the time of a sort. The placement of a positive row is the share of the negative ones that
//! score below it, ties as one half, and that of a negative row the share of the positive ones above it.

use super::{Interval, IntervalSource, Measured};
use crate::metrics::{Metric, Rows};
use crate::normal::two_sided_quantile;

/// The placements of all rows: the row's number, whether it is positive, its placement. `None` if a class is absent.
fn placements<R: Rows>(rows: &R) -> Option<Vec<(u32, bool, f64)>> {
    let count = rows.len();
    let positives = (0..count).filter(|position| rows.row(*position).label > 0.5).count();
    let negatives = count - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let mut placements = Vec::with_capacity(count);
    let (mut positives_below, mut negatives_below) = (0, 0);
    let mut start = 0;
    while start < count {
        let score = rows.row(start).score;
        let mut end = start;
        let mut tied_positives = 0;
        while end < count && rows.row(end).score == score {
            tied_positives += usize::from(rows.row(end).label > 0.5);
            end += 1;
        }
        let tied_negatives = end - start - tied_positives;
        let of_positive = (negatives_below as f64 + tied_negatives as f64 / 2.0) / negatives as f64;
        let above = positives - positives_below - tied_positives;
        let of_negative = (above as f64 + tied_positives as f64 / 2.0) / positives as f64;
        placements.extend((start..end).map(|position| {
            let is_positive = rows.row(position).label > 0.5;
            (rows.id(position), is_positive, if is_positive { of_positive } else { of_negative })
        }));
        positives_below += tied_positives;
        negatives_below += tied_negatives;
        start = end;
    }
    Some(placements)
}

/// The mean of some numbers and the variance of that mean; no variance of a single one.
fn mean_and_variance(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean) * (value - mean)).sum();
    (mean, if count > 1.0 { squares / (count - 1.0) / count } else { 0.0 })
}

/// The area (the mean placement) and its variance.
fn area_and_variance(placements: impl Iterator<Item = (bool, f64)> + Clone) -> (f64, f64) {
    let of = |positive: bool| placements.clone().filter(move |placed| placed.0 == positive).map(|placed| placed.1);
    let (area, of_positives) = mean_and_variance(of(true));
    let (_, of_negatives) = mean_and_variance(of(false));
    (area, of_positives + of_negatives)
}

/// The interval of the AUC.
pub(super) fn interval<R: Rows>(measured: &Measured<'_, R>, level: f64) -> Option<Interval> {
    let auc = measured.metrics.get(Metric::Auc)?;
    let placements = placements(measured.rows)?;
    let (_, variance) = area_and_variance(placements.iter().map(|(_, positive, placement)| (*positive, *placement)));
    let reach = two_sided_quantile(level) * variance.sqrt();
    Some(Interval { low: (auc - reach).max(0.0), high: (auc + reach).min(1.0), source: IntervalSource::Delong })
}

/// The interval of the difference of two AUCs over the same rows, candidate minus baseline.
pub(super) fn change_interval<R: Rows>(
    candidate: &Measured<'_, R>,
    baseline: &Measured<'_, R>,
    level: f64,
) -> Option<Interval> {
    let change = candidate.metrics.get(Metric::Auc)? - baseline.metrics.get(Metric::Auc)?;
    let [own, other] = [candidate, baseline].map(|measured| {
        placements(measured.rows).map(|mut placements| {
            placements.sort_unstable_by_key(|(id, ..)| *id);
            placements
        })
    });
    let (own, other) = (own?, other?);
    let differences = own.iter().zip(&other).map(|(own, other)| (own.1, own.2 - other.2));
    let (_, variance) = area_and_variance(differences);
    let reach = two_sided_quantile(level) * variance.sqrt();
    let source = IntervalSource::Delong;
    Some(Interval { low: (change - reach).max(-1.0), high: (change + reach).min(1.0), source })
}
