//! `log` and `log1p` as nodes of ONNX.

use super::{ExportStep, Output, Position};
use crate::export::builder::{Builder, Name};

pub(super) struct Log;
pub(super) struct Log1p;

impl ExportStep for Log {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let none = graph.number(f64::NAN);
        let (inside, log) = (graph.with("Greater", x, 0.0), graph.of("Log", x));
        Ok(Output::Value(graph.choose(&inside, &log, &none)))
    }
}

impl ExportStep for Log1p {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let none = graph.number(f64::NAN);
        Ok(Output::Value(log1p(graph, x, &none)))
    }
}

/// ln(1 + x) without losing small x (Kahan): ln(u) · x / (u − 1) with u = 1 + x.
pub(super) fn log1p(graph: &mut Builder, x: &str, none: &str) -> Name {
    let raised = graph.with("Add", x, 1.0);
    let log = graph.of("Log", &raised);
    let kept = graph.with("Sub", &raised, 1.0);
    let ratio = graph.both("Div", x, &kept);
    let product = graph.both("Mul", &log, &ratio);
    let lost = graph.with("Equal", &raised, 1.0);
    let small = graph.choose(&lost, x, &product);
    // Far out the ratio is 1, and at infinity it is no number.
    let far = graph.with("Greater", x, 1e17);
    let value = graph.choose(&far, &log, &small);
    let inside = graph.with("Greater", x, -1.0);
    graph.choose(&inside, &value, none)
}
