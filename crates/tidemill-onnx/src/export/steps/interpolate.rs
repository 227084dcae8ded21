//! `interpolate` as nodes of ONNX.

use tidemill_model::steps::Interpolate;

use super::{ExportStep, Output, Position, present, reached};
use crate::export::builder::{Builder, Name};
use crate::export::codes::pick;

impl ExportStep for Interpolate {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        Ok(Output::Value(interpolate(graph, x, &self.boundaries)))
    }
}

/// The share of boundaries below x, straight lines between them.
fn interpolate(graph: &mut Builder, x: &str, boundaries: &[f64]) -> Name {
    let count = boundaries.len();
    let above = reached(graph, x, boundaries);
    let before = graph.with("Sub", &above, 1.0);
    let place = graph.with("Max", &before, 0.0);
    let place = graph.with("Min", &place, (count - 2) as f64);
    let (low, high) = (graph.table(&[count as i64], boundaries), graph.table(&[count as i64 - 1], &boundaries[1..]));
    let (low, high) = (pick(graph, &low, &place), pick(graph, &high, &place));
    let (passed, width) = (graph.both("Sub", x, &low), graph.both("Sub", &high, &low));
    let share = graph.both("Div", &passed, &width);
    let reached = graph.both("Add", &before, &share);
    let value = graph.with("Div", &reached, (count - 1) as f64);
    let (zero, one) = (graph.number(0.0), graph.number(1.0));
    let (none, all) = (graph.with("Equal", &above, 0.0), graph.with("Equal", &above, count as f64));
    let value = graph.choose(&none, &zero, &value);
    let value = graph.choose(&all, &one, &value);
    present(graph, x, &value)
}
