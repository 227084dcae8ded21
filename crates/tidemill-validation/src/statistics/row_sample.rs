//! A part of the rows, drawn at random.

use std::borrow::Cow;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use tidemill_core::SplitMix64;

use super::StatisticsError;

/// Draws each row with the same chance, by its place in the dataset: every pass over the same rows draws the same ones,
/// whatever the size of the batches.
#[derive(Debug)]
pub(super) struct RowSample {
    rate: Option<f64>,
    next: u64,
}

impl RowSample {
    /// Each row with the chance `rate`; every row, if there is none.
    pub(super) fn new(rate: Option<f64>) -> Self {
        Self { rate, next: 0 }
    }

    /// The rows drawn of the next batch.
    pub(super) fn take<'a>(&mut self, batch: &'a RecordBatch) -> Result<Cow<'a, RecordBatch>, StatisticsError> {
        let Some(rate) = self.rate else { return Ok(Cow::Borrowed(batch)) };
        let rows = self.next..self.next + batch.num_rows() as u64;
        self.next = rows.end;
        let drawn: BooleanArray = rows.map(|row| Some(SplitMix64::to_unit(SplitMix64::nth(row)) < rate)).collect();
        Ok(Cow::Owned(filter_record_batch(batch, &drawn)?))
    }
}
