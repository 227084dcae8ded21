//! `target_encode` as nodes of ONNX.

use tidemill_model::steps::TargetEncode;

use super::{Decoded, ExportStep, Position};
use crate::export::builder::Builder;
use crate::export::codes::numbers;
use crate::export::source::Raw;

impl ExportStep for TargetEncode {
    fn decodes(&self, _: bool) -> bool {
        true
    }

    fn decode(&self, graph: &mut Builder, raw: &Raw, _: &Position<'_>) -> Result<Decoded, String> {
        let full = &self.full;
        Ok(Decoded::one(numbers(graph, raw, &self.values, (&full.encodings, full.missing, full.other))?, 1))
    }
}
