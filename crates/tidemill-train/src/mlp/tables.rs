//! What is learned of single features: vectors of categories, of which a step touches only those in its rows, wide weights, and
//! waves of numbers.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tidemill_model::NetworkInput;

use super::adam::{Moments, Step};
use super::net::{BLOCK_ROWS, Block, Net, place, vector};
use super::periodic::{WaveGradients, WaveMoments};
use super::rows::EncodedRows;

/// The moments of all tables: for each input, then for each wide term.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    inputs: Vec<OfInput>,
    wide: Vec<Moments>,
}

/// The moments of an input.
#[derive(Debug, Clone)]
enum OfInput {
    None,
    Vectors(Moments),
    Waves(WaveMoments),
}

/// The steps of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableSteps {
    pub(super) vectors: Step,
    pub(super) waves: Step,
    pub(super) wide: Step,
}

impl Tables {
    pub(super) fn new(net: &Net) -> Self {
        let of_input = |input: &NetworkInput| match input {
            NetworkInput::Embedding { table, .. } => OfInput::Vectors(Moments::new(table.len())),
            NetworkInput::Number { periodic: Some(waves), .. } => OfInput::Waves(WaveMoments::new(waves)),
            _ => OfInput::None,
        };
        Self {
            inputs: net.inputs.iter().map(of_input).collect(),
            wide: net.wide.iter().map(|term| Moments::new(term.weights.len())).collect(),
        }
    }

    /// All moments, one after the other.
    pub(super) fn numbers(&mut self) -> Vec<&mut [f32]> {
        let mut numbers: Vec<&mut [f32]> = Vec::new();
        for input in &mut self.inputs {
            match input {
                OfInput::None => {}
                OfInput::Vectors(moments) => numbers.extend(moments.numbers()),
                OfInput::Waves(moments) => numbers.extend(moments.numbers()),
            }
        }
        numbers.extend(self.wide.iter_mut().flat_map(Moments::numbers));
        numbers
    }

    /// Moves the vectors and weights of the rows of a batch, whose blocks have been through the backward pass. `scores` has the
    /// derivatives of their scores, row by row.
    pub(super) fn step(
        &mut self,
        net: &mut Net,
        data: &EncodedRows,
        rows: &[u32],
        blocks: &[Block],
        scores: &[f32],
        steps: TableSteps,
    ) {
        let width = net.widths[0];
        let derivatives = |at: usize| &blocks[at / BLOCK_ROWS].values[0][at % BLOCK_ROWS * width..][..width];
        let starts = net.inputs.iter().scan(0, |from, input| {
            let start = *from;
            *from += input.width();
            Some(start)
        });
        let starts: Vec<usize> = starts.collect();
        let features = net.inputs.par_iter_mut().zip(&mut self.inputs).zip(&starts).enumerate();
        features.for_each(|(feature, ((input, moments), from))| match (input, moments) {
            (NetworkInput::Embedding { width, table }, OfInput::Vectors(moments)) => {
                let width = *width as usize;
                let mut sums = Sums::default();
                for (at, row) in rows.iter().enumerate() {
                    let place = vector(data.row(*row as usize)[feature], width, table.len());
                    sums.add(place, &derivatives(at)[*from..from + width]);
                }
                sums.0.iter().for_each(|(place, sum)| moments.move_some(table, *place, sum, steps.vectors));
            }
            (NetworkInput::Number { periodic: Some(waves), .. }, OfInput::Waves(moments)) => {
                let mut gradients = WaveGradients::new(waves);
                for (at, row) in rows.iter().enumerate() {
                    let value = data.row(*row as usize)[feature];
                    let z = if value.is_nan() { 0.0 } else { value };
                    gradients.add(waves, z, &derivatives(at)[from + 1..=from + waves.width()]);
                }
                moments.step(waves, &gradients, steps.waves);
            }
            _ => {}
        });
        let count = net.widths[net.widths.len() - 1];
        for (term, moments) in net.wide.iter_mut().zip(&mut self.wide) {
            let mut sums = Sums::default();
            for (row, derivatives) in rows.iter().zip(scores.chunks_exact(count)) {
                if let Some(place) = place(term, data.row(*row as usize)) {
                    sums.add(place * count, derivatives);
                }
            }
            sums.0.iter().for_each(|(place, sum)| moments.move_some(&mut term.weights, *place, sum, steps.wide));
        }
    }
}

/// Sums of derivatives by place, added in the order of the rows.
#[derive(Default)]
struct Sums(BTreeMap<usize, Vec<f32>>);

impl Sums {
    fn add(&mut self, place: usize, derivatives: &[f32]) {
        match self.0.get_mut(&place) {
            Some(sum) => sum.iter_mut().zip(derivatives).for_each(|(sum, derivative)| *sum += derivative),
            None => {
                self.0.insert(place, derivatives.to_vec());
            }
        }
    }
}
