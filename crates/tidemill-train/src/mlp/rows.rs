//! Rows as a network learns from them.

use tidemill_model::{FeatureBlock, NetworkInput};

/// Encoded rows in memory: 4 bytes for each feature.
#[derive(Debug, Clone)]
pub(super) struct EncodedRows {
    pub(super) features: usize,
    /// Row by row: a number standardised and clipped, NaN where it is missing; or a category, −1 where it is missing or unknown.
    pub(super) values: Vec<f32>,
    /// 0 or 1, the number of the class, or the amount in its standard deviations.
    pub(super) targets: Vec<f32>,
    /// What each row counts, 1 in the mean; all count 1 where there are none.
    pub(super) weights: Option<Vec<f32>>,
}

impl EncodedRows {
    /// No features yet; labels are `centre` plus `unit` times the targets.
    pub(super) fn new(features: usize, labels: &[f64], weights: Option<&[f64]>, centre: f64, unit: f64) -> Self {
        let mean = |weights: &[f64]| weights.iter().sum::<f64>() / weights.len().max(1) as f64;
        Self {
            features,
            values: Vec::with_capacity(features * labels.len()),
            targets: labels.iter().map(|label| ((label - centre) / unit) as f32).collect(),
            weights: weights.map(|weights| {
                let mean = mean(weights);
                weights.iter().map(|weight| (weight / mean) as f32).collect()
            }),
        }
    }

    /// Adds the features of rows.
    pub(super) fn push(&mut self, block: &FeatureBlock, inputs: &[NetworkInput]) {
        for row in 0..block.rows {
            for (input, column) in inputs.iter().zip(&block.columns) {
                let value = column[row];
                self.values.push(match input {
                    NetworkInput::Number { .. } if value.is_nan() => f32::NAN,
                    NetworkInput::Number { centre, factor, .. } => NetworkInput::number(*centre, *factor, value) as f32,
                    NetworkInput::OneHot { categories } => code(value, *categories),
                    NetworkInput::Embedding { width, table } => code(value, table.len() as u32 / width - 1),
                });
            }
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.targets.len()
    }

    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.features..][..self.features]
    }

    pub(super) fn weight(&self, row: usize) -> f32 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }
}

fn code(value: f64, count: u32) -> f32 {
    let code = value as u32;
    if f64::from(code) == value && code < count { code as f32 } else { -1.0 }
}
