//! The training loop.

use rayon::prelude::*;
use tidemill_core::{ComponentError, SplitMix64, Task};

use super::BLOCK_ROWS;
use super::adam::Step;
use super::checkpoint::Checkpoints;
use super::net::{Block, Dropout, Net};
use super::recipe::Recipe;
use super::rows::EncodedRows;
use super::state::{Best, State};
use super::tables::TableSteps;

/// By how much the learned scale of inputs learns faster than the weights, and biases and waves of numbers more slowly.
const SCALE_RATE: f64 = 6.0;
const BIAS_RATE: f64 = 0.1;
const WAVE_RATE: f64 = 0.1;
const ORDER_STREAM: u64 = 0x6f72_6465;
const DROPOUT_STREAM: u64 = 0x6472_6f70;
/// Blocks of one task when rows are only judged.
const JUDGED_ROWS: usize = 16 * BLOCK_ROWS;

/// An epoch that has just ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch {
    /// Its number, from 1.
    pub(super) epoch: u32,
    pub(super) validation: Option<f64>,
}

/// What came of training.
#[derive(Debug)]
pub(super) struct Trained {
    pub(super) net: Net,
    /// How many epochs were run.
    pub(super) epochs: u32,
    /// The epoch whose weights are kept.
    pub(super) best_epoch: u32,
    /// The loss on the validation rows after each epoch.
    pub(super) validation_curve: Vec<f64>,
    /// The mean loss of the training rows during each epoch.
    pub(super) train_curve: Vec<f64>,
}

/// The loss of a mean: the root of a squared error, the log-loss itself.
fn metric(task: &Task, mean: f64) -> f64 {
    if *task == Task::Regression { mean.sqrt() } else { mean }
}

/// How a training is run.
pub(super) struct Attempt<'a> {
    pub(super) seed: u64,
    /// With them it goes on where an attempt before it was killed.
    pub(super) checkpoints: Option<Checkpoints>,
    /// Whether to end after an epoch with what there is.
    pub(super) is_over: &'a dyn Fn() -> bool,
}

impl Attempt<'_> {
    /// All epochs, from the first.
    pub(super) fn whole(seed: u64) -> Self {
        Self { seed, checkpoints: None, is_over: &|| false }
    }
}

/// Trains `net`, calling `watch` after every epoch that this attempt runs; its error ends the training.
pub(super) fn fit<E: From<ComponentError>>(
    recipe: &Recipe,
    net: Net,
    train: &EncodedRows,
    validation: Option<&EncodedRows>,
    attempt: Attempt<'_>,
    mut watch: impl FnMut(Epoch) -> Result<(), E>,
) -> Result<Trained, E> {
    let Attempt { seed, mut checkpoints, is_over } = attempt;
    let rows = train.rows();
    // Batches of about equal size, so that no step is made on a handful of rows.
    let batches = (rows as f64 / recipe.batch_rows as f64).round().max(1.0) as usize;
    let mut blocks: Vec<Block> = Vec::new();
    let mut state = State::new(net);
    if let Some(checkpoints) = &checkpoints {
        checkpoints.resume(&mut state);
    }

    while state.epochs < recipe.epochs && !is_enough(recipe, &state) {
        let epoch = state.epochs + 1;
        let order = shuffled(rows, seed, epoch);
        let (mut loss, mut weight) = (0.0, 0.0);
        for batch in 0..batches {
            let rows = &order[batch * rows / batches..(batch + 1) * rows / batches];
            state.steps += 1;
            let number = state.steps;
            let t = (f64::from(epoch - 1) + batch as f64 / batches as f64) / f64::from(recipe.epochs);
            gradients(recipe, &state.net, train, rows, seed ^ number << 20, &mut blocks);
            let used = &blocks[..rows.len().div_ceil(BLOCK_ROWS)];
            for block in used {
                loss += block.loss;
                weight += block.weight;
            }
            let share = recipe.schedule.share(t);
            let step = |rate: f64, decay: f32| Step::new(number, (rate * share) as f32, decay, recipe.beta2);
            // The vectors first: they need the scales with which the derivatives were computed.
            let scores: Vec<f32> = used.iter().filter_map(|block| block.values.last()).flatten().copied().collect();
            let steps = TableSteps {
                vectors: step(recipe.learning_rate, 0.0),
                waves: step(recipe.learning_rate * WAVE_RATE, 0.0),
                wide: step(recipe.wide_learning_rate, 0.0),
            };
            state.tables.step(&mut state.net, train, rows, used, &scores, steps);
            for (at, (tensor, moments)) in state.net.dense.iter_mut().zip(&mut state.moments).enumerate() {
                let step = match at {
                    0 => step(recipe.learning_rate * SCALE_RATE, 0.0),
                    at if at % 2 == 1 => step(recipe.learning_rate, recipe.weight_decay),
                    _ => step(recipe.learning_rate * BIAS_RATE, 0.0),
                };
                let parts: Vec<&[f32]> = used.iter().map(|block| block.gradients[at].as_slice()).collect();
                moments.move_all(tensor, &parts, step);
            }
        }
        state.epochs = epoch;
        state.train_curve.push(metric(&state.net.task, loss / weight));
        let judged = validation.map(|rows| metric(&state.net.task, mean_loss(&state.net, rows)));
        state.validation_curve.extend(judged);
        // Without a number to compare, an epoch is not the best.
        if let Some(loss) = judged.filter(|loss| loss.is_finite())
            && state.best.as_ref().is_none_or(|best| loss < best.loss)
        {
            state.best = Some(Best { epoch, loss, net: state.net.clone() });
        }
        if let Some(checkpoints) = &mut checkpoints {
            checkpoints.keep(&mut state)?;
        }
        watch(Epoch { epoch, validation: judged })?;
        if is_over() {
            break;
        }
    }
    let State { net, epochs, best, validation_curve, train_curve, .. } = state;
    let (best_epoch, net) = best.map_or((epochs, net), |best| (best.epoch, best.net));
    Ok(Trained { net, epochs, best_epoch, validation_curve, train_curve })
}

