//! Recurrent layers: `RNN`, `GRU` and `LSTM`, in both directions, with any of their activations.

use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::Tensor;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Plain,
    Gru,
    Lstm,
}

impl Cell {
    /// Gates, and activations of one direction.
    const fn gates(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    const fn activations(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["Tanh"],
            Self::Gru => &["Sigmoid", "Tanh"],
            Self::Lstm => &["Sigmoid", "Tanh", "Tanh"],
        }
    }
}

type Activation = Box<dyn Fn(f64) -> f64 + Send + Sync>;

struct Layer {
    cell: Cell,
    hidden: usize,
    /// Whether each direction goes backwards.
    directions: Vec<bool>,
    activations: Vec<Vec<Activation>>,
    clip: f64,
    before_reset: bool,
    couples: bool,
    batch_first: bool,
}

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    let cell = match name {
        "RNN" => Cell::Plain,
        "GRU" => Cell::Gru,
        "LSTM" => Cell::Lstm,
        _ => return Ok(None),
    };
    let directions = match attributes.text("direction", "forward")?.as_str() {
        "forward" => vec![false],
        "reverse" => vec![true],
        "bidirectional" => vec![false, true],
        other => return Err(format!("the direction `{other}` is not known")),
    };
    let hidden = usize::try_from(attributes.int("hidden_size", 0)).map_err(|_| "`hidden_size` is below 0")?;
    let layer = Layer {
        cell,
        hidden,
        activations: activations(attributes, cell, directions.len())?,
        directions,
        clip: f64::from(attributes.float("clip", f32::INFINITY)),
        before_reset: attributes.int("linear_before_reset", 0) != 0,
        couples: attributes.int("input_forget", 0) != 0,
        batch_first: attributes.int("layout", 0) != 0,
    };
    Ok(Some(Box::new(move |inputs| layer.run(inputs))))
}

fn activations(attributes: Attributes<'_>, cell: Cell, directions: usize) -> Result<Vec<Vec<Activation>>, String> {
    let mut names = attributes.texts("activations")?;
    if names.is_empty() {
        let usual = std::iter::repeat_n(cell.activations(), directions).flatten();
        names = usual.map(|name| (*name).to_owned()).collect();
    }
    let each = cell.activations().len();
    if names.len() != each * directions {
        return Err(format!("{} activations where {} are expected", names.len(), each * directions));
    }
    let mut alphas = attributes.floats("activation_alpha").iter().map(|x| f64::from(*x));
    let mut betas = attributes.floats("activation_beta").iter().map(|x| f64::from(*x));
    let mut made = Vec::with_capacity(names.len());
    for name in &names {
        let mut alpha = |default: f64| alphas.next().unwrap_or(default);
        let activation: Activation = match name.to_lowercase().as_str() {
            "tanh" => Box::new(f64::tanh),
            "sigmoid" => Box::new(|x| 1.0 / (1.0 + (-x).exp())),
            "relu" => Box::new(|x| x.max(0.0)),
            "softsign" => Box::new(|x| x / (1.0 + x.abs())),
            "softplus" => Box::new(|x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
            "leakyrelu" => {
                let alpha = alpha(0.01);
                Box::new(move |x| if x < 0.0 { alpha * x } else { x })
            }
            "thresholdedrelu" => {
                let alpha = alpha(1.0);
                Box::new(move |x| if x > alpha { x } else { 0.0 })
            }
            "elu" => {
                let alpha = alpha(1.0);
                Box::new(move |x| if x < 0.0 { alpha * x.exp_m1() } else { x })
            }
            "affine" => {
                let (alpha, beta) = (alpha(1.0), betas.next().unwrap_or(0.0));
                Box::new(move |x| alpha * x + beta)
            }
            "scaledtanh" => {
                let (alpha, beta) = (alpha(1.0), betas.next().unwrap_or(1.0));
                Box::new(move |x| alpha * (beta * x).tanh())
            }
            "hardsigmoid" => {
                let (alpha, beta) = (alpha(0.2), betas.next().unwrap_or(0.5));
                Box::new(move |x| (alpha * x + beta).clamp(0.0, 1.0))
            }
            _ => return Err(format!("the activation `{name}` is not run by this version")),
        };
        made.push(activation);
    }
    let mut made = made.into_iter();
    Ok((0..directions).map(|_| made.by_ref().take(each).collect()).collect())
}

/// The weights of one direction.
struct Weights<'a> {
    input: &'a [f64],
    recurrent: &'a [f64],
    bias: Option<&'a [f64]>,
    peepholes: Option<&'a [f64]>,
}

