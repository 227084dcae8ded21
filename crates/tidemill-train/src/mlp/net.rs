//! The network in training: forward, backward, and the gradients of a block of rows.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use tidemill_core::{SplitMix64, Task};
use tidemill_model::{Activation, NetworkInput, WideTerm};

use super::activation::activate;
use super::inputs::normal;
use super::periodic;
use super::rows::EncodedRows;
use crate::fast_exp::exp;

/// Rows whose gradients are summed by one task. Sums depend on it, so it is fixed.
pub(super) const BLOCK_ROWS: usize = 64;

/// The numbers that are learned.
#[derive(Debug, Clone)]
pub(super) struct Net {
    pub(super) task: Task,
    pub(super) activation: Activation,
    /// Shapes, and the vectors of categories.
    pub(super) inputs: Vec<NetworkInput>,
    pub(super) wide: Vec<WideTerm>,
    /// Inputs, hidden layers, scores.
    pub(super) widths: Vec<usize>,
    /// The scale of every input; then for each layer its weights, input by input, and its biases.
    pub(super) dense: Vec<Vec<f32>>,
}

impl Net {
    /// A network at its start: weights and biases of the standard normal distribution, and a last layer that gives `base` for
    /// every row.
    pub(super) fn new(
        task: &Task,
        activation: Activation,
        inputs: Vec<NetworkInput>,
        wide: Vec<WideTerm>,
        hidden: &[usize],
        base: &[f32],
        seed: u64,
    ) -> Self {
        let first = inputs.iter().map(NetworkInput::width).sum();
        let widths: Vec<usize> = [first].into_iter().chain(hidden.iter().copied()).chain([base.len()]).collect();
        let mut draw = SplitMix64::new(SplitMix64::hash(seed));
        let mut dense = vec![vec![1.0; first]];
        for (at, pair) in widths.windows(2).enumerate() {
            let is_last = at + 2 == widths.len();
            let mut drawn = |count: usize| (0..count).map(|_| normal(&mut draw) as f32).collect();
            if is_last {
                dense.push(vec![0.0; pair[0] * pair[1]]);
                dense.push(base.to_vec());
            } else {
                dense.push(drawn(pair[0] * pair[1]));
                dense.push(drawn(pair[1]));
            }
        }
        Self { task: task.clone(), activation, inputs, wide, widths, dense }
    }

    /// Everything that is learned: tables and waves of inputs, wide weights, then `dense`.
    pub(super) fn numbers(&mut self) -> Vec<&mut [f32]> {
        let mut numbers: Vec<&mut [f32]> = Vec::new();
        for input in &mut self.inputs {
            match input {
                NetworkInput::Embedding { table, .. } => numbers.push(table),
                NetworkInput::Number { periodic: Some(waves), .. } => {
                    let parts = [&mut waves.frequencies, &mut waves.phases, &mut waves.weights, &mut waves.biases];
                    numbers.extend(parts.map(Vec::as_mut_slice));
                }
                NetworkInput::Number { periodic: None, .. } | NetworkInput::OneHot { .. } => {}
            }
        }
        numbers.extend(self.wide.iter_mut().map(|term| term.weights.as_mut_slice()));
        numbers.extend(self.dense.iter_mut().map(Vec::as_mut_slice));
        numbers
    }

    fn layers(&self) -> usize {
        self.widths.len() - 1
    }

    pub(super) fn scores(&self) -> usize {
        self.widths[self.layers()]
    }

    /// Writes the inputs of a row, before their scale.
    fn write_inputs(&self, row: &[f32], out: &mut [f32]) {
        let mut rest = out;
        for (input, value) in self.inputs.iter().zip(row) {
            let (own, after) = rest.split_at_mut(input.width());
            rest = after;
            match input {
                NetworkInput::Number { periodic, indicator, .. } => {
                    own[0] = if value.is_nan() { 0.0 } else { *value };
                    if let Some(waves) = periodic {
                        let z = own[0];
                        periodic::write(waves, z, &mut own[1..=waves.width()]);
                    }
                    if let Some(own) = own.last_mut().filter(|_| *indicator) {
                        *own = f32::from(u8::from(value.is_nan()));
                    }
                }
                NetworkInput::OneHot { .. } => {
                    own.fill(0.0);
                    if *value >= 0.0 {
                        own[*value as usize] = 1.0;
                    }
                }
                NetworkInput::Embedding { width, table } => {
                    own.copy_from_slice(&table[vector(*value, *width as usize, table.len())..][..own.len()]);
                }
            }
        }
    }

