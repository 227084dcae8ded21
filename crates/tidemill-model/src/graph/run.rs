//! The ways in which steps run: over text, from raw values to numbers, over numbers, from one column to several.

use std::borrow::Cow;
use std::fmt;

use arrow::array::{ArrayRef, RecordBatch};

use super::source::CompiledSource;
use super::text::TextChain;

/// The batch that a step may read, and whether its rows are those that constants were fitted on.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchContext<'a> {
    pub(super) batch: &'a RecordBatch,
    /// By input of the graph: the column of the batch.
    pub(super) columns: &'a [usize],
    /// In training, the numbers of the batch's rows in their split.
    pub(super) training: Option<SplitRowNumbers<'a>>,
}

/// The numbers of a batch's rows in their split, from 0.
#[derive(Debug, Clone, Copy)]
pub enum SplitRowNumbers<'a> {
    /// Rows that follow each other, from this one.
    From(u64),
    /// These rows, one for each of the batch.
    Listed(&'a [u64]),
}

impl SplitRowNumbers<'_> {
    /// The number of the batch's row `row`.
    pub(super) fn of(self, row: usize) -> u64 {
        match self {
            Self::From(first) => first + row as u64,
            Self::Listed(numbers) => numbers.get(row).copied().unwrap_or_default(),
        }
    }
}

impl<'a> BatchContext<'a> {
    /// The column of an input.
    pub(super) fn column(&self, input: usize) -> Option<&'a ArrayRef> {
        self.batch.columns().get(*self.columns.get(input)?)
    }
}

/// A step over text, one text at a time.
pub(super) trait TextOp: fmt::Debug + Send + Sync {
    /// Maps a text; `None` is a missing one. An indicator notes in `was_missing` whether it was.
    fn apply<'a>(&'a self, text: Option<Cow<'a, str>>, was_missing: &mut bool) -> Option<Cow<'a, str>>;
}

/// Numbers that a step changes in place.
pub(super) struct Numbers<'a> {
    /// One per row of the batch; NaN is a missing value.
    pub(super) values: &'a mut [f64],
    /// The last column of the feature, if it says which values are missing.
    pub(super) indicator: Option<&'a mut [f64]>,
    pub(super) place: BatchContext<'a>,
}

impl Numbers<'_> {
    /// Replaces every value. Always returns `true`, the type of [`NumberOp::run`].
    pub(super) fn each(&mut self, step: impl Fn(f64) -> f64) -> bool {
        each(self.values, step);
        true
    }
}

/// A step over numbers, in place.
pub(super) trait NumberOp: fmt::Debug + Send + Sync {
    /// Runs the step over the rows of a batch. Returns `false` if a column of the batch does not have the bound type.
    fn run(&self, numbers: &mut Numbers<'_>) -> bool;
}

/// A step that treats each number separately.
pub(super) struct Each<F>(pub(super) F);

impl<F> fmt::Debug for Each<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Each")
    }
}

impl<F: Fn(f64) -> f64 + Send + Sync> NumberOp for Each<F> {
    fn run(&self, numbers: &mut Numbers<'_>) -> bool {
        numbers.each(&self.0)
    }
}

/// The step that replaces each number by the result of `step`.
pub(super) fn each_number(step: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Option<Box<dyn NumberOp>> {
    Some(Box::new(Each(step)))
}

/// Replaces every value.
pub(super) fn each(values: &mut [f64], step: impl Fn(f64) -> f64) {
    for value in values {
        *value = step(*value);
    }
}

/// The raw values of a batch for a decoder.
pub(super) struct Rows<'a> {
    pub(super) source: &'a CompiledSource,
    /// Steps over text that come before the decoder.
    pub(super) text: &'a TextChain,
    /// The values, unless the source has several separate columns.
    pub(super) raw: Option<&'a ArrayRef>,
    pub(super) place: BatchContext<'a>,
}

/// The columns of a feature, to be written.
pub(super) struct Columns<'a> {
    pub(super) main: &'a mut [f64],
    /// All columns except the indicator.
    pub(super) others: &'a mut [Vec<f64>],
    /// The last column, if it says which values are missing.
    pub(super) indicator: Option<&'a mut Vec<f64>>,
}

impl Columns<'_> {
    /// The cell of a row in one of the columns, without the indicator.
    pub(super) fn cell(&mut self, column: usize, row: usize) -> Option<&mut f64> {
        match column {
            0 => self.main.get_mut(row),
            _ => self.others.get_mut(column - 1).and_then(|column| column.get_mut(row)),
        }
    }

    /// Fills all columns except the indicator.
    pub(super) fn fill(&mut self, value: f64) {
        self.main.fill(value);
        for column in self.others.iter_mut() {
            column.fill(value);
        }
    }
}

impl Rows<'_> {
    /// Calls `each` with every row's text after the steps over text, or `None` if it is missing. Returns `false` if the
    /// values are not text.
    pub(super) fn texts(&self, indicator: Option<&mut Vec<f64>>, each: impl FnMut(usize, Option<&str>)) -> bool {
        self.raw.is_some_and(|raw| self.text.run(raw, indicator, each))
    }
}

/// A step from raw values to numbers.
pub(super) trait Decoder: fmt::Debug + Send + Sync {
    /// Decodes the rows of a batch. Returns `false` if a column does not have the bound type.
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool;
}

/// A step from one column of numbers to several.
pub(super) trait Expander: fmt::Debug + Send + Sync {
    /// Converts `main` to the first column, and fills the others.
    fn run(&self, main: &mut [f64], others: &mut [Vec<f64>]);
}
