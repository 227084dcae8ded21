//! Steps over numbers as nodes of ONNX, as the executor takes them.

use tidemill_core::TensorSpec;

use super::builder::{Builder, Name, int};
use super::codes::positions;
use super::source::{column_values, input};
use super::{curves, date, keyed};
use crate::onnx::value::datatype;
use tidemill_model::{Node, Scalar};

/// What a step makes of a value.
pub(super) enum Step {
    Value(Name),
    Indicator(Name),
    OneHot,
    Columns(Vec<Name>),
}

/// One step over numbers, as the executor takes it.
pub(super) fn step(graph: &mut Builder, node: &Node, x: &str, inputs: &[TensorSpec]) -> Result<Step, String> {
    let none = graph.number(f64::NAN);
    Ok(Step::Value(match node {
        Node::Impute { value } => {
            let fill = graph.number(match value {
                Scalar::Bool(value) => f64::from(u8::from(*value)),
                Scalar::Int(value) => *value as f64,
                Scalar::Float(value) => *value,
                Scalar::Text(_) => return Err("a text stands in for a number".to_owned()),
            });
            let missing = graph.of("IsNaN", x);
            graph.choose(&missing, &fill, x)
        }
        Node::ZScore { mean, std_dev } => {
            let centred = graph.with("Sub", x, *mean);
            if *std_dev == 0.0 { centred } else { graph.with("Div", &centred, *std_dev) }
        }
        Node::MinMax { min, max, output_min, output_max } => {
            let unit = if min == max {
                let negative = graph.of("Neg", x);
                let power = graph.of("Exp", &negative);
                let sum = graph.with("Add", &power, 1.0);
                let one = graph.number(1.0);
                graph.both("Div", &one, &sum)
            } else {
                let above = graph.with("Sub", x, *min);
                graph.with("Div", &above, max - min)
            };
            let wide = graph.with("Mul", &unit, output_max - output_min);
            graph.with("Add", &wide, *output_min)
        }
        Node::Bucketize { boundaries } => {
            let reached = reached(graph, x, boundaries);
            present(graph, x, &reached)
        }
        Node::Log => {
            let (inside, log) = (graph.with("Greater", x, 0.0), graph.of("Log", x));
            graph.choose(&inside, &log, &none)
        }
        Node::Log1p => log1p(graph, x, &none),
        Node::Clip { min, max } => {
            let mut value = x.to_owned();
            for (bound, beyond) in [(min, "Less"), (max, "Greater")] {
                if let Some(bound) = bound {
                    let (outside, bound) = (graph.with(beyond, &value, *bound), graph.number(*bound));
                    value = graph.choose(&outside, &bound, &value);
                }
            }
            value
        }
        Node::Sqrt => {
            let (inside, root) = (graph.with("GreaterOrEqual", x, 0.0), graph.of("Sqrt", x));
            graph.choose(&inside, &root, &none)
        }
        Node::Power { exponent } => {
            let missing = graph.of("IsNaN", x);
            let outside = if *exponent < 0.0 {
                let zero = graph.with("Equal", x, 0.0);
                graph.both("Or", &missing, &zero)
            } else {
                missing
            };
            let power = graph.with("Pow", x, *exponent);
            graph.choose(&outside, &none, &power)
        }
        Node::DatePart { part } => date::part(graph, x, *part),
        Node::MissingIndicator => {
            let missing = graph.of("IsNaN", x);
            return Ok(Step::Indicator(graph.cast(&missing, datatype::DOUBLE)));
        }
        Node::Cyclic { period } => {
            let turns = graph.with("Div", x, *period);
            let angle = graph.with("Mul", &turns, std::f64::consts::TAU);
            let (sine, cosine) = (graph.of("Sin", &angle), graph.of("Cos", &angle));
            return Ok(Step::Columns(vec![graph.as_column(&sine), graph.as_column(&cosine)]));
        }
        Node::OneHot => return Ok(Step::OneHot),
        // Buckets, true and false are codes already.
        Node::Categorical { values: None } => x.to_owned(),
        Node::Robust { median, range } => {
            let centred = graph.with("Sub", x, *median);
            if *range == 0.0 { centred } else { graph.with("Div", &centred, *range) }
        }
        Node::Gaussian { location, scale, h_left, h_right } => {
            curves::gaussian(graph, x, (*location, *scale), (*h_left, *h_right))
        }
        Node::Interpolate { boundaries } => curves::interpolate(graph, x, boundaries),
        Node::Density { boundaries, densities } => curves::density(graph, x, boundaries, densities),
        Node::ByKey { column, values, nodes, other } => {
            let key = column_values(graph, input(inputs, column)?);
            let (position, missing) = positions(graph, &key, values, values.len() as i64)?;
            let none = graph.number(values.len() as f64);
            let position = graph.choose(&missing, &none, &position);
            let steps: Vec<&Node> = nodes.iter().chain([&**other]).collect();
            keyed::step(graph, x, &position, &steps)?
        }
        // Tables come first, and the rest was refused before.
        _ => return Err(format!("`{}` after other steps", node.name())),
    }))
}

/// ln(1 + x) without losing small x (Kahan): ln(u) · x / (u − 1) with u = 1 + x.
pub(super) fn log1p(graph: &mut Builder, x: &str, none: &str) -> Name {
    let raised = graph.with("Add", x, 1.0);
    let log = graph.of("Log", &raised);
    let kept = graph.with("Sub", &raised, 1.0);
    let ratio = graph.both("Div", x, &kept);
    let product = graph.both("Mul", &log, &ratio);
    let lost = graph.with("Equal", &raised, 1.0);
    let small = graph.choose(&lost, x, &product);
    // Far out the ratio is 1, and at infinity it is no number.
    let far = graph.with("Greater", x, 1e17);
    let value = graph.choose(&far, &log, &small);
    let inside = graph.with("Greater", x, -1.0);
    graph.choose(&inside, &value, none)
}

/// How many boundaries are not above x.
pub(super) fn reached(graph: &mut Builder, x: &str, boundaries: &[f64]) -> Name {
    let column = graph.as_column(x);
    let table = graph.table(&[1, boundaries.len() as i64], boundaries);
    count(graph, "GreaterOrEqual", &column, &table)
}

/// In how many columns of a row a comparison holds.
pub(super) fn count(graph: &mut Builder, comparison: &str, left: &str, right: &str) -> Name {
    let found = graph.both(comparison, left, right);
    let ones = graph.cast(&found, datatype::DOUBLE);
    let axes = graph.list(&[1]);
    graph.op("ReduceSum", &[&ones, &axes], vec![int("keepdims", 0)])
}

/// `value`, missing where x is.
pub(super) fn present(graph: &mut Builder, x: &str, value: &str) -> Name {
    let (missing, none) = (graph.of("IsNaN", x), graph.number(f64::NAN));
    graph.choose(&missing, &none, value)
}
