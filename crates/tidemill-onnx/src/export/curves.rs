//! Steps that follow a curve: Tukey's transform, straight lines between boundaries, the density of a histogram.

use super::builder::{Builder, Name};
use super::codes::pick;
use super::steps::{log1p, present, reached};

/// The standard normal variable that a Tukey hh-distribution made x of, with the executor's steps.
pub(super) fn gaussian(graph: &mut Builder, x: &str, (location, scale): (f64, f64), (left, right): (f64, f64)) -> Name {
    let centred = graph.with("Sub", x, location);
    if scale == 0.0 {
        return centred;
    }
    let u = graph.with("Div", &centred, scale);
    let negative = graph.with("Less", &u, 0.0);
    let (left, right) = (graph.number(left), graph.number(right));
    let h = graph.choose(&negative, &left, &right);
    let scaled = graph.both("Mul", &h, &u);
    let y = graph.both("Mul", &scaled, &u);
    let w = lambert_w(graph, &y);
    let squared = graph.both("Div", &w, &h);
    let (root, sign) = (graph.of("Sqrt", &squared), graph.of("Sign", &u));
    let z = graph.both("Mul", &root, &sign);
    // As it is where there is no tail, and where the numbers end.
    let (heavy, large) = (graph.with("Greater", &h, 0.0), graph.of("Abs", &squared));
    let finite = graph.with("Less", &large, f64::INFINITY);
    let (inside, size) = (graph.both("And", &heavy, &finite), graph.of("Abs", &u));
    let (apart, within) = (graph.with("Greater", &size, 0.0), graph.with("Less", &size, f64::INFINITY));
    let inside = graph.both("And", &inside, &apart);
    let inside = graph.both("And", &inside, &within);
    graph.choose(&inside, &z, &u)
}

/// Lambert's W of y ≥ 0, by as many steps of Halley's method as the executor takes.
fn lambert_w(graph: &mut Builder, y: &str) -> Name {
    let none = graph.number(f64::NAN);
    let start = log1p(graph, y, &none);
    let log = graph.of("Log", &start);
    let raised = graph.with("Add", &start, 1.0);
    let one = graph.number(1.0);
    let part = graph.both("Div", &one, &raised);
    let part = graph.both("Sub", &one, &part);
    let shift = graph.both("Mul", &log, &part);
    let nearer = graph.both("Sub", &start, &shift);
    let far = graph.with("Greater", &start, 1.0);
    let mut w = graph.choose(&far, &nearer, &start);
    for _ in 0..6 {
        let negative = graph.of("Neg", &w);
        let power = graph.of("Exp", &negative);
        let product = graph.both("Mul", y, &power);
        let error = graph.both("Sub", &w, &product);
        let (plus_one, plus_two) = (graph.with("Add", &w, 1.0), graph.with("Add", &w, 2.0));
        let double = graph.with("Mul", &w, 2.0);
        let double = graph.with("Add", &double, 2.0);
        let product = graph.both("Mul", &plus_two, &error);
        let bend = graph.both("Div", &product, &double);
        let slope = graph.both("Sub", &plus_one, &bend);
        let step = graph.both("Div", &error, &slope);
        w = graph.both("Sub", &w, &step);
    }
    w
}

/// The share of boundaries below x, straight lines between them.
pub(super) fn interpolate(graph: &mut Builder, x: &str, boundaries: &[f64]) -> Name {
    let count = boundaries.len();
    let above = reached(graph, x, boundaries);
    let before = graph.with("Sub", &above, 1.0);
    let place = graph.with("Max", &before, 0.0);
    let place = graph.with("Min", &place, (count - 2) as f64);
    let (low, high) = (graph.table(&[count as i64], boundaries), graph.table(&[count as i64 - 1], &boundaries[1..]));
    let (low, high) = (pick(graph, &low, &place), pick(graph, &high, &place));
    let (passed, width) = (graph.both("Sub", x, &low), graph.both("Sub", &high, &low));
    let share = graph.both("Div", &passed, &width);
    let reached = graph.both("Add", &before, &share);
    let value = graph.with("Div", &reached, (count - 1) as f64);
    let (zero, one) = (graph.number(0.0), graph.number(1.0));
    let (none, all) = (graph.with("Equal", &above, 0.0), graph.with("Equal", &above, count as f64));
    let value = graph.choose(&none, &zero, &value);
    let value = graph.choose(&all, &one, &value);
    present(graph, x, &value)
}

/// The density of a histogram at x.
pub(super) fn density(graph: &mut Builder, x: &str, boundaries: &[f64], densities: &[f64]) -> Name {
    let above = reached(graph, x, boundaries);
    let last = graph.with("Equal", x, boundaries.last().copied().unwrap_or(f64::NAN));
    let last = graph.cast(&last, crate::onnx::value::datatype::DOUBLE);
    // The last edge belongs to the last bucket; outside there is nothing.
    let bucket = graph.both("Sub", &above, &last);
    let table = [&[0.0], densities, &[0.0]].concat();
    let table = graph.table(&[table.len() as i64], &table);
    let value = pick(graph, &table, &bucket);
    present(graph, x, &value)
}
