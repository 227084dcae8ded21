//! `robust` as nodes of ONNX.

use tidemill_model::steps::Robust;

use super::{ExportStep, Output, Position};
use crate::export::builder::Builder;

impl ExportStep for Robust {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let centred = graph.with("Sub", x, self.median);
        Ok(Output::Value(if self.range == 0.0 { centred } else { graph.with("Div", &centred, self.range) }))
    }
}
