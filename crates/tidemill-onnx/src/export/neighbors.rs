//! The nearest of stored rows: distances feature by feature, and `TopK`.

use tidemill_model::{NeighborWeights, NeighborsModel, Power, Task};

use super::builder::{Builder, COUNT, Name, int};
use crate::onnx::value::datatype;

/// Stored numbers above which the graph would be too large, and the distances of a batch even more so.
const NUMBERS_MAX: usize = 1 << 22;

/// Shares of the classes in a matrix, or a probability or an amount for each row.
pub(super) fn predictions(graph: &mut Builder, matrix: &str, model: &NeighborsModel) -> Result<Name, String> {
    let rows = model.labels().len();
    let numbers = rows * model.features().len();
    if numbers > NUMBERS_MAX {
        return Err(format!(
            "the {rows} rows of neighbours have {numbers} numbers, and up to {NUMBERS_MAX} are written"
        ));
    }
    let mut sum: Option<Name> = None;
    for (at, feature) in model.features().iter().enumerate() {
        let place = graph.list(&[at as i64]);
        let column = graph.op("Gather", &[matrix, &place], vec![int("axis", 1)]);
        let stored = graph.table(&[1, rows as i64], &feature.values);
        let absent = graph.of("IsNaN", &column);
        let part = match feature.number {
            None => {
                let missing = graph.number(-1.0);
                let value = graph.choose(&absent, &missing, &column);
                let equal = graph.both("Equal", &value, &stored);
                let differs = graph.of("Not", &equal);
                graph.cast(&differs, datatype::DOUBLE)
            }
            Some((centre, unit)) => {
                let fill = graph.number(centre);
                let value = graph.choose(&absent, &fill, &column);
                let shifted = graph.with("Sub", &value, centre);
                let scaled = graph.with("Div", &shifted, unit);
                let above = graph.with("Max", &scaled, -1e100);
                let value = graph.with("Min", &above, 1e100);
                let apart = graph.both("Sub", &value, &stored);
                match model.power() {
                    Power::One => graph.of("Abs", &apart),
                    Power::Two => graph.both("Mul", &apart, &apart),
                    Power::OneAndHalf => {
                        let size = graph.of("Abs", &apart);
                        let root = graph.of("Sqrt", &size);
                        graph.both("Mul", &size, &root)
                    }
                }
            }
        };
        sum = Some(sum.map_or(part.clone(), |sum| graph.both("Add", &sum, &part)));
    }
    let sum = sum.ok_or("a model without features")?;
    let k = graph.list(&[model.k() as i64]);
    let sums = graph.op("TopK", &[&sum, &k], vec![int("axis", 1), int("largest", 0), int("sorted", 1)]);
    let places = format!("{sums}{COUNT}");
    let weights = weights(graph, model, &sums, &places);
    let labels = graph.table(&[rows as i64], model.labels());
    let labels = graph.op("Gather", &[&labels, &places], vec![int("axis", 0)]);
    let total = along(graph, "ReduceSum", &weights);
    let share = |graph: &mut Builder, of: &str| {
        let parts = graph.both("Mul", of, &weights);
        let sum = along(graph, "ReduceSum", &parts);
        graph.both("Div", &sum, &total)
    };
    if let Task::MultiClass { classes } = model.task() {
        let shares: Vec<Name> = (0..classes.len())
            .map(|class| {
                let equal = graph.with("Equal", &labels, class as f64);
                let own = graph.cast(&equal, datatype::DOUBLE);
                share(graph, &own)
            })
            .collect();
        let shares: Vec<&str> = shares.iter().map(String::as_str).collect();
        return Ok(graph.op("Concat", &shares, vec![int("axis", 1)]));
    }
    let mean = share(graph, &labels);
    let all = graph.list(&[-1]);
    Ok(graph.op("Reshape", &[&mean, &all], Vec::new()))
}

/// What each neighbour counts.
fn weights(graph: &mut Builder, model: &NeighborsModel, sums: &str, places: &str) -> Name {
    let counts = graph.table(&[model.labels().len() as i64], model.counts());
    let counts = graph.op("Gather", &[&counts, places], vec![int("axis", 0)]);
    if model.weights() == NeighborWeights::Uniform {
        return counts;
    }
    let distances = match model.power() {
        Power::One => sums.to_owned(),
        Power::Two => graph.of("Sqrt", sums),
        Power::OneAndHalf => graph.with("Pow", sums, 1.0 / 1.5),
    };
    let is_there = graph.with("Equal", sums, 0.0);
    let is_there = graph.cast(&is_there, datatype::DOUBLE);
    let some = along(graph, "ReduceMax", &is_there);
    let some = graph.with("Greater", &some, 0.0);
    let one = graph.number(1.0);
    let inverse = graph.both("Div", &one, &distances);
    let weights = graph.choose(&some, &is_there, &inverse);
    graph.both("Mul", &weights, &counts)
}

/// Folds the columns of a matrix into one.
fn along(graph: &mut Builder, operator: &str, of: &str) -> Name {
    let axes = graph.list(&[1]);
    graph.op(operator, &[of, &axes], vec![int("keepdims", 1)])
}