    /// The scores of `rows` of `data` into `block.scores`.
    pub(super) fn forward(&self, data: &EncodedRows, rows: &[u32], dropout: Option<Dropout>, block: &mut Block) {
        let count = rows.len();
        block.resize(&self.widths, count);
        let width = self.widths[0];
        for (at, row) in rows.iter().enumerate() {
            self.write_inputs(data.row(*row as usize), &mut block.inputs[at * width..][..width]);
        }
        let scaled = &mut block.values[0];
        for (scaled, inputs) in scaled.chunks_mut(width.max(1)).zip(block.inputs.chunks(width.max(1))) {
            scaled.iter_mut().zip(inputs).zip(&self.dense[0]).for_each(|((to, from), scale)| *to = from * scale);
        }
        for layer in 0..self.layers() {
            let (weights, biases) = (&self.dense[1 + 2 * layer], &self.dense[2 + 2 * layer]);
            let (before, after) = block.values.split_at_mut(layer + 1);
            let (from, to) = (&before[layer], &mut after[0]);
            let outputs = self.widths[layer + 1];
            to.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(biases));
            let [a, b] = [matrix(from, count), matrix(weights, self.widths[layer])];
            multiply(shrink(self.widths[layer]), a, b, 1.0, to, count);
            if layer + 1 < self.layers() {
                activate(self.activation, to, &mut block.slopes[layer]);
                if let Some(dropout) = dropout {
                    dropout.apply(layer, outputs, to, &mut block.slopes[layer]);
                }
            }
        }
        let scores = self.scores();
        for term in &self.wide {
            for (row, out) in rows.iter().zip(block.values[self.layers()].chunks_exact_mut(scores)) {
                if let Some(place) = place(term, data.row(*row as usize)) {
                    out.iter_mut().zip(&term.weights[place * scores..]).for_each(|(out, weight)| *out += weight);
                }
            }
        }
    }

    /// Replaces the scores of a block by the derivatives of its loss, and adds that loss to `block.loss`. The loss is without
    /// `smoothing`, the derivatives are with it and divided by `batch`.
    pub(super) fn score_gradients(
        &self,
        data: &EncodedRows,
        rows: &[u32],
        smoothing: f32,
        batch: f32,
        block: &mut Block,
    ) {
        let scores = self.scores();
        (block.loss, block.weight) = (0.0, 0.0);
        for (row, out) in rows.iter().zip(block.values[self.layers()].chunks_exact_mut(scores)) {
            let (target, weight) = (data.targets[*row as usize], data.weight(*row as usize));
            let loss = match self.task {
                Task::Binary => {
                    let score = out[0];
                    let wanted = target * (1.0 - smoothing) + smoothing / 2.0;
                    out[0] = 1.0 / (1.0 + exp(-score)) - wanted;
                    // ln(1 + e^s) − y s, without a power that leaves the numbers.
                    f64::from(score.max(0.0) - target * score) + f64::from((-score.abs()).exp().ln_1p())
                }
                Task::MultiClass { .. } => softmax_gradients(out, target as usize, smoothing),
                _ => {
                    let error = out[0] - target;
                    out[0] = error;
                    f64::from(error * error)
                }
            };
            block.loss += f64::from(weight) * loss;
            block.weight += f64::from(weight);
            out.iter_mut().for_each(|gradient| *gradient *= weight / batch);
        }
    }

    /// The gradients of a block whose last values are the derivatives of its scores.
    pub(super) fn backward(&self, block: &mut Block) {
        let count = block.rows;
        for layer in (0..self.layers()).rev() {
            let (inputs, outputs) = (self.widths[layer], self.widths[layer + 1]);
            let factor = shrink(inputs);
            let (before, after) = block.values.split_at_mut(layer + 1);
            let (from, derivatives) = (&mut before[layer], &after[0]);
            let [a, b] = [matrix(from, count), matrix(derivatives, count)];
            multiply(factor, a.t(), b, 0.0, &mut block.gradients[1 + 2 * layer], inputs);
            let biases = &mut block.gradients[2 + 2 * layer];
            biases.fill(0.0);
            for row in derivatives.chunks_exact(outputs) {
                biases.iter_mut().zip(row).for_each(|(sum, derivative)| *sum += derivative);
            }
            let weights = matrix(&self.dense[1 + 2 * layer], inputs);
            // What a layer gave is not needed any more: its place takes the derivatives.
            multiply(factor, matrix(derivatives, count), weights.t(), 0.0, from, count);
            if layer > 0 {
                from.iter_mut().zip(&block.slopes[layer - 1]).for_each(|(derivative, slope)| *derivative *= slope);
            }
        }
        let width = self.widths[0].max(1);
        let scales = &mut block.gradients[0];
        scales.fill(0.0);
        for (derivatives, inputs) in block.values[0].chunks_exact_mut(width).zip(block.inputs.chunks_exact(width)) {
            for (at, derivative) in derivatives.iter_mut().enumerate() {
                scales[at] += *derivative * inputs[at];
                *derivative *= self.dense[0][at];
            }
        }
    }
}

