//! What every step of the pipeline file can be asked: how it is written, what it needs of the data, what it becomes.

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;
use tidemill_core::{DataType, ParamIssue};
use tidemill_model::{Mapper, Stage};

use crate::analyze::KeyCounts;
use crate::analyzer::Analyzer;
use crate::error::TransformError;
use crate::steps::Step;

/// A step before fitting. Each kind has a file of its own in `steps`.
///
/// Fitting goes like this: a step that is [`constant`](Self::constant) becomes mappers at once. Any other waits for a
/// scan, in which its [`analyzer`](Self::analyzer) sees the values that the steps before make, and becomes mappers by
/// [`fit`](Self::fit). Counts of raw values serve all steps of a feature: see [`fit_counts`](Self::fit_counts).
pub(crate) trait FitStep {
    /// What the step becomes, with any constants in place of those that will be fitted. An error says why the step does
    /// not apply to values of `stage`.
    fn dry_run(&self, stage: Stage) -> Result<Vec<Mapper>, String>;

    /// The mappers, if none of their constants depends on the data.
    fn constant(&self, _stage: Stage) -> Option<Vec<Mapper>> {
        None
    }

    /// What a scan collects for the step.
    fn analyzer(&self, values: &Values) -> Analyzer;

    /// The mappers by what a scan has collected.
    fn fit(&self, _found: Analyzer, _fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        Ok(Vec::new())
    }

    /// The mappers by counts of values, if the analyzer is [`Analyzer::Counts`].
    fn fit_counts(&self, _counts: &KeyCounts, _fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        Ok(Vec::new())
    }

    /// A column that the step reads beside those of the feature, when fitting and when serving.
    fn key_column(&self) -> Option<&String> {
        None
    }

    /// A column that only fitting reads: weights of rows.
    fn weight_column(&self) -> Option<&String> {
        None
    }

    /// Whether the step cuts the train split into folds, so that the number of a row matters.
    fn is_folded(&self) -> bool {
        false
    }
}

/// The values that an analyzer will see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values {
    pub(crate) stage: Stage,
    /// Whether the column of keys, if there is one, holds text.
    pub(crate) key_is_text: bool,
}

impl Values {
    /// Whether the values are text rather than whole numbers.
    pub(crate) fn are_text(&self) -> bool {
        self.stage == Stage::Text
    }

    /// Counts of values that have seen nothing.
    pub(crate) fn counts(&self) -> Analyzer {
        Analyzer::Counts(if self.are_text() { KeyCounts::text() } else { KeyCounts::integers() })
    }
}

/// The feature whose step is being fitted, for errors and warnings.
#[derive(Debug)]
pub(crate) struct Fitting<'a> {
    pub(crate) feature: &'a str,
    /// Where its values come from, as in a message: column `fare`.
    pub(crate) origin: String,
    pub(crate) datatype: DataType,
    /// What the values are to the step.
    pub(crate) stage: Stage,
    pub(crate) warnings: Vec<String>,
    /// Whether a step over numbers has seen none.
    pub(crate) saw_nothing: bool,
}

impl Fitting<'_> {
    pub(crate) fn does_not_apply(&self, reason: String) -> TransformError {
        let (feature, origin, datatype) = (self.feature.to_owned(), self.origin.clone(), self.datatype);
        TransformError::Step { feature, origin, datatype, reason }
    }

    pub(crate) fn no_values(&self, step: &'static str) -> TransformError {
        TransformError::NoValues { feature: self.feature.to_owned(), origin: self.origin.clone(), step }
    }

    /// Warns of a column without numbers, or with a single one.
    pub(crate) fn warn_constant(&mut self, has_values: bool, is_constant: bool) {
        let (feature, origin) = (self.feature, &self.origin);
        if !has_values {
            self.warnings.push(format!("feature `{feature}`: {origin} has no value in the train split"));
        } else if is_constant {
            self.warnings.push(format!("feature `{feature}`: {origin} never varies in the train split"));
        }
    }

    /// Warns of a list of fewer than two values.
    pub(crate) fn warn_few(&mut self, step: &str, listed: usize) {
        if listed < 2 {
            let (feature, origin) = (self.feature, &self.origin);
            let count = if listed == 0 { "no value" } else { "one value" };
            self.warnings.push(format!("feature `{feature}`: `{step}` of {origin} lists {count}"));
        }
    }
}

/// How a step is written in the pipeline file: a line of the registry.
#[derive(Debug)]
pub(crate) struct StepEntry {
    pub(crate) name: &'static str,
    /// What it does, for editors.
    pub(crate) about: &'static str,
    pub(crate) argument: Argument,
    /// Reads the argument; issues are relative to it. It is one step, or an indicator and `impute`.
    pub(crate) parse: fn(&Value) -> Result<Vec<Step>, Vec<ParamIssue>>,
}

/// The argument of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Argument {
    /// There is none; the parser is called with null.
    None,
    /// It may be left out.
    Optional(fn(&mut SchemaGenerator) -> Schema),
    Required(fn(&mut SchemaGenerator) -> Schema),
}
