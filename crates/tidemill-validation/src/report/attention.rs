//! Which features to look at first.

use tidemill_core::{Anomaly, FeatureStatistics, Severity};

use crate::alerts::{AlertKind, alerts_of};

/// How much a feature deserves a look: 0 for nothing unusual, more for more, above 100 for an ERROR anomaly.
///
/// Adds up, in falling weight: anomalies (100 an ERROR, 30 a WARNING), share of missing values (10), [alerts](crate::alerts())
/// of the feature alone (8 if it is constant, down to 2 for many zeros), pictures that cannot be read and text that is not a
/// time among times (6), share of empty lists (3).
pub fn attention_score(feature: &FeatureStatistics, anomalies: &[&Anomaly]) -> f64 {
    let judged: f64 = anomalies
        .iter()
        .map(|anomaly| match anomaly.severity {
            Severity::Error => 100.0,
            Severity::Warning => 30.0,
        })
        .sum();
    let common = feature.common;
    let present = common.num_non_missing as f64;
    let mut score = judged + 10.0 * common.missing_fraction();
    if present == 0.0 {
        return score;
    }
    score += alerts_of(feature).iter().map(|alert| weight(alert.kind)).sum::<f64>();
    if let Some(valency) = &feature.valency {
        score += 3.0 * valency.num_empty as f64 / present;
    }
    if let Some(images) = feature.bytes.as_ref().and_then(|bytes| bytes.images.as_ref()) {
        score += 6.0 * images.num_unreadable as f64 / images.num_images.max(1) as f64;
    }
    if let Some(time) = &feature.time {
        score += 6.0 * (1.0 - time.share);
    }
    score
}

/// Missing values count by their share instead.
fn weight(kind: AlertKind) -> f64 {
    match kind {
        AlertKind::Empty | AlertKind::MostlyMissing => 0.0,
        AlertKind::Constant => 8.0,
        AlertKind::NotFinite => 6.0,
        AlertKind::Identifier | AlertKind::Correlated => 5.0,
        AlertKind::Imbalanced => 4.0,
        AlertKind::HighCardinality | AlertKind::Skewed => 3.0,
        AlertKind::ManyZeros => 2.0,
    }
}
