//! Errors of forecasts.

use serde_json::{Map, Value, json};

/// Errors of the forecasts of a fold, or their means over folds. What is not defined on the rows is absent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Errors(Vec<(&'static str, Option<f64>)>);

impl Errors {
    /// Compares `forecasts` with `labels`. `step`: what the mean absolute error is divided by for MASE.
    pub(super) fn of(forecasts: &[f64], labels: &[f64], step: Option<f64>) -> Self {
        let pairs = || forecasts.iter().zip(labels);
        let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let mae = mean(pairs().map(|(forecast, label)| (forecast - label).abs()).collect());
        let square = mean(pairs().map(|(forecast, label)| (forecast - label) * (forecast - label)).collect());
        let with_label = pairs().filter(|(_, label)| **label != 0.0);
        let mape = mean(with_label.map(|(forecast, label)| ((forecast - label) / label).abs()).collect());
        let symmetric = |(forecast, label): (&f64, &f64)| {
            let size = forecast.abs() + label.abs();
            if size > 0.0 { 2.0 * (forecast - label).abs() / size } else { 0.0 }
        };
        Self(vec![
            ("mae", mae),
            ("rmse", square.map(f64::sqrt)),
            ("mape", mape),
            ("smape", mean(pairs().map(symmetric).collect())),
            ("mase", mae.zip(step).map(|(mae, step)| mae / step)),
        ])
    }

    /// The means over folds, of each error over the folds that have it.
    pub(super) fn mean(folds: &[&Self]) -> Self {
        let Some(first) = folds.first() else { return Self(Vec::new()) };
        let mean = |at: usize| {
            let found: Vec<f64> = folds.iter().filter_map(|fold| fold.0[at].1).collect();
            (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
        };
        Self(first.0.iter().enumerate().map(|(at, (name, _))| (*name, mean(at))).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| *known == name).and_then(|(_, value)| *value)
    }

    pub(super) fn facts(&self) -> Value {
        self.0.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>().into()
    }
}
