//! Which models batch, and how.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tidemill_core::DataType;
use tidemill_model::AnyModel;

use super::queue::Policy;

/// Rows of a batch where nothing is said, adaptive and fixed (the latter TF Serving's).
const ROWS_MAX_ADAPTIVE: usize = 64;
const ROWS_MAX_FIXED: usize = 1000;
/// TF Serving's.
const BATCHES_WAITING_MAX: usize = 10;
/// Waiting together costs a few microseconds: a model that answers a row quicker cannot gain.
const ROW_TIME_MIN: Duration = Duration::from_micros(50);
/// Rows together must cost less than this share of the same rows alone.
const BATCHING_GAIN_MIN: f64 = 0.5;
/// So many rows are compared, so many times; the best time counts.
const TRIAL_ROWS: usize = 16;
const TRIALS: usize = 5;

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
    try_out(model).is_some_and(|(alone, together)| {
        alone >= ROW_TIME_MIN && together.as_secs_f64() < alone.as_secs_f64() * TRIAL_ROWS as f64 * BATCHING_GAIN_MIN
    })
}

/// A recorded row; of a model that records none, the plainest row it takes.
fn sample_row(model: &AnyModel) -> Option<RecordBatch> {
    if let Some(sample) = model.sample_rows().first() {
        return model.batch_from_rows(std::slice::from_ref(&sample.row)).ok();
    }
    let mut builder = model.batch_builder(1);
    for index in 0..builder.specs().len() {
        let mut column = builder.column(index)?;
        for _ in 0..column.width() {
            let pushed = match column.spec().datatype {
                DataType::Fp64 => column.push_float(0.0),
                DataType::Int64 => column.push_int(0),
                DataType::Bool => column.push_bool(false),
                DataType::Bytes => column.push_str(""),
            };
            pushed.ok()?;
        }
    }
    builder.finish(1).ok()
}

/// The time one row takes alone, and the time [`TRIAL_ROWS`] rows take together.
fn try_out(model: &AnyModel) -> Option<(Duration, Duration)> {
    let one = sample_row(model)?;
    let many = concat_batches(one.schema_ref(), std::iter::repeat_n(&one, TRIAL_ROWS)).ok()?;
    let time = |batch: &RecordBatch| -> Option<Duration> {
        let mut best = None;
        for _ in 0..TRIALS {
            let started = Instant::now();
            model.predict(batch).ok()?;
            let took = started.elapsed();
            best = Some(best.map_or(took, |best: Duration| best.min(took)));
        }
        best
    };
    Some((time(&one)?, time(&many)?))
}
