//! `z_score` as nodes of ONNX.

use tidemill_model::Mapper;
use tidemill_model::steps::ZScore;

use super::by_key::constants;
use super::{ExportStep, Output, Position};
use crate::export::builder::{Builder, Name};

impl ExportStep for ZScore {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let centred = graph.with("Sub", x, self.mean);
        Ok(Output::Value(if self.std_dev == 0.0 { centred } else { graph.with("Div", &centred, self.std_dev) }))
    }

    fn by_key(&self, graph: &mut Builder, x: &str, position: &str, steps: &[&Mapper]) -> Result<Name, String> {
        let mean = constants(graph, position, steps, |step| match step {
            Mapper::ZScore(step) => step.mean,
            _ => f64::NAN,
        });
        let std_dev = constants(graph, position, steps, |step| match step {
            // x less its mean, where the deviation is 0.
            Mapper::ZScore(step) if step.std_dev == 0.0 => 1.0,
            Mapper::ZScore(step) => step.std_dev,
            _ => f64::NAN,
        });
        let centred = graph.both("Sub", x, &mean);
        Ok(graph.both("Div", &centred, &std_dev))
    }
}
