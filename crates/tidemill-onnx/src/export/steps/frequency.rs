//! `frequency` as nodes of ONNX.

use tidemill_model::steps::Frequency;

use super::{Decoded, ExportStep, Position};
use crate::export::builder::Builder;
use crate::export::codes::numbers;
use crate::export::source::Raw;

impl ExportStep for Frequency {
    fn decodes(&self, _: bool) -> bool {
        true
    }

    fn decode(&self, graph: &mut Builder, raw: &Raw, _: &Position<'_>) -> Result<Decoded, String> {
        Ok(Decoded::one(numbers(graph, raw, &self.values, (&self.shares, f64::NAN, 0.0))?, 1))
    }
}
