//! `categorical` as nodes of ONNX.

use tidemill_model::steps::Categorical;

use super::{Decoded, ExportStep, Output, Position};
use crate::export::builder::Builder;
use crate::export::codes::codes;
use crate::export::source::Raw;

impl ExportStep for Categorical {
    fn decodes(&self, _: bool) -> bool {
        self.values.is_some()
    }

    fn decode(&self, graph: &mut Builder, raw: &Raw, _: &Position<'_>) -> Result<Decoded, String> {
        let values = self.values.as_ref().ok_or("`categorical` without values comes after other steps")?;
        Ok(Decoded::one(codes(graph, raw, values, None)?, 1))
    }

    /// Buckets, true and false are codes already.
    fn over_numbers(&self, _: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        match self.values {
            None => Ok(Output::Value(x.to_owned())),
            Some(_) => Err("`categorical` after other steps".to_owned()),
        }
    }
}
