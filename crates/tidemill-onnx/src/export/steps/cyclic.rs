//! `cyclic` as nodes of ONNX.

use tidemill_model::steps::Cyclic;

use super::{ExportStep, Output, Position};
use crate::export::builder::Builder;

impl ExportStep for Cyclic {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let turns = graph.with("Div", x, self.period);
        let angle = graph.with("Mul", &turns, std::f64::consts::TAU);
        let (sine, cosine) = (graph.of("Sin", &angle), graph.of("Cos", &angle));
        Ok(Output::Columns(vec![graph.as_column(&sine), graph.as_column(&cosine)]))
    }
}
