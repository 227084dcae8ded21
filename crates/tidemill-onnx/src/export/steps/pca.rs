//! `pca` as nodes of ONNX.

use tidemill_model::steps::Project;

use super::{Decoded, ExportStep, Position};
use crate::export::builder::{Builder, Name, int};
use crate::export::source::Raw;

impl ExportStep for Project {
    fn decodes(&self, _: bool) -> bool {
        true
    }

    fn decode(&self, graph: &mut Builder, raw: &Raw, _: &Position<'_>) -> Result<Decoded, String> {
        let Raw::Columns(columns) = raw else { return Err("`project` takes several columns".to_owned()) };
        let Self { means, components } = self;
        let columns: Vec<Name> = columns.iter().map(|column| graph.as_column(column)).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let matrix = graph.op("Concat", &columns, vec![int("axis", 1)]);
        let means = graph.table(&[1, means.len() as i64], means);
        let centred = graph.both("Sub", &matrix, &means);
        let weights: Vec<f64> =
            (0..columns.len()).flat_map(|at| components.iter().map(move |component| component[at])).collect();
        let weights = graph.table(&[columns.len() as i64, components.len() as i64], &weights);
        let projected = graph.both("MatMul", &centred, &weights);
        Ok(Decoded { value: projected.clone(), columns: Some(vec![projected]), taken: 1 })
    }
}
