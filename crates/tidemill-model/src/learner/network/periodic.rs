//! Learned waves of a number.

use crate::ModelError;
use crate::trees::invalid;

/// Inputs that are weighted sums of waves of a number ("PBLD" of `RealMLP`): bⱼ + Σₖ wₖⱼ cos(2π fₖ z + φₖ), where z is the
/// standardised and clipped number. A layer of weights alone sees a number as a slope; waves let it tell values apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Periodic {
    /// fₖ.
    pub frequencies: Vec<f32>,
    /// φₖ.
    pub phases: Vec<f32>,
    /// wₖⱼ, the weights of a wave side by side.
    pub weights: Vec<f32>,
    /// bⱼ.
    pub biases: Vec<f32>,
}

impl Periodic {
    /// How many inputs the waves become.
    pub fn width(&self) -> usize {
        self.biases.len()
    }

    /// Writes the inputs for the standardised number `z`.
    pub(super) fn write(&self, z: f64, out: &mut [f64]) {
        out.iter_mut().zip(&self.biases).for_each(|(out, bias)| *out = f64::from(*bias));
        let waves = self.frequencies.iter().zip(&self.phases).zip(self.weights.chunks_exact(self.width()));
        for ((frequency, phase), weights) in waves {
            let wave = (std::f64::consts::TAU * f64::from(*frequency) * z + f64::from(*phase)).cos();
            out.iter_mut().zip(weights).for_each(|(out, weight)| *out += wave * f64::from(*weight));
        }
    }

    pub(super) fn check(&self) -> Result<(), ModelError> {
        let all = || [&self.frequencies, &self.phases, &self.weights, &self.biases].into_iter().flatten();
        let fits = self.phases.len() == self.frequencies.len()
            && !self.biases.is_empty()
            && self.weights.len() == self.frequencies.len() * self.width()
            && all().all(|number| number.is_finite());
        if fits { Ok(()) } else { Err(invalid("the waves of an input of the network do not fit")) }
    }
}
