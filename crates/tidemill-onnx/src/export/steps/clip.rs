//! `clip` as nodes of ONNX.

use tidemill_model::steps::Clip;

use super::{ExportStep, Output, Position};
use crate::export::builder::Builder;

impl ExportStep for Clip {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let mut value = x.to_owned();
        for (bound, beyond) in [(self.min, "Less"), (self.max, "Greater")] {
            if let Some(bound) = bound {
                let (outside, bound) = (graph.with(beyond, &value, bound), graph.number(bound));
                value = graph.choose(&outside, &bound, &value);
            }
        }
        Ok(Output::Value(value))
    }
}
