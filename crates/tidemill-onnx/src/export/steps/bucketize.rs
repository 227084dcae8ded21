//! `bucketize` as nodes of ONNX.

use tidemill_model::Mapper;
use tidemill_model::steps::Bucketize;

use super::{ExportStep, Output, Position, count, present, reached};
use crate::export::builder::{Builder, Name};
use crate::export::codes::pick;

impl ExportStep for Bucketize {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let reached = reached(graph, x, &self.boundaries);
        Ok(Output::Value(present(graph, x, &reached)))
    }

    fn by_key(&self, graph: &mut Builder, x: &str, position: &str, steps: &[&Mapper]) -> Result<Name, String> {
        let lists: Vec<&[f64]> = steps
            .iter()
            .map(|step| match step {
                Mapper::Bucketize(step) => &step.boundaries[..],
                _ => &[],
            })
            .collect();
        let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0).max(1);
        // NaN is above no boundary.
        let padded: Vec<f64> =
            lists.iter().flat_map(|list| (0..longest).map(|at| list.get(at).copied().unwrap_or(f64::NAN))).collect();
        let table = graph.table(&[lists.len() as i64, longest as i64], &padded);
        let (own, column) = (pick(graph, &table, position), graph.as_column(x));
        let reached = count(graph, "GreaterOrEqual", &column, &own);
        Ok(present(graph, x, &reached))
    }
}
