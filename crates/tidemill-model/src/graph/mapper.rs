//! What every fitted step can be asked: what it makes of values, how it runs, and how it is described.

use std::fmt;

use tidemill_core::TensorSpec;

use super::run::{Decoder, Expander, NumberOp, TextOp};
use super::{Keys, Mapper, Scalar, Stage};

/// More columns of one feature are a mistake: hash or cut the vocabulary.
pub(super) const COLUMNS_MAX: u32 = 1024;

/// One kind of fitted step. Each kind has a file of its own in `steps`.
///
/// A step says what it makes of values ([`output`](Self::output)) and offers at least one way to run: over text
/// ([`text_op`](Self::text_op)), from raw values to numbers ([`decoder`](Self::decoder)), over numbers in place
/// ([`number_op`](Self::number_op)), or from one column of numbers to several ([`expander`](Self::expander)).
pub(super) trait MapStep {
    /// The step's name in `transform.json`.
    fn name(&self) -> &'static str;

    /// What values of `stage` are after this step. An error says why the step does not apply to them, or which constant
    /// is invalid.
    fn output(&self, stage: Stage) -> Result<Stage, String>;

    /// The constants in a few words, after the name, for a model card.
    fn describe(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    /// What the step does to missing values.
    fn missing(&self) -> Missing {
        Missing::Kept
    }

    /// The constant that replaces missing values, if the step does nothing else.
    fn fill(&self) -> Option<&Scalar> {
        None
    }

    /// A raw column that the step reads beside those of the feature's source.
    fn key_column(&self) -> Option<&str> {
        None
    }

    /// Whether the raw columns of the graph are those that the step needs.
    fn check_inputs(&self, _: &[TensorSpec]) -> Result<(), String> {
        Ok(())
    }

    /// The least age in seconds of the values that the step reads, if it reads a history.
    fn least_age(&self) -> Option<u64> {
        None
    }

    /// What the codes or buckets mean that the step gives.
    fn codes(&self) -> Option<Codes<'_>> {
        None
    }

    /// Whether the step reads dates from text.
    fn reads_dates(&self) -> bool {
        false
    }

    /// The values that were seen in fitting, if the step treats others differently.
    fn keys(&self) -> Option<&Keys> {
        match self.codes() {
            Some(Codes::Listed(keys, _)) => Some(keys),
            _ => None,
        }
    }

    /// The names of the columns that the step gives, if it gives several and so ends its feature. `before` are the steps
    /// before it, which leave values of `stage`.
    fn columns(&self, _feature: &str, _before: &[Mapper], _stage: Stage) -> Option<Vec<String>> {
        None
    }

    /// The step without what only training needs, if that is less.
    fn for_serving(&self) -> Option<Mapper> {
        None
    }

    /// Whether the step takes text and gives text.
    fn maps_text(&self) -> bool {
        false
    }

    /// Whether the step needs values as they come, or as steps over text leave them.
    fn reads_raw(&self, _is_text: bool) -> bool {
        false
    }

    /// How the step runs over text.
    fn text_op(&self) -> Option<Box<dyn TextOp>> {
        None
    }

    /// How the step, which is the first of those `at.after`, turns raw values into numbers; and how many of these steps
    /// are done then.
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

    /// The error for values that the step does not take.
    fn does_not_apply(&self, stage: Stage) -> String {
        format!("`{}` does not apply to {stage}", self.name())
    }

    /// The output of a step that takes numbers and gives numbers.
    fn of_numbers(&self, stage: Stage) -> Result<Stage, String> {
        if stage.is_number() { Ok(Stage::Float) } else { Err(self.does_not_apply(stage)) }
    }

    /// `gives`, if the values are `takes`.
    fn only(&self, takes: Stage, stage: Stage, gives: Stage) -> Result<Stage, String> {
        if stage == takes { Ok(gives) } else { Err(self.does_not_apply(stage)) }
    }

    /// Refuses a constant that is not finite.
    fn finite(&self, constant: &str, value: f64) -> Result<(), String> {
        if value.is_finite() { Ok(()) } else { Err(format!("`{constant}` of `{}` is {value}", self.name())) }
    }

    /// Refuses a value that is listed twice.
    fn check_distinct(&self, keys: &Keys) -> Result<(), String> {
        if keys.has_duplicates() { Err(format!("`{}` lists a value twice", self.name())) } else { Ok(()) }
    }

    /// Refuses listed values of another type than the column's, or listed twice.
    fn check_keys(&self, stage: Stage, keys: &Keys) -> Result<(), String> {
        match (stage, keys) {
            (Stage::Int, Keys::Integers(_)) | (Stage::Text, Keys::Strings(_)) => {}
            _ => return Err(self.does_not_apply(stage)),
        }
        self.check_distinct(keys)
    }

    /// Refuses edges of buckets that are not two or more, finite and ascending.
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

/// What a step does to missing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// They stay missing, and no others become missing.
    Kept,
    /// Nothing is missing after it.
    Filled,
    /// It makes values missing that it has no answer for.
    Made,
    /// It adds a column that says which are.
    Indicated,
}

/// What codes or buckets mean.
#[derive(Debug, Clone, Copy)]
pub(super) enum Codes<'a> {
    /// The position in a list, then buckets for other values.
    Listed(&'a Keys, u32),
    /// The number itself; the first one that values can have.
    Numbered(u32),
}

/// Where a step stands among those of its feature.
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
    /// The constant that a step before fills missing values with.
    pub(super) fn fill(&self) -> Option<&Scalar> {
        self.before.iter().find_map(Mapper::fill)
    }
}

/// Codes are `u32` and are held exactly in an `f64`; more than 2³¹ of them is a mistake.
pub(super) fn code_count(count: u64) -> Result<u32, String> {
    u32::try_from(count).ok().filter(|count| *count <= 1 << 31).ok_or_else(|| format!("{count} codes are too many"))
}

impl Mapper {
    /// The step's name in `transform.json`, which is mostly its name in the pipeline file.
    pub fn name(&self) -> &'static str {
        self.step().name()
    }

    /// What values of `stage` are after this step. An error says why the step does not apply to them, or which constant
    /// is invalid.
    pub fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.step().output(stage)
    }

    /// Checks the constants, whatever the values are.
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

    /// The constant that replaces missing values, if the step does nothing else.
    pub fn fill(&self) -> Option<&Scalar> {
        self.step().fill()
    }

    /// Whether the step takes text and gives text.
    pub fn maps_text(&self) -> bool {
        self.step().maps_text()
    }

    /// Whether the step reads dates from text.
    pub fn reads_dates(&self) -> bool {
        self.step().reads_dates()
    }

    /// Whether the step leaves text and whole numbers what they are.
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
