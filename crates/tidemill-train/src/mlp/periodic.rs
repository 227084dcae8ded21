//! Learned waves of numbers: their values and gradients in 32 bits.

use tidemill_model::Periodic;

use super::adam::{Moments, Step};

/// The inputs for the standardised number `z`.
pub(super) fn write(waves: &Periodic, z: f32, out: &mut [f32]) {
    out.copy_from_slice(&waves.biases);
    for ((frequency, phase), weights) in each(waves) {
        let wave = (std::f32::consts::TAU * frequency * z + phase).cos();
        out.iter_mut().zip(weights).for_each(|(out, weight)| *out += wave * weight);
    }
}

fn each(waves: &Periodic) -> impl Iterator<Item = ((f32, f32), &[f32])> {
    let numbers = waves.frequencies.iter().copied().zip(waves.phases.iter().copied());
    numbers.zip(waves.weights.chunks_exact(waves.width()))
}

/// The gradients of the numbers of some waves.
#[derive(Debug, Clone)]
pub(super) struct WaveGradients {
    pub(super) frequencies: Vec<f32>,
    pub(super) phases: Vec<f32>,
    pub(super) weights: Vec<f32>,
    pub(super) biases: Vec<f32>,
}

impl WaveGradients {
    pub(super) fn new(waves: &Periodic) -> Self {
        Self {
            frequencies: vec![0.0; waves.frequencies.len()],
            phases: vec![0.0; waves.phases.len()],
            weights: vec![0.0; waves.weights.len()],
            biases: vec![0.0; waves.biases.len()],
        }
    }

    /// Adds those of a row with the number `z`, whose derivatives by the inputs are `derivatives`.
    pub(super) fn add(&mut self, waves: &Periodic, z: f32, derivatives: &[f32]) {
        self.biases.iter_mut().zip(derivatives).for_each(|(sum, derivative)| *sum += derivative);
        for (at, ((frequency, phase), weights)) in each(waves).enumerate() {
            let (sine, wave) = (std::f32::consts::TAU * frequency * z + phase).sin_cos();
            let mut of_wave = 0.0;
            let sums = &mut self.weights[at * derivatives.len()..][..derivatives.len()];
            for ((sum, weight), derivative) in sums.iter_mut().zip(weights).zip(derivatives) {
                *sum += wave * derivative;
                of_wave += weight * derivative;
            }
            let of_angle = -sine * of_wave;
            self.phases[at] += of_angle;
            self.frequencies[at] += std::f32::consts::TAU * z * of_angle;
        }
    }
}

/// The moments of the numbers of some waves: frequencies, phases, weights and biases.
#[derive(Debug, Clone)]
pub(super) struct WaveMoments([Moments; 4]);

impl WaveMoments {
    pub(super) fn new(waves: &Periodic) -> Self {
        let numbers = [&waves.frequencies, &waves.phases, &waves.weights, &waves.biases];
        Self(numbers.map(|numbers| Moments::new(numbers.len())))
    }

    /// All of them, one after the other.
    pub(super) fn numbers(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.0.iter_mut().flat_map(Moments::numbers)
    }

    /// Moves the numbers of the waves against their gradients.
    pub(super) fn step(&mut self, waves: &mut Periodic, gradients: &WaveGradients, step: Step) {
        let numbers = [&mut waves.frequencies, &mut waves.phases, &mut waves.weights, &mut waves.biases];
        let gradients = [&gradients.frequencies, &gradients.phases, &gradients.weights, &gradients.biases];
        for ((moments, numbers), gradients) in self.0.iter_mut().zip(numbers).zip(gradients) {
            moments.move_some(numbers, 0, gradients, step);
        }
    }
}
