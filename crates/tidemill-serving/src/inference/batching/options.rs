//! Which models batch, and how.

use std::time::Duration;

use tidemill_model::LoadedModel;

use super::queue::Policy;
use crate::models::versions::trial::{best_time, sample_rows};

/// Default rows of a batch, adaptive and fixed (the latter is TF Serving's default).
const ROWS_MAX_ADAPTIVE: usize = 64;
const ROWS_MAX_FIXED: usize = 1000;
/// TF Serving's default.
const BATCHES_WAITING_MAX: usize = 10;
/// Waiting in a batch costs a few microseconds, so a model that answers a row faster than this cannot gain.
const ROW_TIME_MIN: Duration = Duration::from_micros(50);
/// Batching must reduce the cost per row at least to this fraction.
const BATCHING_GAIN_MIN: f64 = 0.5;
/// How many rows the measurement compares.
const TRIAL_ROWS: usize = 16;

/// When requests of different clients run together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Batching {
    /// Never.
    Off,
    /// Only for models that gain from it, which is measured at load.
    #[default]
    Adaptive,
    /// For every model.
    Fixed,
}

/// How requests run together. `None` takes the default of the mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchingOptions {
    /// Which models batch.
    pub mode: Batching,
    /// The maximum rows of a batch. Larger requests run on their own. Default 64; fixed: 1000.
    pub batch_rows_max: Option<usize>,
    /// How long the oldest request of a batch waits for others. Default 0: only until a thread is free.
    pub queue_delay_max: Option<Duration>,
    /// The maximum number of waiting batches; more requests are rejected (503, `UNAVAILABLE`). Default 10, adaptive:
    /// 64.
    pub batches_waiting_max: Option<usize>,
    /// How many batches of a model run at the same time. Default: one per core.
    pub threads: Option<usize>,
}

impl BatchingOptions {
    /// How this model batches, if it does.
    pub(crate) fn policy_for(&self, model: &LoadedModel) -> Option<Policy> {
        let fixed = match self.mode {
            Batching::Off => return None,
            Batching::Adaptive => false,
            Batching::Fixed => true,
        };
        if let Some(Err(reason)) = model.tensors().map(|tensors| tensors.rows_are_independent()) {
            tracing::info!(reason, "requests are never joined: the rows of this model may change each other's answers");
            return None;
        }
        if !fixed && !benefits_from_batching(model) {
            return None;
        }
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (rows_max, waiting) =
            if fixed { (ROWS_MAX_FIXED, BATCHES_WAITING_MAX) } else { (ROWS_MAX_ADAPTIVE, ROWS_MAX_ADAPTIVE) };
        Some(Policy {
            rows_max: self.batch_rows_max.unwrap_or(rows_max).max(1),
            delay_max: self.queue_delay_max.unwrap_or_default(),
            threads: self.threads.unwrap_or_else(cores).max(1),
            batches_waiting_max: self.batches_waiting_max.unwrap_or(waiting).max(1),
        })
    }
}

/// Whether running rows together costs much less per row than running them alone. Trees do not gain: a row always costs
/// them the same. A model that multiplies matrices does. A model that cannot be tried does not gain.
fn benefits_from_batching(model: &LoadedModel) -> bool {
    let time = |rows| sample_rows(model, rows).and_then(|batch| best_time(model, &batch));
    let Some(alone) = time(1) else { return false };
    let Some(together) = time(TRIAL_ROWS) else { return false };
    alone >= ROW_TIME_MIN && together.as_secs_f64() < alone.as_secs_f64() * TRIAL_ROWS as f64 * BATCHING_GAIN_MIN
}
