//! Thresholds for an inferred schema.

use std::f64::consts::LN_2;

use tidemill_core::{Comparators, FeatureStatistics, FeatureType, NumericStatistics};

use crate::schema::is_of_time;

/// No Jensen-Shannon threshold is lower: the world moves a little every day.
const DIVERGENCE_MIN: f64 = 0.01;
/// No threshold of a difference of shares is lower.
const SHARE_MIN: f64 = 0.03;
/// Where chance alone makes distances this large, there is no threshold.
const NOISE_MAX: f64 = 0.25;
/// By how many standard deviations a threshold is above chance.
const DEVIATIONS: f64 = 5.0;
/// Seconds from 2000 to 2100, the range in which whole numbers look like moments.
const EPOCH_SECS: (f64, f64) = (946_684_800.0, 4_102_444_800.0);

/// Drift comparators for a feature as `seen` in one or more datasets, or none where a distance would say nothing.
///
/// A threshold is what chance makes of a file half the size, and five standard deviations more, but no less than 0.01 bits of divergence
/// or 3 points of share.
///
/// * Numbers: `jensen_shannon`. With `n` values here, `n / 2` there and `k` bins the divergence of the same
///   distribution is about `χ²(k − 1) · 3 / (8 n ln 2)` bits (a second-order expansion), of mean `k − 1` and variance `2 (k − 1)`.
/// * Text and booleans: `l_infinity`. The difference of a share `p` has variance `p (1 − p) · 3 / n`, taken at the
///   share nearest to a half.
/// * None for text of dates and spans of time, for moments and identifiers (whole numbers between the years 2000 and 2100 in seconds, milli-, micro- or nanoseconds;
///   values that hardly repeat), which differ in all data, nor where the values are so few that chance reaches 0.25.
pub fn default_comparators(seen: &[&FeatureStatistics], feature_type: FeatureType) -> Option<Comparators> {
    let values = seen.iter().map(|feature| feature.common.num_non_missing).min()? as f64;
    if values < 1.0 {
        return None;
    }
    let noise = 3.0 / values;
    let comparators = match feature_type {
        FeatureType::Int | FeatureType::Float => {
            let numbers: Vec<&NumericStatistics> = seen.iter().filter_map(|feature| feature.numeric.as_ref()).collect();
            let whole = feature_type == FeatureType::Int;
            if numbers.len() < seen.len() || (whole && numbers.iter().all(|n| is_moment_or_name(n, values))) {
                return None;
            }
            // Bins of both sides cut each other.
            let bins = numbers.iter().map(|n| n.quantiles.buckets.len() * 2).max().unwrap_or(2).max(2) as f64;
            let bits = (bins - 1.0 + DEVIATIONS * (2.0 * (bins - 1.0)).sqrt()) * noise / (8.0 * LN_2);
            Comparators { jensen_shannon: Some(threshold(bits, DIVERGENCE_MIN)?), ..Comparators::default() }
        }
        FeatureType::String | FeatureType::Bool => {
            if seen.iter().any(|feature| is_of_time(feature)) {
                return None;
            }
            let share =
                seen.iter().filter_map(|feature| middle_share(feature)).fold(None, |best: Option<f64>, p| {
                    Some(best.map_or(p, |best| if (p - 0.5).abs() < (best - 0.5).abs() { p } else { best }))
                })?;
            let points = DEVIATIONS * (share * (1.0 - share) * noise).sqrt();
            Comparators { l_infinity: Some(threshold(points, SHARE_MIN)?), ..Comparators::default() }
        }
        FeatureType::Bytes => return None,
    };
    Some(comparators)
}

/// A threshold above `noise`, rounded up to three decimals.
fn threshold(noise: f64, least: f64) -> Option<f64> {
    (noise <= NOISE_MAX).then(|| (noise.max(least) * 1000.0).ceil() / 1000.0)
}

/// Whether whole numbers look like moments or identifiers.
fn is_moment_or_name(numbers: &NumericStatistics, values: f64) -> bool {
    let moment = [1.0, 1e3, 1e6, 1e9]
        .iter()
        .any(|unit| numbers.min >= EPOCH_SECS.0 * unit && numbers.max <= EPOCH_SECS.1 * unit);
    moment || numbers.distinct.is_some_and(|distinct| distinct as f64 > values / 2.0)
}

/// The share nearest to a half of any value of text or booleans; `None` where values hardly repeat.
fn middle_share(feature: &FeatureStatistics) -> Option<f64> {
    let total = feature.common.tot_num_values as f64;
    let shares: Vec<f64> = if let Some(boolean) = feature.boolean {
        vec![boolean.num_true as f64 / total]
    } else {
        let text = feature.string.as_ref()?;
        if text.unique as f64 > total / 2.0 {
            return None;
        }
        text.top_values.iter().map(|top| top.frequency as f64 / total).collect()
    };
    shares.into_iter().min_by(|a, b| (a - 0.5).abs().total_cmp(&(b - 0.5).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_rounded_up_and_end_where_chance_is_too_large() {
        assert_eq!(threshold(0.012_31, 0.01), Some(0.013));
        assert_eq!(threshold(0.001, 0.01), Some(0.01));
        assert_eq!(threshold(0.3, 0.01), None);
    }

    #[test]
    fn moments_and_names_are_told_from_amounts() {
        let numbers = |min: f64, max: f64, distinct: Option<u64>| NumericStatistics {
            min,
            max,
            distinct,
            ..NumericStatistics::default()
        };
        assert!(is_moment_or_name(&numbers(1.36e9, 1.48e9, None), 1e6));
        assert!(is_moment_or_name(&numbers(1.36e12, 1.48e12, None), 1e6));
        assert!(is_moment_or_name(&numbers(1.0, 1000.0, Some(1000)), 1000.0));
        assert!(!is_moment_or_name(&numbers(0.0, 86_000.0, None), 1e6));
        assert!(!is_moment_or_name(&numbers(0.0, 23.0, Some(24)), 1000.0));
    }
}
