//! Which models batch, and how.

use std::time::Duration;

use tidemill_model::AnyModel;

use super::queue::Policy;
use crate::models::versions::trial::{best_time, sample_rows};

/// Rows of a batch where nothing is said, adaptive and fixed (the latter TF Serving's).
const ROWS_MAX_ADAPTIVE: usize = 64;
const ROWS_MAX_FIXED: usize = 1000;
/// TF Serving's.
const BATCHES_WAITING_MAX: usize = 10;
/// Waiting together costs a few microseconds: a model that answers a row quicker cannot gain.
const ROW_TIME_MIN: Duration = Duration::from_micros(50);
/// Rows together must cost less than this share of the same rows alone.
const BATCHING_GAIN_MIN: f64 = 0.5;
/// Rows that are compared.
const TRIAL_ROWS: usize = 16;

/// When requests of different clients run together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Batching {
    /// Never.
    Off,
    /// For models that gain from it, which is measured as they are loaded.
    #[default]
    Adaptive,
    /// For every model.
    Fixed,
}

/// How requests run together. What is `None` follows from the mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchingOptions {
    /// Which models do it.
    pub mode: Batching,
    /// Rows of a batch at most. Requests with more run by themselves. Default 64; fixed: 1000.
    pub batch_rows_max: Option<usize>,
    /// The oldest request of a batch waits so long for company. Default 0: never longer than until a thread is free.
    pub queue_delay_max: Option<Duration>,
    /// Batches that wait at most; more is refused (503, `UNAVAILABLE`). Default 10, adaptive: 64.
    pub batches_waiting_max: Option<usize>,
    /// Batches of a model that run at one time. Default: one for each core.
    pub threads: Option<usize>,
}

impl BatchingOptions {
    /// How this model batches, if it does.
    pub(crate) fn policy_for(&self, model: &AnyModel) -> Option<Policy> {
        let fixed = match self.mode {
            Batching::Off => return None,
            Batching::Adaptive => false,
            Batching::Fixed => true,
        };
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

/// Whether rows together cost much less than the same rows alone. Trees do not gain: a row costs them the same in any
/// company; a model that multiplies matrices does. A model that cannot be tried does not gain.
fn benefits_from_batching(model: &AnyModel) -> bool {
    let time = |rows| sample_rows(model, rows).and_then(|batch| best_time(model, &batch));
    let Some(alone) = time(1) else { return false };
    let Some(together) = time(TRIAL_ROWS) else { return false };
    alone >= ROW_TIME_MIN && together.as_secs_f64() < alone.as_secs_f64() * TRIAL_ROWS as f64 * BATCHING_GAIN_MIN
}
