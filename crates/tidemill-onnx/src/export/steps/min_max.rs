//! `min_max` as nodes of ONNX.

use tidemill_model::Mapper;
use tidemill_model::steps::MinMax;

use super::by_key::constants;
use super::{ExportStep, Output, Position};
use crate::export::builder::{Builder, Name};

impl ExportStep for MinMax {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let unit = if self.min == self.max {
            graph.logistic(x)
        } else {
            let above = graph.with("Sub", x, self.min);
            graph.with("Div", &above, self.max - self.min)
        };
        let wide = graph.with("Mul", &unit, self.output_max - self.output_min);
        Ok(Output::Value(graph.with("Add", &wide, self.output_min)))
    }

    fn by_key(&self, graph: &mut Builder, x: &str, position: &str, steps: &[&Mapper]) -> Result<Name, String> {
        let [low, width, output_low, output_width] = [0, 1, 2, 3].map(|which| {
            constants(graph, position, steps, |step| match step {
                Mapper::MinMax(Self { min, max, output_min, output_max }) => {
                    [*min, max - min, *output_min, output_max - output_min][which]
                }
                _ => f64::NAN,
            })
        });
        let above = graph.both("Sub", x, &low);
        let share = graph.both("Div", &above, &width);
        // The logistic function, where there is no width.
        let logistic = graph.logistic(x);
        let narrow = graph.with("Equal", &width, 0.0);
        let unit = graph.choose(&narrow, &logistic, &share);
        let wide = graph.both("Mul", &unit, &output_width);
        Ok(graph.both("Add", &wide, &output_low))
    }
}
