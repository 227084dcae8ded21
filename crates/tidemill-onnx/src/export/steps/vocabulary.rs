//! `vocabulary` as nodes of ONNX.

use tidemill_model::steps::Vocabulary;

use super::{Decoded, ExportStep, Position};
use crate::export::builder::Builder;
use crate::export::codes::{bucket, codes};
use crate::export::source::Raw;

impl ExportStep for Vocabulary {
    fn decodes(&self, _: bool) -> bool {
        true
    }

    fn decode(&self, graph: &mut Builder, raw: &Raw, at: &Position<'_>) -> Result<Decoded, String> {
        let other = bucket(&self.values, self.oov_buckets, at.unseen)?;
        Ok(Decoded::one(codes(graph, raw, &self.values, other)?, 1))
    }
}
