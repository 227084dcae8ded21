//! Adam (D. Kingma and J. Ba, 2015), with weight decay apart from the gradient (I. Loshchilov and F. Hutter, 2019).

use rayon::prelude::*;

/// Numbers of one task; where the cuts lie does not change the result.
const RUN: usize = 1 << 14;
const BETA1: f32 = 0.9;
const EPSILON: f32 = 1e-8;

/// One step of the optimiser.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    rate: f32,
    decay: f32,
    beta2: f32,
    /// What undoes that the moments began at 0.
    bias: [f32; 2],
}

impl Step {
    /// The step number `number`, from 1. `decay`: what part of itself, times `rate`, a number shrinks by.
    pub(super) fn new(number: u64, rate: f32, decay: f32, beta2: f32) -> Self {
        let bias = |beta: f32| (1.0 / (1.0 - f64::from(beta).powf(number as f64))) as f32;
        Self { rate, decay, beta2, bias: [bias(BETA1), bias(beta2)] }
    }

    #[inline]
    fn apply(self, value: &mut f32, moments: (&mut f32, &mut f32), gradient: f32) {
        let (first, second) = moments;
        *first = BETA1 * *first + (1.0 - BETA1) * gradient;
        *second = self.beta2 * *second + (1.0 - self.beta2) * gradient * gradient;
        let step = *first * self.bias[0] / ((*second * self.bias[1]).sqrt() + EPSILON);
        *value -= self.rate * (step + self.decay * *value);
    }
}

/// The moments of numbers that are learned.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Moments {
    pub(super) fn new(count: usize) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count] }
    }

    /// Both moments.
    pub(super) fn numbers(&mut self) -> [&mut [f32]; 2] {
        [&mut self.first, &mut self.second]
    }

    /// Moves all of `values` against their gradients, which are the sums of `parts` in their order.
    pub(super) fn move_all(&mut self, values: &mut [f32], parts: &[&[f32]], step: Step) {
        let moments = self.first.par_chunks_mut(RUN).zip(self.second.par_chunks_mut(RUN));
        values.par_chunks_mut(RUN).zip(moments).enumerate().for_each(|(run, (values, (first, second)))| {
            let from = run * RUN;
            let mut sum = vec![0.0; values.len()];
            for part in parts {
                sum.iter_mut().zip(&part[from..]).for_each(|(sum, gradient)| *sum += gradient);
            }
            let moments = first.iter_mut().zip(second);
            values.iter_mut().zip(moments).zip(&sum).for_each(|((value, moments), gradient)| {
                step.apply(value, moments, *gradient);
            });
        });
    }

    /// Moves the numbers of `values` from `from` on, as many as there are gradients; all others rest.
    pub(super) fn move_some(&mut self, values: &mut [f32], from: usize, gradients: &[f32], step: Step) {
        let moments = self.first[from..].iter_mut().zip(&mut self.second[from..]);
        values[from..].iter_mut().zip(moments).zip(gradients).for_each(|((value, moments), gradient)| {
            step.apply(value, moments, *gradient);
        });
    }
}
