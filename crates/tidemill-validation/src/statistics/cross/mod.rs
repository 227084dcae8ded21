//! Statistics of two columns together.

mod correlation;
mod label;
mod lift;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tidemill_core::CrossStatistics;

use self::correlation::Correlations;
pub(crate) use self::label::number;
pub(super) use self::label::value;
use self::lift::Lifts;
use super::state::stored;
use super::{StatisticsError, StatisticsOptions};

/// Accumulates what was asked for of pairs of columns.
#[derive(Debug, Clone)]
pub(super) struct CrossAccumulator {
    correlations: Option<Correlations>,
    lifts: Option<Lifts>,
}

stored!(CrossAccumulator { correlations, lifts });

impl CrossAccumulator {
    /// For the options given; a label that is not there is an error.
    pub fn new(schema: &Schema, options: &StatisticsOptions) -> Result<Self, StatisticsError> {
        let lifts =
            options.label.as_ref().map(|label| Lifts::new(schema, label, &options.label_boundaries)).transpose()?;
        Ok(Self { correlations: options.correlations.then(|| Correlations::new(schema)), lifts })
    }

    /// What pairs it accumulates, so that two of the same can be told.
    pub fn signature(&self) -> String {
        let correlations = self.correlations.as_ref().map(Correlations::names);
        let lifts = self.lifts.as_ref().map(Lifts::names);
        format!("{correlations:?} {lifts:?}")
    }

    pub fn update(&mut self, batch: &RecordBatch) {
        if let Some(correlations) = &mut self.correlations {
            correlations.update(batch);
        }
        if let Some(lifts) = &mut self.lifts {
            lifts.update(batch);
        }
    }

    /// Takes in what another accumulator of the same columns has seen.
    pub fn merge(&mut self, other: &Self) {
        if let (Some(mine), Some(theirs)) = (&mut self.correlations, &other.correlations) {
            mine.merge(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.lifts, &other.lifts) {
            mine.merge(theirs);
        }
    }

    pub fn finish(&self) -> CrossStatistics {
        let mut out = CrossStatistics::default();
        if let Some(correlations) = &self.correlations {
            (out.numeric, out.numeric_left_out) = correlations.finish();
        }
        if let Some(lifts) = &self.lifts {
            (out.lift, out.lift_left_out) = lifts.finish();
        }
        out
    }
}