/// The factor of a layer's weights: it keeps the size of outputs whatever the number of inputs.
pub(super) fn shrink(inputs: usize) -> f32 {
    1.0 / (inputs.max(1) as f32).sqrt()
}

/// Where the vector of a category begins: the last vector is that of what is missing or unknown.
pub(super) fn vector(code: f32, width: usize, length: usize) -> usize {
    if code >= 0.0 { code as usize * width } else { length - width }
}

/// The place of a row in a wide term.
pub(super) fn place(term: &WideTerm, row: &[f32]) -> Option<usize> {
    term.place(|feature| f64::from(row[feature]))
}

/// The derivatives of the log-loss of a softmax, and the loss without smoothing.
fn softmax_gradients(out: &mut [f32], target: usize, smoothing: f32) -> f64 {
    let largest = out.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let own = out[target] - largest;
    out.iter_mut().for_each(|score| *score = exp(*score - largest));
    let sum: f32 = out.iter().sum();
    let even = smoothing / out.len() as f32;
    out.iter_mut().for_each(|power| *power = *power / sum - even);
    out[target] -= 1.0 - smoothing;
    f64::from(sum.ln() - own)
}

/// Leaves out outputs of hidden layers at random.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropout {
    pub(super) share: f32,
    /// Draws what is left out in this block.
    pub(super) draw: u64,
}

impl Dropout {
    fn apply(self, layer: usize, width: usize, values: &mut [f32], slopes: &mut [f32]) {
        let kept = 1.0 / (1.0 - self.share);
        let limit = (f64::from(self.share) * 2_f64.powi(64)) as u64;
        for (row, (values, slopes)) in values.chunks_mut(width).zip(slopes.chunks_mut(width)).enumerate() {
            let mut draw = SplitMix64::new(SplitMix64::hash(self.draw ^ ((layer as u64) << 32 | row as u64)));
            for (value, slope) in values.iter_mut().zip(slopes) {
                let factor = if draw.draw() < limit { 0.0 } else { kept };
                *value *= factor;
                *slope *= factor;
            }
        }
    }
}

/// Working memory for a block of rows.
#[derive(Debug, Default)]
pub(super) struct Block {
    rows: usize,
    /// Inputs before their scale, row by row.
    inputs: Vec<f32>,
    /// Scaled inputs, what each layer gives, and last the scores; after the backward pass the derivatives by them, for the first
    /// those by the inputs before their scale.
    pub(super) values: Vec<Vec<f32>>,
    /// Derivatives of the activations of each hidden layer.
    slopes: Vec<Vec<f32>>,
    /// By tensor of [`Net::dense`].
    pub(super) gradients: Vec<Vec<f32>>,
    /// The sum of the losses of the rows.
    pub(super) loss: f64,
    /// The sum of their weights.
    pub(super) weight: f64,
}

impl Block {
    fn resize(&mut self, widths: &[usize], rows: usize) {
        self.rows = rows;
        self.values.resize_with(widths.len(), Vec::new);
        self.slopes.resize_with(widths.len().saturating_sub(2), Vec::new);
        self.inputs.resize(rows * widths[0], 0.0);
        self.values.iter_mut().zip(widths).for_each(|(values, width)| values.resize(rows * width, 0.0));
        self.slopes.iter_mut().zip(&widths[1..]).for_each(|(slopes, width)| slopes.resize(rows * width, 0.0));
        if self.gradients.is_empty() {
            self.gradients.push(vec![0.0; widths[0]]);
            for pair in widths.windows(2) {
                self.gradients.push(vec![0.0; pair[0] * pair[1]]);
                self.gradients.push(vec![0.0; pair[1]]);
            }
        }
    }
}

/// Values as a matrix of so many rows.
fn matrix(values: &[f32], rows: usize) -> ArrayView2<'_, f32> {
    let columns = values.len() / rows.max(1);
    ArrayView2::from_shape((rows, columns), values).expect("layers are as long as their shapes say")
}

/// `to = factor · a · b + keep · to`.
fn multiply(factor: f32, a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, keep: f32, to: &mut [f32], rows: usize) {
    let columns = to.len() / rows.max(1);
    let mut to = ArrayViewMut2::from_shape((rows, columns), to).expect("layers are as long as their shapes say");
    general_mat_mul(factor, &a, &b, keep, &mut to);
}
