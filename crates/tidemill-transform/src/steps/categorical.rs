//! `categorical`: a code for each value seen in training.

use tidemill_model::{Mapper, Stage, steps};

use super::Step;
use super::fixed::plain;
use super::per_key::any_keys;
use crate::analyze::KeyCounts;
use crate::analyzer::Analyzer;
use crate::error::TransformError;
use crate::step::{FitStep, Fitting, StepEntry, Values};

pub(super) const CATEGORICAL: StepEntry =
    plain("categorical", "A code for each value seen in training.", |_| Ok(vec![Step::Categorical]));

/// See [`Step::Categorical`].
pub(super) struct Categorical;

/// Buckets, true and false are codes already.
fn is_code(stage: Stage) -> bool {
    matches!(stage, Stage::Bucket(_) | Stage::Bool)
}

impl FitStep for Categorical {
    fn dry_run(&self, stage: Stage) -> Result<Vec<Mapper>, String> {
        Ok(vec![steps::Categorical { values: (!is_code(stage)).then(|| any_keys(stage)) }.into()])
    }

    fn constant(&self, stage: Stage) -> Option<Vec<Mapper>> {
        is_code(stage).then(|| vec![steps::Categorical { values: None }.into()])
    }

    fn analyzer(&self, values: &Values) -> Analyzer {
        values.counts()
    }

    fn fit_counts(&self, counts: &KeyCounts, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let values = counts.all();
        fit.warn_few("categorical", values.len());
        Ok(vec![steps::Categorical { values: Some(values) }.into()])
    }
}
