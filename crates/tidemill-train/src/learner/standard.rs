//! Amounts in units of their own.

/// Mean and standard deviation; 1 in place of the latter where nothing varies.
pub(crate) fn centre_and_unit(labels: &[f64]) -> (f64, f64) {
    let rows = labels.len().max(1) as f64;
    let mean: f64 = labels.iter().map(|label| label / rows).sum();
    let deviation = labels.iter().map(|label| (label - mean) * ((label - mean) / rows)).sum::<f64>().sqrt();
    (mean, if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 })
}
