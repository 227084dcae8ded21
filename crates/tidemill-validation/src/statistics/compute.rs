//! Statistics of everything that a reader gives.

use arrow::array::RecordBatch;
use tidemill_core::{CancelFlag, DatasetStatistics, Progress};

use super::row_sample::RowSample;
use super::slices::{SliceCounter, SlicePlan};
use super::{DatasetAccumulator, StatisticsError, StatisticsOptions};
use tidemill_data::{BatchReader, DataError};

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
    let computation =
        Computation { options: &StatisticsOptions::default(), progress, threads, cancel: &CancelFlag::default() };
    computation.run_once(reader, name)
}

/// Opens a reader of the columns named, or of all. Columns that were not asked for may come too.
pub type Open<'a> = dyn Fn(Option<&[String]>) -> Result<BatchReader, DataError> + 'a;

/// How statistics are computed; the slow way to say it is [`compute_statistics`].
#[derive(Clone, Copy)]
pub struct Computation<'a> {
    /// What is asked for.
    pub options: &'a StatisticsOptions,
    /// Told how far it is.
    pub progress: &'a dyn Progress,
    /// Threads at most; at least one is used.
    pub threads: usize,
    /// Given up as soon as it is set.
    pub cancel: &'a CancelFlag,
}

impl std::fmt::Debug for Computation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Computation")
            .field("options", &self.options)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Computation<'_> {
    /// The statistics of everything that a reader gives which `open` opens for the columns named, or all.
    ///
    /// One pass; where slices are asked for, a pass over their columns before it finds the largest.
    pub fn run(&self, open: &Open<'_>, name: &str) -> Result<DatasetStatistics, StatisticsError> {
        let mut counters: Vec<SliceCounter> = Vec::new();
        if !self.options.slices.is_empty() {
            let mut columns: Vec<String> = self.options.slices.concat();
            columns.sort();
            columns.dedup();
            let all = open(None)?.schema();
            for family in &self.options.slices {
                // What is wrong with a column is told with all columns at hand, to name the nearest.
                SliceCounter::new(&all, family)?;
            }
            let reader = open(Some(&columns))?;
            let schema = reader.schema();
            counters = self
                .options
                .slices
                .iter()
                .map(|family| SliceCounter::new(&schema, family))
                .collect::<Result<_, _>>()?;
            self.each(reader, |batch| counters.iter_mut().for_each(|counter| counter.update(batch)))?;
        }
        let reader = open(None)?;
        let schema = reader.schema();
        let mut accumulator = DatasetAccumulator::with_options(&schema, self.options)?;
        let mut plans: Vec<SlicePlan> =
            counters.iter().map(|counter| counter.plan(&schema, self.options)).collect::<Result<_, _>>()?;
        self.each(reader, |batch| {
            accumulator.update(batch);
            for plan in &mut plans {
                plan.update(batch);
            }
        })?;
        accumulator.check()?;
        let mut statistics = self.finished(&accumulator, name);
        statistics.slices = plans.iter().map(SlicePlan::finish).collect();
        Ok(statistics)
    }

    /// The statistics of everything `reader` gives, in one pass: without slices, which need two.
    pub fn run_once(&self, reader: BatchReader, name: &str) -> Result<DatasetStatistics, StatisticsError> {
        let mut accumulator = DatasetAccumulator::with_options(&reader.schema(), self.options)?;
        self.each(reader, |batch| accumulator.update(batch))?;
        accumulator.check()?;
        Ok(self.finished(&accumulator, name))
    }

    fn finished(&self, accumulator: &DatasetAccumulator, name: &str) -> DatasetStatistics {
        DatasetStatistics { sample_rate: self.options.sample_rate, ..accumulator.finish(name) }
    }

    /// Hands each batch to `take` on the threads, while the next one is read.
    fn each(&self, mut reader: BatchReader, mut take: impl FnMut(&RecordBatch) + Send) -> Result<(), StatisticsError> {
        let threads = self.threads.max(1);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|source| StatisticsError::Threads { threads, source })?;
        if let Some(rows) = reader.row_count() {
            self.progress.total_rows(rows);
        }
        pool.install(|| {
            let mut sample = RowSample::new(self.options.sample_rate);
            let mut next = reader.next().transpose()?;
            while let Some(batch) = next.take() {
                let (read, taken) = rayon::join(|| reader.next(), || sample.take(&batch).map(|drawn| take(&drawn)));
                taken?;
                self.progress.advance(batch.num_rows() as u64);
                if self.cancel.is_set() {
                    return Err(StatisticsError::Canceled);
                }
                next = read.transpose()?;
            }
            Ok(())
        })
    }
}
