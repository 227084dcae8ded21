//! The parameters of a network with every default decided.

use tidemill_core::Task;
use tidemill_model::Activation;

use super::params::{Mlp, Schedule};

/// Epochs by default for a table of few rows, and at least for one of many.
const EPOCHS: u32 = 256;
const EPOCHS_MIN: u32 = 16;
/// Rows up to which the default number of epochs stays.
const FEW_ROWS: usize = 20_000;

/// What training does.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) hidden: Vec<usize>,
    pub(super) activation: Activation,
    pub(super) epochs: u32,
    pub(super) batch_rows: usize,
    pub(super) learning_rate: f64,
    pub(super) wide_learning_rate: f64,
    pub(super) schedule: Schedule,
    pub(super) beta2: f32,
    pub(super) weight_decay: f32,
    pub(super) dropout: f32,
    pub(super) label_smoothing: f32,
    /// Epochs without a better loss after which training stops; 0: never.
    pub(super) patience: u32,
}

impl Recipe {
    /// The recipe for so many rows.
    pub(super) fn new(params: &Mlp, wide_learning_rate: f64, task: &Task, rows: usize) -> Self {
        let is_amount = *task == Task::Regression;
        let default_epochs = ((EPOCHS as usize * FEW_ROWS / rows.max(FEW_ROWS)) as u32).clamp(EPOCHS_MIN, EPOCHS);
        Self {
            hidden: params.hidden.iter().map(|width| *width as usize).collect(),
            activation: params.activation.unwrap_or(if is_amount { Activation::Mish } else { Activation::Selu }),
            epochs: params.epochs.unwrap_or(default_epochs),
            batch_rows: params.batch_size as usize,
            learning_rate: params.learning_rate.unwrap_or(if is_amount { 0.07 } else { 0.04 }),
            wide_learning_rate,
            schedule: params.schedule,
            beta2: params.beta2 as f32,
            weight_decay: params.weight_decay as f32,
            dropout: params.dropout as f32,
            label_smoothing: if is_amount { 0.0 } else { params.label_smoothing as f32 },
            patience: params.early_stopping,
        }
    }
}
