//! `density` as nodes of ONNX.

use tidemill_model::steps::Density;

use super::{ExportStep, Output, Position, present, reached};
use crate::export::builder::{Builder, Name};
use crate::export::codes::pick;
use crate::onnx::value::datatype;

impl ExportStep for Density {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        Ok(Output::Value(density(graph, x, &self.boundaries, &self.densities)))
    }
}

/// The density of a histogram at x.
fn density(graph: &mut Builder, x: &str, boundaries: &[f64], densities: &[f64]) -> Name {
    let above = reached(graph, x, boundaries);
    let last = graph.with("Equal", x, boundaries.last().copied().unwrap_or(f64::NAN));
    let last = graph.cast(&last, datatype::DOUBLE);
    // The last edge belongs to the last bucket; outside there is nothing.
    let bucket = graph.both("Sub", &above, &last);
    let table = [&[0.0], densities, &[0.0]].concat();
    let table = graph.table(&[table.len() as i64], &table);
    let value = pick(graph, &table, &bucket);
    present(graph, x, &value)
}
