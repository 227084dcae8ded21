//! Values by metric, and which of two values is better.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Metric;

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// The nearer to the number, the better.
    Towards(f64),
    /// Descriptive: neither direction is better.
    Neutral,
}

impl Direction {
    /// How much better `value` is than `other`: positive is better. `None` if no direction is better.
    pub fn gain(self, value: f64, other: f64) -> Option<f64> {
        match self {
            Self::Higher => Some(value - other),
            Self::Lower => Some(other - value),
            Self::Towards(target) => Some((other - target).abs() - (value - target).abs()),
            Self::Neutral => None,
        }
    }
}

/// Values by metric. A metric that is undefined on the rows (one class only, no positives) is present as `None`, which
/// is `null` in JSON; every value is a finite number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metrics(BTreeMap<Metric, Option<f64>>);

impl Metrics {
    /// The value, if the metric was computed and is defined.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.0.get(&metric).copied().flatten()
    }

    /// Sets a value; anything but a finite number becomes undefined.
    pub fn set(&mut self, metric: Metric, value: Option<f64>) {
        self.0.insert(metric, value.filter(|v| v.is_finite()));
    }

    /// Keeps some metrics.
    pub(super) fn retain(&mut self, keep: impl Fn(Metric) -> bool) {
        self.0.retain(|metric, _| keep(*metric));
    }

    /// The same values under other names: what a file defines takes the place of its bare name.
    pub(crate) fn renamed(&self, rename: impl Fn(Metric) -> Metric) -> Self {
        Self(self.0.iter().map(|(metric, value)| (rename(*metric), *value)).collect())
    }

    /// Metrics and values, in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, Option<f64>)> {
        self.0.iter().map(|(metric, value)| (*metric, *value))
    }
}

/// `a / b`, undefined where `b` is 0.
pub(crate) fn ratio(a: f64, b: f64) -> Option<f64> {
    (b != 0.0).then(|| a / b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_is_positive_when_the_value_is_better() {
        assert_eq!(Metric::Auc.direction().gain(0.75, 0.5), Some(0.25));
        assert_eq!(Metric::LogLoss.direction().gain(0.5, 0.75), Some(0.25));
        assert_eq!(Metric::Calibration.direction().gain(1.25, 0.5), Some(0.25));
        assert_eq!(Metric::Bias.direction().gain(-0.5, 0.25), Some(-0.25));
        assert_eq!(Metric::Count.direction().gain(2.0, 1.0), None);
    }

    #[test]
    fn nothing_but_finite_numbers_is_kept() {
        let mut metrics = Metrics::default();
        metrics.set(Metric::Auc, Some(f64::NAN));
        assert_eq!(metrics.get(Metric::Auc), None);
        assert_eq!(serde_json::to_string(&metrics).unwrap(), r#"{"auc":null}"#);
    }
}
