//! A layer in which every output sees every input.

use crate::ModelError;
use crate::trees::invalid;

/// Rows that share one reading of the weights.
const ROWS: usize = 8;

/// Outputs that are a bias plus a weighted sum of the inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseLayer {
    /// How many inputs there are.
    pub inputs: usize,
    /// For each input, its weights for all outputs.
    pub weights: Vec<f32>,
    /// A bias for each output.
    pub biases: Vec<f32>,
}

impl DenseLayer {
    /// How many outputs there are.
    pub fn outputs(&self) -> usize {
        self.biases.len()
    }

    pub(super) fn check(&self) -> Result<(), ModelError> {
        let finite = self.weights.iter().chain(&self.biases).all(|weight| weight.is_finite());
        if self.weights.len() != self.inputs * self.outputs() || !finite {
            return Err(invalid("a weight of the network is not finite, or there are too many or too few"));
        }
        Ok(())
    }

    /// The outputs of `rows` rows of inputs into `out`, row by row. Each is summed in the order of the inputs, whatever rows
    /// are beside it.
    pub(super) fn apply(&self, inputs: &[f64], rows: usize, out: &mut Vec<f64>) {
        let outputs = self.outputs();
        out.clear();
        for _ in 0..rows {
            out.extend(self.biases.iter().map(|bias| f64::from(*bias)));
        }
        if self.inputs == 0 {
            return;
        }
        let mut wide = vec![0.0; outputs];
        for (inputs, out) in inputs.chunks(ROWS * self.inputs).zip(out.chunks_mut(ROWS * outputs)) {
            for (at, weights) in self.weights.chunks_exact(outputs).enumerate() {
                wide.iter_mut().zip(weights).for_each(|(wide, weight)| *wide = f64::from(*weight));
                for (inputs, out) in inputs.chunks_exact(self.inputs).zip(out.chunks_exact_mut(outputs)) {
                    let input = inputs[at];
                    // Most inputs of one-hot features and of ReLU are 0.
                    if input != 0.0 {
                        out.iter_mut().zip(&wide).for_each(|(out, weight)| *out += input * weight);
                    }
                }
            }
        }
    }
}
