//! Whether rows of different requests may be run together.
//!
//! A server that joins requests must not let one row change the answer of another. Operators over whole batches
//! (a softmax over rows, a mean over axis 0, a scale of quantization that the largest number decides) do that, and
//! nothing in a file says so. A model is tried when it is loaded: a row alone, among copies of itself, and among rows
//! of extreme numbers, at every place of the batch.

use std::time::{Duration, Instant};

use tidemill_model::{Dimension, TensorInfo};

use super::engine::{Engine, difference};
use super::generated::GraphProto;
use super::ops::control::graphs;
use super::samples::{Fill, fitting, sample};
use super::value::Tensor;

/// Relative difference up to which a row says the same: matrices of other sizes may be added up in another order.
const TOLERANCE: f64 = 1e-6;

/// A large network is tried with fewer samples.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Operators whose result for a row may depend on the other rows in ways that samples can miss: conditions on values
/// of the batch, positions counted through it, and scales that it decides.
const WHOLE_BATCH: [&str; 17] = [
    "If",
    "Loop",
    "Scan",
    "NonZero",
    "Unique",
    "Compress",
    "NonMaxSuppression",
    "RoiAlign",
    "DynamicQuantizeLinear",
    "SequenceAt",
    "SequenceMap",
    "SplitToSequence",
    "NegativeLogLikelihoodLoss",
    "SoftmaxCrossEntropyLoss",
    "MeanVarianceNormalization",
    "CumSum",
    "StringSplit",
];

/// Why rows may not be joined; `Ok` if each row was found to be treated by itself.
pub(super) fn of_rows(engine: &Engine, graph: &GraphProto, inputs: &[TensorInfo]) -> Result<(), String> {
    if engine.is_single() {
        return Err("the engine runs one row at a time".to_owned());
    }
    for info in inputs {
        let first = info.shape.as_ref().and_then(|shape| shape.first());
        if info.sequence || !matches!(first, Some(Dimension::Named(_) | Dimension::Open)) {
            return Err(format!("the input `{}` has no open first dimension", info.name));
        }
    }
    if inputs.is_empty() {
        return Err("it has no inputs".to_owned());
    }
    if let Some(operator) = whole_batch(graph) {
        return Err(format!("`{operator}` may look at all rows together"));
    }
    let run = |sample: Vec<Tensor>| engine.run(sample);
    let mut compared = 0;
    let started = Instant::now();
    for seed in 1..4 {
        if seed > 1 && started.elapsed() > TIME_MAX {
            break;
        }
        let Ok((open, alone)) = fitting(inputs, 1, Fill::Small(seed), run) else { continue };
        let row = sample(inputs, 1, open, Fill::Small(seed))?;
        let far = |seed| sample(inputs, 2, open, Fill::Extreme(seed));
        let near = sample(inputs, 2, open, Fill::Small(seed + 100))?;
        let batches = [
            (join(&[&row, &row])?, vec![0, 1]),
            (join(&[&row, &far(seed)?])?, vec![0]),
            (join(&[&far(seed + 7)?, &row])?, vec![2]),
            (join(&[&near, &row, &far(seed + 9)?, &row])?, vec![2, 5]),
        ];
        for (batch, places) in batches {
            if compared < 4 && started.elapsed() > TIME_MAX * 5 {
                return Err("trying it takes too long".to_owned());
            }
            let rows = batch.first().map_or(0, |tensor| tensor.shape[0]);
            let Ok(together) = run(batch) else { continue };
            for place in places {
                compare(&alone, &together, place, rows)?;
            }
            compared += 1;
        }
    }
    if compared < 4 { Err("too few samples of its inputs can be run".to_owned()) } else { Ok(()) }
}

fn whole_batch(graph: &GraphProto) -> Option<&str> {
    let of_node = |node| graphs(node).into_iter().find_map(|(_, inner)| whole_batch(inner));
    graph.node.iter().find_map(|node| {
        let listed = WHOLE_BATCH.contains(&node.op_type.as_str()).then_some(node.op_type.as_str());
        listed.or_else(|| of_node(node))
    })
}

/// The rows of several samples, one after another.
fn join(parts: &[&Vec<Tensor>]) -> Result<Vec<Tensor>, String> {
    let count = parts.first().map_or(0, |part| part.len());
    (0..count).map(|at| Tensor::concat(&parts.iter().map(|part| &part[at]).collect::<Vec<_>>(), 0)).collect()
}

fn compare(alone: &[Tensor], together: &[Tensor], place: usize, rows: usize) -> Result<(), String> {
    for (alone, together) in alone.iter().zip(together) {
        let fits = alone.shape.first() == Some(&1)
            && together.shape.first() == Some(&rows)
            && alone.shape[1..] == together.shape[1..];
        if !fits {
            return Err("an output has not a row for each row of the inputs".to_owned());
        }
        let width = alone.data.len();
        let own: Vec<usize> = (place * width..(place + 1) * width).collect();
        let own = together.taken(alone.shape.clone(), &own)?;
        if let Some(difference) = difference(alone, &own, TOLERANCE) {
            return Err(format!("other rows change the answer of a row: it gives {difference}"));
        }
    }
    Ok(())
}
