//! `days_since` as nodes of ONNX.

use tidemill_model::steps::DaysSince;

use super::date_part::{in_calendar, seconds_of};
use super::{Decoded, ExportStep, Output, Position};
use crate::export::builder::Builder;
use crate::export::source::Raw;

impl ExportStep for DaysSince {
    fn decodes(&self, is_text: bool) -> bool {
        is_text
    }

    fn decode(&self, graph: &mut Builder, raw: &Raw, _: &Position<'_>) -> Result<Decoded, String> {
        let Raw::Text { name, .. } = raw else { return Err("only texts are read as times".to_owned()) };
        Ok(Decoded::one(seconds_of(graph, name), 0))
    }

    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let seconds = graph.of("Floor", x);
        let passed = graph.with("Sub", &seconds, self.origin_seconds);
        let days = graph.with("Div", &passed, 86_400.0);
        Ok(Output::Value(in_calendar(graph, x, &days)))
    }
}
