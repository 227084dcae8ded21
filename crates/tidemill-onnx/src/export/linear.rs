//! A weighted sum of features.

use super::builder::{Builder, Name, int};
use crate::onnx::value::datatype;
use tidemill_model::{LinearFeature, LinearModel};

/// A feature of more categories takes its weights from a table instead of a column for each.
const COLUMNS_MAX: usize = 64;

/// The scores of the rows of `matrix`: a column for each, or a list of one for each row.
pub(super) fn scores(graph: &mut Builder, matrix: &str, linear: &LinearModel) -> Name {
    let scores = linear.intercepts().len();
    let (mut parts, mut weights, mut looked_up) = (Vec::new(), Vec::new(), Vec::new());
    for (at, feature) in linear.features().iter().enumerate() {
        let place = graph.list(&[at as i64]);
        let column = graph.op("Gather", &[matrix, &place], vec![int("axis", 1)]);
        match feature {
            LinearFeature::Number { missing, weights: own } => {
                let (absent, fill) = (graph.of("IsNaN", &column), graph.number(*missing));
                parts.push(graph.choose(&absent, &fill, &column));
                weights.extend_from_slice(own);
            }
            LinearFeature::Categories { weights: own } if own.len() > COLUMNS_MAX => {
                looked_up.push(weights_of_codes(graph, &column, own, scores));
            }
            LinearFeature::Categories { weights: own } => {
                let codes: Vec<f64> = (0..own.len()).map(|code| code as f64).collect();
                let codes = graph.table(&[1, codes.len() as i64], &codes);
                let equal = graph.both("Equal", &column, &codes);
                parts.push(graph.cast(&equal, datatype::DOUBLE));
                weights.extend(own.iter().flatten());
            }
        }
    }
    let intercepts = graph.table(&[1, scores as i64], linear.intercepts());
    let mut sums = intercepts;
    if !parts.is_empty() {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let design = graph.op("Concat", &parts, vec![int("axis", 1)]);
        let weights = graph.table(&[(weights.len() / scores) as i64, scores as i64], &weights);
        let product = graph.both("MatMul", &design, &weights);
        sums = graph.both("Add", &product, &sums);
    }
    for part in looked_up {
        sums = graph.both("Add", &part, &sums);
    }
    if scores > 1 {
        return sums;
    }
    let all = graph.list(&[-1]);
    graph.op("Reshape", &[&sums, &all], Vec::new())
}

/// The weights of the category in `column`, a column for each score; 0 for one that is missing or unknown.
fn weights_of_codes(graph: &mut Builder, column: &str, weights: &[Vec<f64>], scores: usize) -> Name {
    let none = weights.len() as f64;
    let whole = graph.of("Floor", column);
    let is_whole = graph.both("Equal", column, &whole);
    let last = graph.number(none);
    let is_listed = graph.both("Less", column, &last);
    let zero = graph.number(0.0);
    let is_positive = graph.both("GreaterOrEqual", column, &zero);
    let is_inside = graph.both("And", &is_listed, &is_positive);
    let is_known = graph.both("And", &is_whole, &is_inside);
    let codes = graph.choose(&is_known, column, &last);
    let codes = graph.cast(&codes, datatype::INT64);
    let all = graph.list(&[-1]);
    let codes = graph.op("Reshape", &[&codes, &all], Vec::new());
    let rows: Vec<f64> = weights.iter().flatten().copied().chain(std::iter::repeat_n(0.0, scores)).collect();
    let table = graph.table(&[weights.len() as i64 + 1, scores as i64], &rows);
    graph.op("Gather", &[&table, &codes], vec![int("axis", 0)])
}
