//! A whole dataset.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use rayon::prelude::*;
use tidemill_core::DatasetStatistics;

use super::column::ColumnAccumulator;
use super::cross::CrossAccumulator;
use super::state::{self, stored};
use super::weight::WeightColumn;
use super::{StateError, StatisticsError, StatisticsOptions};

/// Statistics in the making: takes in batches, merges with others of the same columns, gives [`DatasetStatistics`].
///
/// Counts, extremes, moments and equal-width histograms do not depend on how rows were divided over accumulators
/// (moments up to rounding); quantiles, distinct and frequent values do not while they are counted, and are within
/// their stated error where they are sketched.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{Float64Array, RecordBatch};
/// use tidemill_validation::DatasetAccumulator;
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
    weight: Option<WeightColumn>,
    cross: Option<CrossAccumulator>,
}

stored!(DatasetAccumulator { rows, columns, weight, cross });

impl DatasetAccumulator {
    /// Nothing seen yet of the columns of `schema`.
    pub fn new(schema: &Schema) -> Self {
        Self { rows: 0, columns: columns(schema, false), weight: None, cross: None }
    }

    /// Nothing seen yet of the columns of `schema`, for the statistics asked for but for slices: those need two
    /// passes. A column that is not there or of a type that will not do is an error.
    pub fn with_options(schema: &Schema, options: &StatisticsOptions) -> Result<Self, StatisticsError> {
        let weight = options.weight.as_ref().map(|column| WeightColumn::new(schema, column)).transpose()?;
        let cross = CrossAccumulator::new(schema, options)?;
        Ok(Self { rows: 0, columns: columns(schema, weight.is_some()), weight, cross: Some(cross) })
    }

    /// Takes in a batch, its columns side by side on the threads of the current `rayon` pool.
    ///
    /// Each column sees its values in the order of the rows whatever the number of threads, so the result is the
    /// same for any.
    pub fn update(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        let weights = self.weight.as_mut().map(|weight| weight.take(batch));
        self.columns
            .par_iter_mut()
            .zip(batch.columns().par_iter())
            .with_max_len(1)
            .for_each(|(column, array)| column.update(array.as_ref(), weights.as_deref()));
        if let Some(cross) = &mut self.cross {
            cross.update(batch);
        }
    }

    /// [`DatasetAccumulator::update`] on the calling thread alone, with the same result: for callers that divide the
    /// rows themselves, and for small batches.
    pub fn update_alone(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        let weights = self.weight.as_mut().map(|weight| weight.take(batch));
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.update(array.as_ref(), weights.as_deref());
        }
        if let Some(cross) = &mut self.cross {
            cross.update(batch);
        }
    }

    /// Bytes held, about; without what is weighted or of pairs.
    pub fn memory(&self) -> usize {
        self.columns.iter().map(ColumnAccumulator::memory).sum()
    }

    /// Takes in what another accumulator of the same columns has seen. Merge in a fixed order for a reproducible result.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        for (mine, theirs) in self.columns.iter_mut().zip(&other.columns) {
            mine.merge(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.weight, &other.weight) {
            mine.merge(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.cross, &other.cross) {
            mine.merge(theirs);
        }
    }

    /// [`DatasetAccumulator::merge`] with one of which it is not known whether it is of the same columns and options:
    /// another is an error, and nothing is taken in.
    pub fn try_merge(&mut self, other: &Self) -> Result<(), StateError> {
        let (mine, theirs) = (self.signature(), other.signature());
        let odd = (0..mine.len().max(theirs.len())).find(|at| mine.get(*at) != theirs.get(*at));
        if let Some(at) = odd {
            let named = |all: &[String]| all.get(at).cloned().unwrap_or_else(|| "nothing".to_owned());
            return Err(StateError::Columns { mine: named(&mine), theirs: named(&theirs) });
        }
        self.merge(other);
        Ok(())
    }

    fn signature(&self) -> Vec<String> {
        let mut all: Vec<String> = self.columns.iter().map(ColumnAccumulator::signature).collect();
        all.extend(self.weight.as_ref().map(|weight| format!("weights in `{}`", weight.name())));
        all.extend(self.cross.as_ref().map(CrossAccumulator::signature));
        all
    }

    /// Everything seen so far as bytes, for [`DatasetAccumulator::from_bytes`]: to finish elsewhere or later. The same
    /// state gives the same bytes. They have a version and a checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        state::sealed(self)
    }

    /// What [`DatasetAccumulator::to_bytes`] wrote. Any other bytes are an error.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        state::unsealed(bytes)
    }

    /// What was wrong with the rows seen so far, if anything was: a row without a weight that counts.
    pub fn check(&self) -> Result<(), StatisticsError> {
        self.weight.as_ref().map_or(Ok(()), WeightColumn::check)
    }

    /// The statistics of everything seen so far, for a dataset called `name`.
    pub fn finish(&self, name: &str) -> DatasetStatistics {
        DatasetStatistics {
            name: name.to_owned(),
            num_examples: self.rows,
            sample_rate: None,
            weight: self.weight.as_ref().map(WeightColumn::finish),
            features: self.columns.par_iter().map(ColumnAccumulator::finish).collect(),
            cross: self.cross.as_ref().map(CrossAccumulator::finish).unwrap_or_default(),
            slices: Vec::new(),
        }
    }
}

fn columns(schema: &Schema, weighted: bool) -> Vec<ColumnAccumulator> {
    let column = |field: &arrow::datatypes::FieldRef| ColumnAccumulator::new(field.name(), field.data_type(), weighted);
    schema.fields().iter().map(column).collect()
}
