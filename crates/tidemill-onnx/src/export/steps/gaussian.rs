//! `gaussian` as nodes of ONNX.

use tidemill_model::steps::Gaussian;

use super::log::log1p;
use super::{ExportStep, Output, Position};
use crate::export::builder::{Builder, Name};

impl ExportStep for Gaussian {
    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        Ok(Output::Value(gaussian(graph, x, (self.location, self.scale), (self.h_left, self.h_right))))
    }
}

/// The standard normal variable that a Tukey hh-distribution made x of, with the executor's steps.
fn gaussian(graph: &mut Builder, x: &str, (location, scale): (f64, f64), (left, right): (f64, f64)) -> Name {
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
