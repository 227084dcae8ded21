//! Compiles a feature's steps: one source, then operations in place over columns of `f64`.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType as ArrowType;
use tidemill_core::TensorSpec;

use super::decode::load_numbers;
use super::mapper::Position;
use super::run::{BatchContext, Columns, Decoder, Expander, NumberOp, Numbers, Rows};
use super::source::CompiledSource;
use super::text::TextChain;
use super::{Mapper, Stage};

/// A compiled feature: its source, its decoder, steps in place, and its final columns.
#[derive(Debug)]
pub(super) struct CompiledFeature {
    source: CompiledSource,
    /// Steps over text before the decoder.
    text: TextChain,
    decoder: Box<dyn Decoder>,
    /// Whether the last column says which values are missing before the decoder.
    indicates_raw: bool,
    ops: Vec<Box<dyn NumberOp>>,
    expander: Option<Box<dyn Expander>>,
    /// The number of its columns without the indicator.
    width: usize,
    /// The number of its columns.
    pub(super) outputs: usize,
}

/// Numbers without conversion.
#[derive(Debug)]
struct NumbersDecoder;

impl Decoder for NumbersDecoder {
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool {
        rows.raw.is_some_and(|raw| load_numbers(raw, out.main))
    }
}

impl CompiledFeature {
    /// `mappers` have been checked to fit `source`, and to give `outputs` columns. `inputs` are the graph's.
    pub(super) fn new(source: CompiledSource, mappers: &[Mapper], outputs: usize, inputs: &[TensorSpec]) -> Self {
        let is_text = source.stage() == Stage::Text;
        // Before a step that reads raw values, only steps over text, `impute` and `missing_indicator` are possible.
        let at = mappers.iter().position(|mapper| mapper.step().reads_raw(is_text));
        let (before, after) = mappers.split_at(at.unwrap_or(0));
        let position = Position { before, after, is_text };
        let decoder = after.first().and_then(|first| first.step().decoder(&position));
        let (decoder, taken) = decoder.unwrap_or_else(|| {
            debug_assert!(!is_text, "text needs a decoder, which the check of stages demands");
            (Box::new(NumbersDecoder), 0)
        });
        let expander = mappers.split_last().and_then(|(last, before)| last.step().expander(before));
        Self {
            source,
            text: if is_text { TextChain::new(before) } else { TextChain::default() },
            decoder,
            indicates_raw: before.contains(&Mapper::MissingIndicator),
            ops: after[taken..].iter().filter_map(|mapper| mapper.step().number_op(inputs)).collect(),
            expander,
            width: outputs - usize::from(mappers.contains(&Mapper::MissingIndicator)),
            outputs,
        }
    }

    /// Runs the feature over the batch at `place` into `out`: one slice for each of its columns, with one value per
    /// row.
    ///
    /// Returns `false` if a column does not have the bound type.
    pub(super) fn run(&self, place: BatchContext<'_>, out: &mut [Vec<f64>]) -> bool {
        if self.source.has_separate_columns() {
            return self.run_over(None, place, out);
        }
        // A plain column is borrowed; most features are plain columns.
        if let Some(raw) = self.source.column(place.batch, place.columns) {
            return self.run_over(Some(raw), place, out);
        }
        self.source.values(place.batch, place.columns).is_some_and(|raw| self.run_over(Some(&raw), place, out))
    }

    fn run_over(&self, raw: Option<&ArrayRef>, place: BatchContext<'_>, out: &mut [Vec<f64>]) -> bool {
        let Some((main, others)) = out.split_first_mut() else { return false };
        let (others, indicator) = others.split_at_mut(self.width.saturating_sub(1).min(others.len()));
        let mut columns = Columns { main, others, indicator: indicator.first_mut() };
        if self.indicates_raw
            && let (Some(raw), Some(indicator)) = (raw, &mut columns.indicator)
        {
            for (row, indicator) in indicator.iter_mut().enumerate() {
                *indicator = f64::from(u8::from(*raw.data_type() == ArrowType::Null || raw.is_null(row)));
            }
        }
        let rows = Rows { source: &self.source, text: &self.text, raw, place };
        if !self.decoder.run(&rows, &mut columns) {
            return false;
        }
        let Columns { main, others, mut indicator } = columns;
        for op in &self.ops {
            let indicator = indicator.as_mut().map(|indicator| indicator.as_mut_slice());
            if !op.run(&mut Numbers { values: main, indicator, place }) {
                return false;
            }
        }
        if let Some(expander) = &self.expander {
            expander.run(main, others);
        }
        true
    }
}
