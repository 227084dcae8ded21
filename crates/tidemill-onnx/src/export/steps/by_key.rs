//! `by_key` as nodes of ONNX: a step with constants of its own for each value of another column.

use tidemill_model::Mapper;
use tidemill_model::steps::ByKey;

use super::{ExportStep, Output, Position, exporter};
use crate::export::builder::{Builder, Name};
use crate::export::codes::{pick, positions};
use crate::export::source::{column_values, input};

impl ExportStep for ByKey {
    fn over_numbers(&self, graph: &mut Builder, x: &str, at: &Position<'_>) -> Result<Output, String> {
        let Self { column, values, mappers, other } = self;
        let key = column_values(graph, input(at.inputs, column)?);
        let (position, missing) = positions(graph, &key, values, values.len() as i64)?;
        let none = graph.number(values.len() as f64);
        let position = graph.choose(&missing, &none, &position);
        let steps: Vec<&Mapper> = mappers.iter().chain([&**other]).collect();
        Ok(Output::Value(exporter(other).by_key(graph, x, &position, &steps)?))
    }
}

/// A constant of the row's step.
pub(super) fn constants(graph: &mut Builder, position: &str, steps: &[&Mapper], of: impl Fn(&Mapper) -> f64) -> Name {
    let values: Vec<f64> = steps.iter().map(|step| of(step)).collect();
    let table = graph.table(&[values.len() as i64], &values);
    pick(graph, &table, position)
}
