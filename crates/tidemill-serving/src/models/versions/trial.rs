//! Trying a model out while it is loaded.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tidemill_core::DataType;
use tidemill_model::LoadedModel;

/// A batch is predicted this many times, and the best time counts: on a busy machine the others are noise.
const TRIALS: usize = 5;
/// A model that takes longer than this is not tried again.
const SLOW: Duration = Duration::from_millis(20);

/// Up to `rows` rows: the recorded ones, repeated. `None` if the model cannot be tried.
pub(crate) fn sample_rows(model: &LoadedModel, rows: usize) -> Option<RecordBatch> {
    let recorded: Vec<_> = model.sample_rows().iter().take(rows.max(1)).map(|sample| sample.row.clone()).collect();
    let some = if recorded.is_empty() { plainest_row(model)? } else { model.batch_from_rows(&recorded).ok()? };
    if some.num_rows() >= rows {
        return Some(some.slice(0, rows));
    }
    let times = rows.div_ceil(some.num_rows().max(1));
    let many = concat_batches(some.schema_ref(), std::iter::repeat_n(&some, times)).ok()?;
    Some(many.slice(0, rows))
}

/// The best time of a few predictions of `batch`. `None` if one fails.
pub(crate) fn best_time(model: &LoadedModel, batch: &RecordBatch) -> Option<Duration> {
    let mut best: Option<Duration> = None;
    for _ in 0..TRIALS {
        let started = Instant::now();
        model.predict(batch).ok()?;
        let took = started.elapsed();
        best = Some(best.map_or(took, |best| best.min(took)));
        if took > SLOW {
            break;
        }
    }
    best
}

/// A row of zeros, false and empty texts.
fn plainest_row(model: &LoadedModel) -> Option<RecordBatch> {
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
