//! Rows of raw input that go into the package.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use tidemill_core::TensorSpec;

/// Rows that a package records.
const RECORDED: u64 = 32;
/// Rows picked: the package leaves out those that a request could not send.
const PICKED: u64 = 2 * RECORDED;

/// Picks rows spread evenly over a split. The first half of what it gives is spread as evenly as the whole.
#[derive(Debug)]
pub(super) struct SamplePicker {
    /// Row numbers still to come, last first, each with its place in the sample.
    ahead: Vec<(u64, u64)>,
    seen: u64,
    picked: Vec<(u64, RecordBatch)>,
}

impl SamplePicker {
    /// A picker over `rows` rows.
    pub(super) fn new(rows: u64) -> Self {
        let count = rows.min(PICKED);
        let place = |at: u64| if at.is_multiple_of(2) { at / 2 } else { count.div_ceil(2) + at / 2 };
        let ahead = (0..count).rev().map(|at| ((2 * at + 1) * rows / (2 * count), place(at))).collect();
        Self { ahead, seen: 0, picked: Vec::new() }
    }

    /// Looks at the next rows.
    pub(super) fn push(&mut self, batch: &RecordBatch) {
        let end = self.seen + batch.num_rows() as u64;
        while let Some((row, place)) = self.ahead.pop_if(|(row, _)| *row < end) {
            self.picked.push((place, batch.slice((row - self.seen) as usize, 1)));
        }
        self.seen = end;
    }

    /// The rows picked, with the columns of `inputs` only.
    pub(super) fn finish(mut self, inputs: &[TensorSpec]) -> Result<RecordBatch, ArrowError> {
        self.picked.sort_by_key(|(place, _)| *place);
        let Some((_, first)) = self.picked.first() else {
            return Ok(RecordBatch::new_empty(Arc::new(Schema::empty())));
        };
        let rows = concat_batches(&first.schema(), self.picked.iter().map(|(_, row)| row))?;
        let schema = rows.schema();
        let columns: Result<Vec<usize>, ArrowError> = inputs.iter().map(|input| schema.index_of(&input.name)).collect();
        rows.project(&columns?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type};

    use super::*;

    fn picked(rows: u64, batch_rows: usize) -> Vec<i64> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let mut picker = SamplePicker::new(rows);
        let numbers: Vec<i64> = (0..rows as i64).collect();
        for part in numbers.chunks(batch_rows) {
            let column = Arc::new(Int64Array::from(part.to_vec()));
            picker.push(&RecordBatch::try_new(schema.clone(), vec![column]).unwrap());
        }
        let input = TensorSpec::new("n", tidemill_core::DataType::Int64, false);
        picker.finish(&[input]).unwrap().column(0).as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn rows_are_spread_and_the_same_for_any_batch_size() {
        let rows = picked(6400, 1000);
        assert_eq!(rows.len(), 64);
        assert_eq!(rows[..3], [50, 250, 450]);
        assert_eq!(rows[32..35], [150, 350, 550]);
        assert_eq!(rows, picked(6400, 7));
    }

    #[test]
    fn a_small_split_is_taken_whole() {
        assert_eq!(picked(5, 2), [0, 2, 4, 1, 3]);
        assert_eq!(picked(1, 2), [0]);
    }
}
