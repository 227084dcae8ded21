//! `target_encode`: the mean label of the rows that have the value.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::steps::{self, Encoding};
use tidemill_model::{Mapper, Stage};

use super::Step;
use super::parse::schema;
use super::per_key::any_keys;
use crate::analyze::LabelSums;
use crate::analyzer::Analyzer;
use crate::error::TransformError;
use crate::issues::{issue_at, or_empty};
use crate::step::{Argument, FitStep, Fitting, StepEntry, Values};

/// More folds say nothing.
const FOLDS_MAX: u32 = 100;

pub(super) const TARGET_ENCODE: StepEntry = StepEntry {
    name: "target_encode",
    about: "The mean label of the rows that have the value.",
    argument: Argument::Optional(schema::<TargetEncode>),
    parse,
};

/// The mean label of the rows that have the value.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetEncode {
    /// How many rows of the mean of all rows are added to those of a value.
    #[serde(default = "smoothing")]
    pub smoothing: f64,
    /// How many folds the train split is cut into: a row of it sees what the rows of the other folds give.
    #[serde(default = "folds")]
    pub folds: u32,
}

fn smoothing() -> f64 {
    10.0
}

fn folds() -> u32 {
    5
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let step: TargetEncode = parse_params(&or_empty(argument))?;
    if !(step.smoothing.is_finite() && step.smoothing >= 0.0) {
        return issue_at("smoothing", "`smoothing` is a number of rows that is not negative");
    }
    if !(2..=FOLDS_MAX).contains(&step.folds) {
        let message = format!("`folds` is from 2 to {FOLDS_MAX}: a row's own label is never part of its feature");
        return issue_at("folds", message);
    }
    Ok(vec![step.into()])
}

impl FitStep for TargetEncode {
    fn dry_run(&self, stage: Stage) -> Result<Vec<Mapper>, String> {
        let full = Encoding { encodings: vec![0.5], missing: 0.5, other: 0.5 };
        Ok(vec![steps::TargetEncode { values: any_keys(stage), full, folds: Vec::new() }.into()])
    }

    fn analyzer(&self, values: &Values) -> Analyzer {
        Analyzer::Labels(LabelSums::new(values.are_text(), self.folds as usize))
    }

    fn fit(&self, found: Analyzer, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let Analyzer::Labels(sums) = found else { return Ok(Vec::new()) };
        let (values, full, folds) = sums.encode(self.smoothing).ok_or_else(|| fit.no_values("target_encode"))?;
        fit.warn_few("target_encode", values.len());
        Ok(vec![steps::TargetEncode { values, full, folds }.into()])
    }

    fn is_folded(&self) -> bool {
        true
    }
}
