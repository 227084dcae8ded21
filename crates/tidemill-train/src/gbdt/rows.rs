//! Rows with what is learned from them, and what their scores start from.

use std::sync::Arc;

use tidemill_model::trees::Link;

use super::binned::Binned;
use super::objective::Objective;
use super::queries::Queries;

/// Steps to the best constant on top of offsets: it converges in far fewer.
const NEWTON_STEPS: u32 = 100;

/// Rows to learn from or to be judged on.
#[derive(Debug, Clone)]
pub struct LabelledRows {
    /// The features.
    pub data: Binned,
    /// A finite label a row.
    pub labels: Vec<f64>,
    /// A weight a row; all 1 when absent.
    pub weights: Option<Vec<f64>>,
    /// The queries of a ranking.
    pub queries: Option<Arc<Queries>>,
    /// What the score of a row starts from beside the base score; nothing when absent.
    pub offsets: Option<Vec<f64>>,
    /// The scores of the model that training continues, a column each: what a row starts from then.
    pub scored: Option<Vec<Vec<f64>>>,
}

impl LabelledRows {
    /// Rows that all count the same, of no queries.
    pub fn new(data: Binned, labels: Vec<f64>) -> Self {
        Self { data, labels, weights: None, queries: None, offsets: None, scored: None }
    }

    /// The scores that the rows start from.
    pub(super) fn start(&self, base_scores: &[f64]) -> Vec<Vec<f64>> {
        if let Some(scored) = &self.scored {
            return scored.clone();
        }
        let column = |base: &f64| match &self.offsets {
            Some(offsets) => offsets.iter().map(|offset| base + offset).collect(),
            None => vec![*base; self.data.rows()],
        };
        base_scores.iter().map(column).collect()
    }
}

/// The constant scores with the smallest loss, on top of the offsets of the rows if they have any.
pub(super) fn base_scores(objective: &dyn Objective, train: &LabelledRows) -> Vec<f64> {
    let weights = train.weights.as_deref();
    let Some(offsets) = &train.offsets else { return objective.base_scores(&train.labels, weights) };
    if objective.link() == Link::Identity {
        let residuals: Vec<f64> = train.labels.iter().zip(offsets).map(|(label, offset)| label - offset).collect();
        return objective.base_scores(&residuals, weights);
    }
    // Newton's method in one dimension, from the constant without offsets less their mean.
    let mean = offsets.iter().sum::<f64>() / offsets.len().max(1) as f64;
    let mut base = objective.base_scores(&train.labels, weights)[0] - mean;
    let mut gradients = vec![[0.0; 2]; offsets.len()];
    for _ in 0..NEWTON_STEPS {
        let scores: Vec<f64> = offsets.iter().map(|offset| base + offset).collect();
        objective.gradients(&[&scores], &train.labels, &mut [&mut gradients]);
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let [slope, curve] = gradients
            .iter()
            .enumerate()
            .fold([0.0; 2], |sum, (row, of_row)| [0, 1].map(|at| sum[at] + weight(row) * f64::from(of_row[at])));
        let step = -slope / curve;
        if !step.is_finite() {
            break;
        }
        base += step.clamp(-1.0, 1.0);
        if step.abs() < 1e-9 {
            break;
        }
    }
    vec![base]
}
