//! `one_hot` as nodes of ONNX.

use tidemill_model::{Mapper, TransformGraph, first_code};

use super::{ExportStep, Output, Position};
use crate::export::builder::Builder;
use crate::onnx::value::datatype;

pub(super) struct OneHot;

impl ExportStep for OneHot {
    fn over_numbers(&self, graph: &mut Builder, x: &str, at: &Position<'_>) -> Result<Output, String> {
        let feature = at.feature;
        let first = first_code(&feature.mappers);
        let own = TransformGraph::new(at.inputs.to_vec(), None, vec![feature.clone()]);
        let own = own.map_err(|error| error.to_string())?;
        let indicators = usize::from(feature.mappers.contains(&Mapper::MissingIndicator));
        let count = own.features().len() - indicators;
        let codes: Vec<f64> = (0..count).map(|at| f64::from(first) + at as f64).collect();
        let column = graph.as_column(x);
        let table = graph.table(&[1, count as i64], &codes);
        let equal = graph.both("Equal", &column, &table);
        Ok(Output::Columns(vec![graph.cast(&equal, datatype::DOUBLE)]))
    }
}
