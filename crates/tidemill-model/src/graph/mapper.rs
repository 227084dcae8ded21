//! The interface of fitted steps: their effect on values, how they run, and their descriptions.

use std::fmt;

use tidemill_core::TensorSpec;

use super::run::{Decoder, Expander, NumberOp, TextOp};
use super::{Keys, Mapper, Scalar, Stage};

/// More columns of one feature are a mistake: hash or limit the vocabulary.
pub(super) const COLUMNS_MAX: u32 = 1024;

/// One kind of fitted step. Each kind has a file of its own in `steps`.
///
/// A step declares its effect on values ([`output`](Self::output)) and offers at least one way to run: over text
/// ([`text_op`](Self::text_op)), from raw values to numbers ([`decoder`](Self::decoder)), over numbers in place
/// ([`number_op`](Self::number_op)), or from one column of numbers to several ([`expander`](Self::expander)).
pub(super) trait MapStep {
    /// The step's name in `transform.json`.
    fn name(&self) -> &'static str;

    /// The stage of values after this step, given `stage` before it. An error says why the step does not apply, or
    /// which constant is invalid.
    fn output(&self, stage: Stage) -> Result<Stage, String>;

    /// The constants in a few words, after the name, for a model card.
    fn describe(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    /// The step's effect on missing values.
    fn missing(&self) -> Missing {
        Missing::Kept
    }

    /// The constant that replaces missing values, if that is all the step does.
    fn fill(&self) -> Option<&Scalar> {
        None
    }

    /// A raw column that the step reads beside those of the feature's source.
    fn key_column(&self) -> Option<&str> {
        None
    }

    /// Whether the step's needs are met by the raw columns of the graph.
    fn check_inputs(&self, _: &[TensorSpec]) -> Result<(), String> {
        Ok(())
    }

    /// The least age in seconds of the values that the step reads, if it reads a history.
    fn least_age(&self) -> Option<u64> {
        None
    }

    /// The meaning of the step's codes or buckets.
    fn codes(&self) -> Option<Codes<'_>> {
        None
    }

    /// Whether the step reads dates from text.
    fn reads_dates(&self) -> bool {
        false
    }

    /// The values seen in fitting, if the step treats others differently.
    fn keys(&self) -> Option<&Keys> {
        match self.codes() {
            Some(Codes::Listed(keys, _)) => Some(keys),
            _ => None,
        }
    }

    /// The names of the step's columns, if it has several and so ends its feature. `before` are the steps before it,
    /// whose values are at `stage`.
    fn columns(&self, _feature: &str, _before: &[Mapper], _stage: Stage) -> Option<Vec<String>> {
        None
    }

    /// The step without the parts that only training needs, if there are any.
    fn for_serving(&self) -> Option<Mapper> {
        None
    }

    /// Whether the step maps text to text.
    fn maps_text(&self) -> bool {
        false
    }

    /// Whether the step needs raw values, or values after steps over text.
    fn reads_raw(&self, _is_text: bool) -> bool {
        false
    }

    /// How the step runs over text.
    fn text_op(&self) -> Option<Box<dyn TextOp>> {
        None
    }

    /// How the step, the first of `at.after`, decodes raw values to numbers; and how many of these steps that covers.
    fn decoder(&self, _at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        None
    }

    /// How the step runs over numbers in place. `inputs` are the raw columns of the graph.
    fn number_op(&self, _inputs: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        None
    }

    /// How the step turns one column of numbers into several. `before` are the steps before it.
    fn expander(&self, _before: &[Mapper]) -> Option<Box<dyn Expander>> {
        None
    }

    /// The error for values to which the step does not apply.
    fn does_not_apply(&self, stage: Stage) -> String {
        format!("`{}` does not apply to {stage}", self.name())
    }

    /// The output of a step that maps numbers to numbers.
    fn of_numbers(&self, stage: Stage) -> Result<Stage, String> {
        if stage.is_number() { Ok(Stage::Float) } else { Err(self.does_not_apply(stage)) }
    }

    /// Returns `gives` if the values are `takes`.
    fn only(&self, takes: Stage, stage: Stage, gives: Stage) -> Result<Stage, String> {
        if stage == takes { Ok(gives) } else { Err(self.does_not_apply(stage)) }
    }

