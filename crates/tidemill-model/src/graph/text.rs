//! Steps over text: each text passes through a chain, row by row.

use std::borrow::Cow;

use super::Mapper;
use super::run::TextOp;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType as ArrowType;

/// The steps over text before the decoder.
#[derive(Debug, Default)]
pub(super) struct TextChain(Vec<Box<dyn TextOp>>);

impl TextChain {
    /// The steps over text among `mappers`, which have been checked.
    pub(super) fn new(mappers: &[Mapper]) -> Self {
        Self(mappers.iter().filter_map(|mapper| mapper.step().text_op()).collect())
    }

    /// Calls `each` with every row's text, or `None` if it is missing. The chain's own `missing_indicator` writes to
    /// `indicator`. Returns `false` if the column is not text.
    pub(super) fn run(
        &self,
        column: &ArrayRef,
        mut indicator: Option<&mut Vec<f64>>,
        mut each: impl FnMut(usize, Option<&str>),
    ) -> bool {
        let mut row = |row: usize, raw: Option<&str>| {
            if self.0.is_empty() {
                return each(row, raw);
            }
            let (text, missing) = self.of(raw);
            if let Some(indicator) = indicator.as_mut().and_then(|indicator| indicator.get_mut(row)) {
                *indicator = f64::from(u8::from(missing));
            }
            each(row, text.as_deref());
        };
        match column.data_type() {
            ArrowType::Utf8 => {
                let array = column.as_string::<i32>();
                for at in 0..array.len() {
                    row(at, (!array.is_null(at)).then(|| array.value(at)));
                }
            }
            ArrowType::Null => (0..column.len()).for_each(|at| row(at, None)),
            _ => return false,
        }
        true
    }

    /// The mapped text, and whether it was missing at `missing_indicator`.
    fn of<'a>(&'a self, raw: Option<&'a str>) -> (Option<Cow<'a, str>>, bool) {
        let mut missing = false;
        let mut text = raw.map(Cow::Borrowed);
        for op in &self.0 {
            text = op.apply(text, &mut missing);
        }
        (text, missing)
    }
}
