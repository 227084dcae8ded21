//! A whole dataset.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use rayon::prelude::*;
use tidemill_core::{CancelFlag, Code, Coded, DatasetStatistics, Progress};

use super::column::ColumnAccumulator;
use crate::{BatchReader, DataError};

/// Statistics in the making: takes in batches, merges with others of the same columns, gives [`DatasetStatistics`].
///
/// Counts, extremes, moments and equal-width histograms do not depend on how rows were divided over accumulators
/// (moments up to rounding); quantiles, distinct and frequent values do not while they are counted, and are within
/// their stated error where they are sketched.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{Float64Array, RecordBatch};
/// use tidemill_data::DatasetAccumulator;
///
/// let fare = Arc::new(Float64Array::from(vec![Some(3.0), None, Some(5.0)])) as _;
/// let batch = RecordBatch::try_from_iter([("fare", fare)])?;
/// let mut accumulator = DatasetAccumulator::new(&batch.schema());
/// accumulator.update(&batch);
/// let statistics = accumulator.finish("trips");
/// let fare = statistics.feature("fare").and_then(|fare| fare.numeric.clone());
/// assert_eq!(fare.map(|fare| fare.mean), Some(4.0));
/// # Ok::<(), arrow::error::ArrowError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DatasetAccumulator {
    rows: u64,
    columns: Vec<ColumnAccumulator>,
}

impl DatasetAccumulator {
    /// Nothing seen yet of the columns of `schema`.
    pub fn new(schema: &Schema) -> Self {
        let columns =
            schema.fields().iter().map(|field| ColumnAccumulator::new(field.name(), field.data_type())).collect();
        Self { rows: 0, columns }
    }

    /// Takes in a batch, its columns side by side on the threads of the current `rayon` pool.
    ///
    /// Each column sees its values in the order of the rows whatever the number of threads, so the result is the
    /// same for any.
    pub fn update(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        self.columns
            .par_iter_mut()
            .zip(batch.columns().par_iter())
            .with_max_len(1)
            .for_each(|(column, array)| column.update(array.as_ref()));
    }

    /// Takes in what another accumulator of the same columns has seen. Merge in a fixed order for a reproducible result.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        for (mine, theirs) in self.columns.iter_mut().zip(&other.columns) {
            mine.merge(theirs);
        }
    }

    /// The statistics of everything seen so far, for a dataset called `name`.
    pub fn finish(&self, name: &str) -> DatasetStatistics {
        DatasetStatistics {
            name: name.to_owned(),
            num_examples: self.rows,
            features: self.columns.par_iter().map(ColumnAccumulator::finish).collect(),
        }
    }
}

/// Why statistics could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// The rows could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run was cancelled.
    #[error("the run was cancelled")]
    Canceled,
    /// The operating system gave no threads.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What went wrong.
        source: rayon::ThreadPoolBuildError,
    },
}

impl Coded for StatisticsError {
    fn code(&self) -> Code {
        match self {
            Self::Data(error) => error.code(),
            Self::Canceled => Code::Canceled,
            Self::Threads { .. } => Code::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Data(error) => error.hint(),
            Self::Canceled | Self::Threads { .. } => None,
        }
    }
}

/// Statistics of everything `reader` gives, in one pass, on at most `threads` threads (at least one).
///
/// The next batch is read while the one before is taken in; memory does not grow with the number of rows. The
/// result is the same for any number of threads.
pub fn compute_statistics(
    reader: BatchReader,
    name: &str,
    progress: &dyn Progress,
    threads: usize,
) -> Result<DatasetStatistics, StatisticsError> {
    compute_until(reader, name, progress, threads, &CancelFlag::default())
}

/// [`compute_statistics`], given up as soon as `cancel` is set.
pub(crate) fn compute_until(
    mut reader: BatchReader,
    name: &str,
    progress: &dyn Progress,
    threads: usize,
    cancel: &CancelFlag,
) -> Result<DatasetStatistics, StatisticsError> {
    let threads = threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|source| StatisticsError::Threads { threads, source })?;
    if let Some(rows) = reader.row_count() {
        progress.total_rows(rows);
    }
    pool.install(|| {
        let mut accumulator = DatasetAccumulator::new(&reader.schema());
        let mut next = reader.next().transpose()?;
        while let Some(batch) = next.take() {
            let (read, ()) = rayon::join(|| reader.next(), || accumulator.update(&batch));
            progress.advance(batch.num_rows() as u64);
            if cancel.is_set() {
                return Err(StatisticsError::Canceled);
            }
            next = read.transpose()?;
        }
        Ok(accumulator.finish(name))
    })
}