    /// Rejects a constant that is not finite.
    fn finite(&self, constant: &str, value: f64) -> Result<(), String> {
        if value.is_finite() { Ok(()) } else { Err(format!("`{constant}` of `{}` is {value}", self.name())) }
    }

    /// Rejects a value that is listed twice.
    fn check_distinct(&self, keys: &Keys) -> Result<(), String> {
        if keys.has_duplicates() { Err(format!("`{}` lists a value twice", self.name())) } else { Ok(()) }
    }

    /// Rejects listed values of another type than the column's, or listed twice.
    fn check_keys(&self, stage: Stage, keys: &Keys) -> Result<(), String> {
        match (stage, keys) {
            (Stage::Int, Keys::Integers(_)) | (Stage::Text, Keys::Strings(_)) => {}
            _ => return Err(self.does_not_apply(stage)),
        }
        self.check_distinct(keys)
    }

    /// Rejects edges of buckets that are not two or more, finite and ascending.
    fn check_edges(&self, edges: &[f64]) -> Result<(), String> {
        for edge in edges {
            self.finite("boundaries", *edge)?;
        }
        if edges.len() < 2 || !edges.is_sorted_by(|a, b| a < b) {
            return Err(format!("`boundaries` of `{}` are not two or more, strictly ascending", self.name()));
        }
        Ok(())
    }
}

/// The effect of a step on missing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// They stay missing, and no others become missing.
    Kept,
    /// No value is missing after it.
    Filled,
    /// Other values that it cannot map become missing.
    Made,
    /// It adds a column that says which values are missing.
    Indicated,
}

/// The meaning of codes or buckets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Codes<'a> {
    /// The position in a list, then buckets for other values.
    Listed(&'a Keys, u32),
    /// The number itself, starting at the first possible one.
    Numbered(u32),
}

/// The position of a step among those of its feature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position<'a> {
    /// The steps before it.
    pub(super) before: &'a [Mapper],
    /// The step itself and those after it.
    pub(super) after: &'a [Mapper],
    /// Whether the raw values are text.
    pub(super) is_text: bool,
}

impl Position<'_> {
    /// The constant with which an earlier step fills missing values.
    pub(super) fn fill(&self) -> Option<&Scalar> {
        self.before.iter().find_map(Mapper::fill)
    }
}

/// Codes are `u32` and exact in an `f64`; more than 2³¹ of them is a mistake.
pub(super) fn code_count(count: u64) -> Result<u32, String> {
    u32::try_from(count).ok().filter(|count| *count <= 1 << 31).ok_or_else(|| format!("{count} codes are too many"))
}

impl Mapper {
    /// The step's name in `transform.json`, usually also its name in the pipeline file.
    pub fn name(&self) -> &'static str {
        self.step().name()
    }

    /// The stage of values after this step, given `stage` before it. An error says why the step does not apply, or
    /// which constant is invalid.
    pub fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.step().output(stage)
    }

    /// Checks the constants, independent of the values.
    pub fn check_constants(&self) -> Result<(), String> {
        for stage in [Stage::Text, Stage::Tokens, Stage::Float, Stage::Int, Stage::Bool, Stage::History, Stage::Binary]
        {
            match self.output(stage) {
                Ok(_) => return Ok(()),
                Err(reason) if reason == self.step().does_not_apply(stage) => {}
                Err(reason) => return Err(reason),
            }
        }
        Ok(())
    }

    /// The constant that replaces missing values, if that is all the step does.
    pub fn fill(&self) -> Option<&Scalar> {
        self.step().fill()
    }

    /// Whether the step maps text to text.
    pub fn maps_text(&self) -> bool {
        self.step().maps_text()
    }

    /// Whether the step reads dates from text.
    pub fn reads_dates(&self) -> bool {
        self.step().reads_dates()
    }

    /// Whether text and whole numbers keep their type in the step.
    pub(super) fn keeps_values(&self) -> bool {
        self.maps_text() || self.fill().is_some() || *self == Self::MissingIndicator
    }
}

/// The step and its constants in a few words, for a model card: `z_score (mean 11.7015, deviation 12.2579)`.
impl fmt::Display for Mapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.step().describe(f)
    }
}
