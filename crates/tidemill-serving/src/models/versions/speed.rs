//! Which requests a model answers on the I/O threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidemill_core::RowShape;
use tidemill_model::LoadedModel;

use super::trial::{best_time, sample_rows};

/// The longest a request may use an I/O thread. Moving it to another thread costs a few microseconds, and a shorter
/// request delays no other.
const INLINE_TIME_MAX: Duration = Duration::from_micros(500);
/// A prediction on an I/O thread that takes longer than this is slow, whatever the measurement at load found.
const SLOW: Duration = Duration::from_millis(10);
/// One slow prediction may be caused by the machine. This many in a row are caused by the model.
const SLOW_IN_A_ROW_MAX: usize = 3;

/// The most rows that a version predicts on an I/O thread, as measured.
#[derive(Debug)]
pub(super) struct InlineLimit {
    rows: AtomicUsize,
    slow_in_a_row: AtomicUsize,
}

impl InlineLimit {
    /// Nothing runs on an I/O thread.
    pub(super) fn never() -> Self {
        Self { rows: AtomicUsize::new(0), slow_in_a_row: AtomicUsize::new(0) }
    }

    /// Measures the largest batch of at most `rows_max` rows that takes an I/O thread for no longer than
    /// [`INLINE_TIME_MAX`], halving the rows down to one. A model that cannot be tried gets none, and neither does one
    /// that takes pictures, because their size does not predict their cost.
    pub(super) fn measure(model: &LoadedModel, rows_max: usize) -> Self {
        let limit = Self::never();
        if model.signature().inputs.iter().any(|input| input.form == RowShape::Binary) {
            return limit;
        }
        let mut rows = rows_max;
        while rows > 0 {
            let took = sample_rows(model, rows).and_then(|batch| best_time(model, &batch));
            match took {
                Some(took) if took <= INLINE_TIME_MAX => {
                    limit.rows.store(rows, Ordering::Relaxed);
                    return limit;
                }
                // Too slow even for half of it.
                Some(took) if took > SLOW => rows = rows.min(2) / 2,
                Some(_) => rows /= 2,
                None => return limit,
            }
        }
        limit
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// Records how long a prediction on an I/O thread took. Returns `true` at the last tolerated slow prediction; from
    /// then on nothing runs there.
    pub(super) fn took(&self, took: Duration) -> bool {
        if took <= SLOW {
            if self.slow_in_a_row.load(Ordering::Relaxed) > 0 {
                self.slow_in_a_row.store(0, Ordering::Relaxed);
            }
            return false;
        }
        if self.slow_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 < SLOW_IN_A_ROW_MAX {
            return false;
        }
        self.rows.swap(0, Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_leaves_the_io_threads_after_slow_predictions_in_a_row() {
        let limit = InlineLimit::never();
        limit.rows.store(256, Ordering::Relaxed);
        let (slow, quick) = (SLOW + Duration::from_millis(1), Duration::from_micros(20));
        for took in [slow, slow, quick, slow, slow] {
            assert!(!limit.took(took));
        }
        assert_eq!(limit.rows(), 256);
        assert!(limit.took(slow), "the third in a row");
        assert_eq!(limit.rows(), 0);
        assert!(!limit.took(slow), "it is reported once");
    }
}
