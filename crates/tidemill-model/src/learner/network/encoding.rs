//! The bytes of a network.

use super::{Activation, AmountScale, DenseLayer, NetworkInput, NetworkModel, NetworkParts, Periodic, WideTerm};
use crate::ModelError;
use crate::learner::bytes::{ByteReader, head, push_f32s, push_f64s, push_task, push_u32};
use crate::trees::invalid;

const MAGIC: [u8; 8] = *b"TMNETWRK";
const VERSION: u32 = 1;

/// Numbers of the kinds of inputs.
const NUMBER: u32 = 0;
const NUMBER_INDICATOR: u32 = 1;
const ONE_HOT: u32 = 2;
const EMBEDDING: u32 = 3;
const PERIODIC: u32 = 4;
const PERIODIC_INDICATOR: u32 = 5;

impl NetworkModel {
    /// The bytes of `learner.bin`.
    ///
    /// # Layout, format 1
    ///
    /// Little-endian: `"TMNETWRK"`, version (u32), task (u32: 0 binary, 1 regression, 2 classes, then their count and names),
    /// centre, unit, smallest and largest amount (f64), activation (u32), inputs (u32), and for each its kind (u32): 0 a number
    /// and 1 a number with an indicator, then centre and factor (f64); 4 and 5 the same with
    /// waves, then inputs and waves (u32), frequencies, phases, weights and biases (f32); 2 one-hot, then the categories (u32); 3 an
    /// embedding, then width and vectors (u32) and the vectors (f32). Layers (u32), and for each inputs and outputs (u32), weights and biases
    /// (f32). Wide terms (u32), and for each its features (u32), for each of these number, categories and multiplier (u32), then
    /// places (u32) and weights (f32).
    pub(in crate::learner) fn encode(&self) -> Vec<u8> {
        let parts = self.parts();
        let mut bytes = head(MAGIC, VERSION);
        push_task(&mut bytes, &parts.task);
        let AmountScale { centre, unit, low, high } = parts.amount;
        push_f64s(&mut bytes, &[centre, unit, low, high]);
        let activation = Activation::ALL.iter().position(|activation| *activation == parts.activation);
        push_u32(&mut bytes, activation.unwrap_or_default() as u32);
        push_u32(&mut bytes, parts.inputs.len() as u32);
        for input in &parts.inputs {
            match input {
                NetworkInput::Number { centre, factor, periodic, indicator } => {
                    let kinds =
                        if periodic.is_some() { [PERIODIC, PERIODIC_INDICATOR] } else { [NUMBER, NUMBER_INDICATOR] };
                    push_u32(&mut bytes, kinds[usize::from(*indicator)]);
                    push_f64s(&mut bytes, &[*centre, *factor]);
                    if let Some(periodic) = periodic {
                        push_u32(&mut bytes, periodic.width() as u32);
                        push_u32(&mut bytes, periodic.frequencies.len() as u32);
                        for numbers in [&periodic.frequencies, &periodic.phases, &periodic.weights, &periodic.biases] {
                            push_f32s(&mut bytes, numbers);
                        }
                    }
                }
                NetworkInput::OneHot { categories } => {
                    push_u32(&mut bytes, ONE_HOT);
                    push_u32(&mut bytes, *categories);
                }
                NetworkInput::Embedding { width, table } => {
                    push_u32(&mut bytes, EMBEDDING);
                    push_u32(&mut bytes, *width);
                    push_u32(&mut bytes, table.len() as u32 / width);
                    push_f32s(&mut bytes, table);
                }
            }
        }
        push_u32(&mut bytes, parts.layers.len() as u32);
        for layer in &parts.layers {
            push_u32(&mut bytes, layer.inputs as u32);
            push_u32(&mut bytes, layer.outputs() as u32);
            push_f32s(&mut bytes, &layer.weights);
            push_f32s(&mut bytes, &layer.biases);
        }
        push_u32(&mut bytes, parts.wide.len() as u32);
        for term in &parts.wide {
            push_u32(&mut bytes, term.features.len() as u32);
            for ((feature, categories), multiplier) in term.features.iter().zip(&term.categories).zip(&term.multipliers)
            {
                push_u32(&mut bytes, *feature);
                push_u32(&mut bytes, *categories);
                push_u32(&mut bytes, *multiplier as u32);
            }
            push_u32(&mut bytes, term.buckets);
            push_f32s(&mut bytes, &term.weights);
        }
        bytes
    }

