//! `missing_indicator` as nodes of ONNX.

use super::{ExportStep, Output, Position};
use crate::export::builder::{Builder, Name};
use crate::export::source::Raw;
use crate::onnx::value::datatype;

pub(super) struct MissingIndicator;

impl ExportStep for MissingIndicator {
    fn prepare(&self, graph: &mut Builder, raw: &mut Raw) -> Result<Option<Name>, String> {
        let missing = match raw {
            Raw::Text { name, .. } => {
                let none = graph.text("");
                graph.both("Equal", name, &none)
            }
            Raw::Int(name) => graph.of("IsNaN", name),
            _ => return Err("`missing_indicator` before a table has no form in ONNX".to_owned()),
        };
        Ok(Some(graph.cast(&missing, datatype::DOUBLE)))
    }

    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let missing = graph.of("IsNaN", x);
        Ok(Output::Indicator(graph.cast(&missing, datatype::DOUBLE)))
    }
}
