//! `frequency`: the share of rows that have the value.

use tidemill_model::{Mapper, Stage, steps};

use super::Step;
use super::fixed::plain;
use super::per_key::any_keys;
use crate::analyze::KeyCounts;
use crate::analyzer::Analyzer;
use crate::error::TransformError;
use crate::step::{FitStep, Fitting, StepEntry, Values};

pub(super) const FREQUENCY: StepEntry =
    plain("frequency", "The share of rows that have the value.", |_| Ok(vec![Step::Frequency]));

/// See [`Step::Frequency`].
pub(super) struct Frequency;

impl FitStep for Frequency {
    fn dry_run(&self, stage: Stage) -> Result<Vec<Mapper>, String> {
        Ok(vec![steps::Frequency { values: any_keys(stage), shares: vec![1.0] }.into()])
    }

    fn analyzer(&self, values: &Values) -> Analyzer {
        values.counts()
    }

    fn fit_counts(&self, counts: &KeyCounts, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let (values, shares) = counts.shares();
        fit.warn_few("frequency", values.len());
        Ok(vec![steps::Frequency { values, shares }.into()])
    }
}