impl Layer {
    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
        let (x, w, r) = (input(inputs, 0)?, input(inputs, 1)?, input(inputs, 2)?);
        let &[first, second, features] = &x.shape[..] else {
            return Err(format!("a sequence of shape {:?} where three axes are expected", x.shape));
        };
        let (steps, batch) = if self.batch_first { (second, first) } else { (first, second) };
        let (gates, count) = (self.cell.gates(), self.directions.len());
        let &[_, _, hidden] = &r.shape[..] else {
            return Err("recurrent weights of three axes are expected".to_owned());
        };
        if self.hidden != 0 && self.hidden != hidden {
            return Err(format!("`hidden_size` is {}, and the weights have {hidden}", self.hidden));
        }
        if w.shape != [count, gates * hidden, features] || r.shape != [count, gates * hidden, hidden] {
            return Err(format!("weights of shapes {:?} and {:?} do not fit {:?}", w.shape, r.shape, x.shape));
        }
        let list = |at: usize, each: usize, name: &str| -> Result<Option<Vec<f64>>, String> {
            let Some(tensor) = optional(inputs, at) else { return Ok(None) };
            let values = tensor.floats()?.into_owned();
            if values.len() != each {
                return Err(format!("{} has {} values where {each} are expected", name, values.len()));
            }
            Ok(Some(values))
        };
        let bias = list(3, count * 2 * gates * hidden, "the bias")?;
        let lengths = match optional(inputs, 4) {
            Some(lengths) => super::shape::sizes(lengths)?,
            None => vec![steps; batch],
        };
        if lengths.len() != batch || lengths.iter().any(|length| *length > steps) {
            return Err(format!("lengths {lengths:?} of {batch} sequences of {steps} steps"));
        }
        let state = count * batch * hidden;
        let mut h = self.state(list(5, state, "the first state")?, batch, hidden);
        let mut c = self.state(list(6, state, "the first cell state")?, batch, hidden);
        let peepholes = list(7, count * 3 * hidden, "the peepholes")?;
        let (values, w, r) = (x.floats()?, w.floats()?, r.floats()?);
        let mut all = vec![0.0; steps * count * batch * hidden];
        for (direction, backwards) in self.directions.iter().enumerate() {
            let part = |each: usize| direction * each..(direction + 1) * each;
            let weights = Weights {
                input: &w[part(gates * hidden * features)],
                recurrent: &r[part(gates * hidden * hidden)],
                bias: bias.as_ref().map(|bias| &bias[direction * 2 * gates * hidden..][..2 * gates * hidden]),
                peepholes: peepholes.as_ref().map(|peepholes| &peepholes[direction * 3 * hidden..][..3 * hidden]),
            };
            for row in 0..batch {
                let at = (direction * batch + row) * hidden;
                let (h, c) = (&mut h[at..at + hidden], &mut c[at..at + hidden]);
                for step in 0..lengths[row] {
                    let moment = if *backwards { lengths[row] - 1 - step } else { step };
                    let place = if self.batch_first { row * steps + moment } else { moment * batch + row };
                    self.step(&weights, &values[place * features..][..features], h, c, &self.activations[direction]);
                    all[((moment * count + direction) * batch + row) * hidden..][..hidden].copy_from_slice(h);
                }
            }
        }
        let (all_shape, state_shape) = (vec![steps, count, batch, hidden], vec![count, batch, hidden]);
        let mut made = vec![x.like(all_shape, all)?, x.like(state_shape.clone(), h)?, x.like(state_shape, c)?];
        made.truncate(if self.cell == Cell::Lstm { 3 } else { 2 });
        if self.batch_first {
            let orders: [&[usize]; 3] = [&[2, 0, 1, 3], &[1, 0, 2], &[1, 0, 2]];
            let turned = made.iter().zip(orders).map(|(tensor, order)| super::transform::reordered(tensor, order));
            return turned.collect();
        }
        Ok(made)
    }

    /// The first state, with the directions first.
    fn state(&self, given: Option<Vec<f64>>, batch: usize, hidden: usize) -> Vec<f64> {
        let count = self.directions.len();
        let Some(given) = given else { return vec![0.0; count * batch * hidden] };
        if !self.batch_first {
            return given;
        }
        let rows = (0..count).flat_map(|direction| (0..batch).map(move |row| (row * count + direction) * hidden));
        rows.flat_map(|first| given[first..first + hidden].to_vec()).collect()
    }

    /// Moves the state of one sequence by one element.
    fn step(&self, weights: &Weights<'_>, x: &[f64], h: &mut [f64], c: &mut [f64], act: &[Activation]) {
        let hidden = h.len();
        let gates = self.cell.gates();
        let dot = |weights: &[f64], x: &[f64]| weights.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        let from_input = |gate: usize, at: usize| {
            let line = gate * hidden + at;
            dot(&weights.input[line * x.len()..][..x.len()], x) + weights.bias.map_or(0.0, |bias| bias[line])
        };
        let from_state = |gate: usize, at: usize, h: &[f64]| {
            let line = gate * hidden + at;
            let bias = weights.bias.map_or(0.0, |bias| bias[gates * hidden + line]);
            dot(&weights.recurrent[line * hidden..][..hidden], h) + bias
        };
        let clip = |x: f64| x.clamp(-self.clip, self.clip);
        let peephole = |part: usize, at: usize, c: f64| weights.peepholes.map_or(0.0, |p| p[part * hidden + at] * c);
        let old = h.to_vec();
        match self.cell {
            Cell::Plain => {
                for at in 0..hidden {
                    h[at] = act[0](clip(from_input(0, at) + from_state(0, at, &old)));
                }
            }
            Cell::Gru => {
                let gate = |gate: usize, at: usize| act[0](clip(from_input(gate, at) + from_state(gate, at, &old)));
                let update: Vec<f64> = (0..hidden).map(|at| gate(0, at)).collect();
                let reset: Vec<f64> = (0..hidden).map(|at| gate(1, at)).collect();
                let kept: Vec<f64> = old.iter().zip(&reset).map(|(h, reset)| h * reset).collect();
                for at in 0..hidden {
                    let memory =
                        if self.before_reset { reset[at] * from_state(2, at, &old) } else { from_state(2, at, &kept) };
                    let new = act[1](clip(from_input(2, at) + memory));
                    h[at] = (1.0 - update[at]) * new + update[at] * old[at];
                }
            }
            Cell::Lstm => {
                // Gates in the order of the weights: input, output, forget, cell.
                for at in 0..hidden {
                    let sum = |gate: usize| from_input(gate, at) + from_state(gate, at, &old);
                    let entry = act[0](clip(sum(0) + peephole(0, at, c[at])));
                    let forget = if self.couples { 1.0 - entry } else { act[0](clip(sum(2) + peephole(2, at, c[at]))) };
                    c[at] = forget * c[at] + entry * act[1](clip(sum(3)));
                    h[at] = act[0](clip(sum(1) + peephole(1, at, c[at]))) * act[2](c[at]);
                }
            }
        }
    }
}