/// Whether the loss on the validation rows has not fallen for long enough.
fn is_enough(recipe: &Recipe, state: &State) -> bool {
    let is_judged = !state.validation_curve.is_empty();
    is_judged && recipe.patience > 0 && state.epochs - state.best_epoch() >= recipe.patience
}

/// The rows in the order of an epoch.
fn shuffled(rows: usize, seed: u64, epoch: u32) -> Vec<u32> {
    let mut draw = SplitMix64::new(SplitMix64::hash(seed ^ SplitMix64::hash(ORDER_STREAM ^ u64::from(epoch) << 32)));
    let mut order: Vec<u32> = (0..rows as u32).collect();
    for at in (1..rows).rev() {
        order.swap(at, draw.below(at as u64 + 1) as usize);
    }
    order
}

/// Runs the blocks of a batch forward and backward.
pub(super) fn gradients(
    recipe: &Recipe,
    net: &Net,
    data: &EncodedRows,
    rows: &[u32],
    seed: u64,
    blocks: &mut Vec<Block>,
) {
    let count = rows.len().div_ceil(BLOCK_ROWS);
    if blocks.len() < count {
        blocks.resize_with(count, Block::default);
    }
    let batch = rows.len() as f32;
    blocks[..count].par_iter_mut().zip(rows.par_chunks(BLOCK_ROWS)).enumerate().for_each(|(at, (block, rows))| {
        let draw = SplitMix64::hash(seed ^ SplitMix64::hash(DROPOUT_STREAM ^ (at as u64) << 32));
        let dropout = (recipe.dropout > 0.0).then_some(Dropout { share: recipe.dropout, draw });
        net.forward(data, rows, dropout, block);
        net.score_gradients(data, rows, recipe.label_smoothing, batch, block);
        net.backward(block);
    });
}

/// The weighted mean loss of rows, without label smoothing.
pub(super) fn mean_loss(net: &Net, data: &EncodedRows) -> f64 {
    let all: Vec<u32> = (0..data.rows() as u32).collect();
    let parts: Vec<(f64, f64)> = all
        .par_chunks(JUDGED_ROWS)
        .map(|rows| {
            let mut block = Block::default();
            rows.chunks(BLOCK_ROWS).fold((0.0, 0.0), |(loss, weight), rows| {
                net.forward(data, rows, None, &mut block);
                net.score_gradients(data, rows, 0.0, 1.0, &mut block);
                (loss + block.loss, weight + block.weight)
            })
        })
        .collect();
    let (loss, weight) = parts.into_iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    loss / weight
}