    pub(in crate::learner) fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut reader = ByteReader::new(bytes, MAGIC, VERSION, "a network")?;
        let task = reader.task()?;
        let [centre, unit, low, high] = [reader.f64()?, reader.f64()?, reader.f64()?, reader.f64()?];
        let number = reader.u32()?;
        let activation = *Activation::ALL
            .get(number as usize)
            .ok_or_else(|| invalid(format!("the activation has the number {number}")))?;
        let count = reader.count(4)?;
        let inputs = (0..count).map(|_| input(&mut reader)).collect::<Result<_, _>>()?;
        let count = reader.count(8)?;
        let layers = (0..count).map(|_| layer(&mut reader)).collect::<Result<_, _>>()?;
        let count = reader.count(4)?;
        let wide = (0..count).map(|_| term(&mut reader, task.columns())).collect::<Result<_, _>>()?;
        reader.finish()?;
        let amount = AmountScale { centre, unit, low, high };
        Self::new(NetworkParts { task, inputs, activation, layers, wide, amount })
    }
}

fn product(a: usize, b: usize) -> Result<usize, ModelError> {
    a.checked_mul(b).ok_or_else(|| invalid("a table is too large"))
}

fn input(reader: &mut ByteReader<'_>) -> Result<NetworkInput, ModelError> {
    Ok(match reader.u32()? {
        kind @ (NUMBER | NUMBER_INDICATOR | PERIODIC | PERIODIC_INDICATOR) => {
            let (centre, factor) = (reader.f64()?, reader.f64()?);
            let has_waves = matches!(kind, PERIODIC | PERIODIC_INDICATOR);
            let periodic = if has_waves { Some(periodic(reader)?) } else { None };
            let indicator = matches!(kind, NUMBER_INDICATOR | PERIODIC_INDICATOR);
            NetworkInput::Number { centre, factor, periodic, indicator }
        }
        ONE_HOT => NetworkInput::OneHot { categories: reader.u32()? },
        EMBEDDING => {
            let (width, rows) = (reader.u32()?, reader.u32()?);
            NetworkInput::Embedding { width, table: reader.f32s(product(width as usize, rows as usize)?)? }
        }
        other => return Err(invalid(format!("an input has the kind {other}"))),
    })
}

fn periodic(reader: &mut ByteReader<'_>) -> Result<Periodic, ModelError> {
    let (width, waves) = (reader.u32()? as usize, reader.u32()? as usize);
    Ok(Periodic {
        frequencies: reader.f32s(waves)?,
        phases: reader.f32s(waves)?,
        weights: reader.f32s(product(waves, width)?)?,
        biases: reader.f32s(width)?,
    })
}

fn layer(reader: &mut ByteReader<'_>) -> Result<DenseLayer, ModelError> {
    let (inputs, outputs) = (reader.u32()? as usize, reader.u32()? as usize);
    Ok(DenseLayer { inputs, weights: reader.f32s(product(inputs, outputs)?)?, biases: reader.f32s(outputs)? })
}

fn term(reader: &mut ByteReader<'_>, scores: usize) -> Result<WideTerm, ModelError> {
    let count = reader.count(12)?;
    let (mut features, mut categories, mut multipliers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        features.push(reader.u32()?);
        categories.push(reader.u32()?);
        multipliers.push(u64::from(reader.u32()?));
    }
    let buckets = reader.u32()?;
    let weights = reader.f32s(product(buckets as usize, scores)?)?;
    Ok(WideTerm { features, categories, multipliers, buckets, weights })
}
