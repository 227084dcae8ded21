//! Which features to look at first.

use tidemill_core::{Anomaly, FeatureStatistics, Severity};

/// How much a feature deserves a look: 0 for nothing unusual, more for more, above 100 for an ERROR anomaly.
///
/// Adds up, in falling weight: anomalies (100 an ERROR, 30 a WARNING), share of missing values (10), values that
/// never vary (8), NaN and infinities (6), pictures that cannot be read and what is no time among times (6), text in which nearly every value is new (4), extremes many deviations
/// out (up to 4), share of zeros and of empty lists (3).
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
    if let Some(numbers) = &feature.numeric {
        score += 3.0 * numbers.num_zeros as f64 / present;
        if numbers.num_nan + numbers.num_inf > 0 {
            score += 6.0;
        }
        if numbers.std_dev > 0.0 {
            let reach = (numbers.max - numbers.mean).max(numbers.mean - numbers.min) / numbers.std_dev;
            score += (reach / 10.0).min(4.0);
        } else if present > 1.0 {
            score += 8.0;
        }
    }
    if let Some(text) = &feature.string {
        if text.unique == 1 && present > 1.0 {
            score += 8.0;
        } else if present > 20.0 && text.unique as f64 > 0.9 * present {
            score += 4.0;
        }
    }
    if let Some(valency) = &feature.valency {
        score += 3.0 * valency.num_empty as f64 / present;
    }
    if let Some(images) = feature.bytes.as_ref().and_then(|bytes| bytes.images.as_ref()) {
        score += 6.0 * images.num_unreadable as f64 / images.num_images.max(1) as f64;
    }
    if let Some(time) = &feature.time {
        score += 6.0 * (1.0 - time.share);
    }
    if let Some(boolean) = feature.boolean
        && (boolean.num_true == 0 || boolean.num_false == 0)
        && present > 1.0
    {
        score += 8.0;
    }
    score
}
