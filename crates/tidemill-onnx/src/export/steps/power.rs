//! `power` and `sqrt` as nodes of ONNX.

use tidemill_model::steps::Power;

use super::{ExportStep, Output, Position};
use crate::export::builder::Builder;

pub(super) struct Sqrt;

impl ExportStep for Power {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let none = graph.number(f64::NAN);
        let missing = graph.of("IsNaN", x);
        let outside = if self.exponent < 0.0 {
            let zero = graph.with("Equal", x, 0.0);
            graph.both("Or", &missing, &zero)
        } else {
            missing
        };
        let power = graph.with("Pow", x, self.exponent);
        Ok(Output::Value(graph.choose(&outside, &none, &power)))
    }
}

impl ExportStep for Sqrt {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let none = graph.number(f64::NAN);
        let (inside, root) = (graph.with("GreaterOrEqual", x, 0.0), graph.of("Sqrt", x));
        Ok(Output::Value(graph.choose(&inside, &root, &none)))
    }
}
