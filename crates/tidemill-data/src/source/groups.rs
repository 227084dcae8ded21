//! Groups of blocks made into batches side by side.

use arrow::array::RecordBatch;
use rayon::prelude::*;

use crate::DataError;

/// Batches that wait to be given, made a group of blocks at a time.
#[derive(Debug, Default)]
pub(super) struct Groups {
    ready: std::vec::IntoIter<RecordBatch>,
}

impl Groups {
    /// The next batch: one that waits, or the first of the next group, whose blocks `make` turns into batches on all threads.
    /// An empty group is the end; batches without rows are left out.
    pub(super) fn next<B: Sync>(
        &mut self,
        mut group: impl FnMut() -> Result<Vec<B>, DataError>,
        make: impl Fn(&B) -> Result<Vec<RecordBatch>, DataError> + Sync,
    ) -> Option<Result<RecordBatch, DataError>> {
        loop {
            if let Some(batch) = self.ready.next() {
                return Some(Ok(batch));
            }
            let blocks = match group() {
                Ok(blocks) if blocks.is_empty() => return None,
                Ok(blocks) => blocks,
                Err(error) => return Some(Err(error)),
            };
            let made: Vec<Result<Vec<RecordBatch>, DataError>> = blocks.par_iter().map(&make).collect();
            match made.into_iter().collect::<Result<Vec<_>, _>>() {
                Ok(batches) => {
                    let batches = batches.into_iter().flatten().filter(|batch| batch.num_rows() > 0);
                    self.ready = batches.collect::<Vec<_>>().into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
