//! `impute` as nodes of ONNX.

use tidemill_model::Scalar;
use tidemill_model::steps::Impute;

use super::{ExportStep, Output, Position};
use crate::export::builder::{Builder, Name};
use crate::export::codes::EXACT_MAX;
use crate::export::source::Raw;

impl ExportStep for Impute {
    fn prepare(&self, graph: &mut Builder, raw: &mut Raw) -> Result<Option<Name>, String> {
        match (&self.value, raw) {
            (Scalar::Text(fill), Raw::Text { name, form }) => {
                if fill.is_empty() || form.of(fill) != *fill {
                    return Err(format!(
                        "`impute` with `{fill}` has no form in ONNX: an empty text is a missing one there"
                    ));
                }
                let none = graph.text("");
                let (missing, fill) = (graph.both("Equal", name, &none), graph.text(fill));
                *name = graph.choose(&missing, &fill, name);
            }
            (Scalar::Int(fill), Raw::Int(name)) => {
                if fill.unsigned_abs() > EXACT_MAX.unsigned_abs() {
                    return Err(format!(
                        "the value {fill} is beyond 2^53 and not exact as a number that may be missing"
                    ));
                }
                let (missing, fill) = (graph.of("IsNaN", name), graph.number(*fill as f64));
                *name = graph.choose(&missing, &fill, name);
            }
            _ => return Err("`impute` before a table has no form in ONNX".to_owned()),
        }
        Ok(None)
    }

    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        let fill = graph.number(match &self.value {
            Scalar::Bool(value) => f64::from(u8::from(*value)),
            Scalar::Int(value) => *value as f64,
            Scalar::Float(value) => *value,
            Scalar::Text(_) => return Err("text replaces a number".to_owned()),
        });
        let missing = graph.of("IsNaN", x);
        Ok(Output::Value(graph.choose(&missing, &fill, x)))
    }
}
