//! A feed-forward network, with or without a wide part.

mod activation;
mod dense;
mod encoding;
mod input;
mod periodic;
mod wide;

pub use activation::Activation;
pub use dense::DenseLayer;
pub use input::NetworkInput;
pub use periodic::Periodic;
pub use wide::WideTerm;

use super::bytes::check_task;
use super::sampled::sampled_contributions;
use super::{Columns, logistic, softmax_columns};
use crate::trees::{Contributions, invalid};
use crate::{FeatureBlock, ModelError, Task};

/// A layer wider than this is a mistake.
const WIDTH_MAX: usize = 1 << 20;

/// The parts of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkParts {
    /// What is predicted: the logistic function of the score, the softmax of the scores, or an amount.
    pub task: Task,
    /// How each feature enters the first layer.
    pub inputs: Vec<NetworkInput>,
    /// Between the layers; not after the last one.
    pub activation: Activation,
    /// The layers; the last one has as many outputs as the task has scores.
    pub layers: Vec<DenseLayer>,
    /// Weights of combinations of categories, added to the scores.
    pub wide: Vec<WideTerm>,
    /// What an amount is of its score.
    pub amount: AmountScale,
}

/// What an amount is of its score: `centre + unit * score`, between `low` and `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AmountScale {
    /// The mean label.
    pub centre: f64,
    /// The standard deviation of the labels.
    pub unit: f64,
    /// The smallest label.
    pub low: f64,
    /// The largest label.
    pub high: f64,
}

impl Default for AmountScale {
    fn default() -> Self {
        Self { centre: 0.0, unit: 1.0, low: -f64::MAX, high: f64::MAX }
    }
}

/// A feed-forward network over encoded features: numbers standardised and smoothly clipped, categories as one-hot inputs or
/// learned vectors.
///
/// Weights have 32 bits; everything is computed in 64, in a fixed order, so that a row has the same prediction alone and in any
/// batch, on any machine.
///
/// [`encode`](super::Learner::encode) and its layout are in `encoding.rs`.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkModel(NetworkParts);

impl NetworkModel {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "network";

    /// A network of `parts`. An error if they do not fit each other or a number is not finite.
    pub fn new(parts: NetworkParts) -> Result<Self, ModelError> {
        check_task(&parts.task, "a network")?;
        for input in &parts.inputs {
            input.check()?;
        }
        let mut width: usize = parts.inputs.iter().map(NetworkInput::width).sum();
        for layer in &parts.layers {
            if layer.inputs != width || layer.outputs() == 0 || layer.outputs().max(width) > WIDTH_MAX {
                return Err(invalid(format!(
                    "a layer of the network takes {} inputs, and there are {width}",
                    layer.inputs
                )));
            }
            layer.check()?;
            width = layer.outputs();
        }
        let scores = parts.task.columns();
        if parts.layers.is_empty() || width != scores {
            return Err(invalid(format!("the network gives {width} scores for {scores}")));
        }
        for term in &parts.wide {
            term.check(parts.inputs.len(), scores)?;
        }
        let AmountScale { centre, unit, low, high } = parts.amount;
        if ![centre, unit, low, high].iter().all(|number| number.is_finite()) || low > high {
            return Err(invalid("the scale of the network's amounts does not fit"));
        }
        Ok(Self(parts))
    }

    /// Its parts.
    pub fn parts(&self) -> &NetworkParts {
        &self.0
    }

    /// Its task.
    pub fn task(&self) -> &Task {
        &self.0.task
    }

    /// The scores of every row, a column each.
    fn scores(&self, block: &FeatureBlock) -> Columns {
        let parts = &self.0;
        let width: usize = parts.inputs.iter().map(NetworkInput::width).sum();
        let mut rows = vec![0.0; block.rows * width];
        let value = |feature: usize, row: usize| block.columns.get(feature).map_or(f64::NAN, |column| column[row]);
        for (row, out) in rows.chunks_mut(width.max(1)).enumerate() {
            let mut from = 0;
            for (feature, input) in parts.inputs.iter().enumerate() {
                let to = from + input.width();
                input.write(value(feature, row), &mut out[from..to]);
                from = to;
            }
        }
        let mut next = Vec::new();
        for (at, layer) in parts.layers.iter().enumerate() {
            layer.apply(&rows, block.rows, &mut next);
            if at + 1 < parts.layers.len() {
                next.iter_mut().for_each(|value| *value = parts.activation.value(*value));
            }
            std::mem::swap(&mut rows, &mut next);
        }
        let scores = parts.task.columns();
        for term in &parts.wide {
            for (row, out) in rows.chunks_mut(scores).enumerate() {
                if let Some(place) = term.place(|feature| value(feature, row)) {
                    for (out, weight) in out.iter_mut().zip(&term.weights[place * scores..]) {
                        *out += f64::from(*weight);
                    }
                }
            }
        }
        (0..scores).map(|score| rows.iter().skip(score).step_by(scores).copied().collect()).collect()
    }

    /// Predicts every row, a column for each score.
    pub fn predict(&self, block: &FeatureBlock) -> Columns {
        let mut columns = self.scores(block);
        match self.0.task {
            Task::Binary => columns.iter_mut().flatten().for_each(|score| *score = logistic(*score)),
            Task::MultiClass { .. } => softmax_columns(&mut columns),
            _ => columns.iter_mut().flatten().for_each(|score| *score = self.amount(*score)),
        }
        columns
    }

    fn amount(&self, score: f64) -> f64 {
        let AmountScale { centre, unit, low, high } = self.0.amount;
        (centre + unit * score).clamp(low, high)
    }

    /// The contribution of each feature to the log-odds or the amount, estimated: see [`sampled_contributions`]; `None` for
    /// several scores.
    pub(super) fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Option<Contributions> {
        let scores = |block: &FeatureBlock| {
            let mut scores = self.scores(block).swap_remove(0);
            if self.0.task == Task::Regression {
                scores.iter_mut().for_each(|score| *score = self.amount(*score));
            }
            scores
        };
        (self.0.task.columns() == 1).then(|| sampled_contributions(row, background, &scores))
    }
}

#[cfg(test)]
mod tests;
