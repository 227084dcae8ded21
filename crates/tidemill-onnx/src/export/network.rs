//! A network as matrix products.

use tidemill_model::{Activation, NetworkInput, NetworkModel, Periodic, Task, WideTerm};

use super::builder::{Builder, Name, int};
use crate::onnx::value::datatype;

/// The scores: a matrix for several classes, one value for each row otherwise. An amount is in its own units.
pub(super) fn scores(graph: &mut Builder, matrix: &str, network: &NetworkModel) -> Name {
    let parts = network.parts();
    let columns: Vec<Name> = (0..parts.inputs.len()).map(|at| column(graph, matrix, at)).collect();
    let inputs: Vec<Name> =
        parts.inputs.iter().zip(&columns).map(|(input, column)| encoded(graph, column, input)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut values = graph.op("Concat", &inputs, vec![int("axis", 1)]);
    for (at, layer) in parts.layers.iter().enumerate() {
        let shape = [layer.inputs as i64, layer.outputs() as i64];
        let weights = graph.table(&shape, &widened(&layer.weights));
        let biases = graph.table(&[1, shape[1]], &widened(&layer.biases));
        let product = graph.both("MatMul", &values, &weights);
        values = graph.both("Add", &product, &biases);
        if at + 1 < parts.layers.len() {
            values = activated(graph, &values, parts.activation);
        }
    }
    let scores = parts.task.columns();
    for term in &parts.wide {
        let weights = wide(graph, &columns, term, scores);
        values = graph.both("Add", &values, &weights);
    }
    if scores > 1 {
        return values;
    }
    let all = graph.list(&[-1]);
    let score = graph.op("Reshape", &[&values, &all], Vec::new());
    if parts.task != Task::Regression {
        return score;
    }
    let scaled = graph.with("Mul", &score, parts.amount.unit);
    let amount = graph.with("Add", &scaled, parts.amount.centre);
    let bounded = graph.with("Max", &amount, parts.amount.low);
    graph.with("Min", &bounded, parts.amount.high)
}

fn widened(weights: &[f32]) -> Vec<f64> {
    weights.iter().map(|weight| f64::from(*weight)).collect()
}

/// A feature as a matrix of one column.
fn column(graph: &mut Builder, matrix: &str, at: usize) -> Name {
    let place = graph.list(&[at as i64]);
    graph.op("Gather", &[matrix, &place], vec![int("axis", 1)])
}

/// The inputs that a feature becomes.
fn encoded(graph: &mut Builder, column: &str, input: &NetworkInput) -> Name {
    match input {
        NetworkInput::Number { centre, factor, periodic, indicator } => {
            let (absent, fill) = (graph.of("IsNaN", column), graph.number(*centre));
            let value = graph.choose(&absent, &fill, column);
            let shifted = graph.with("Sub", &value, *centre);
            let scaled = graph.with("Mul", &shifted, *factor);
            let bounded = graph.with("Max", &scaled, -NetworkInput::NUMBER_MAX);
            let z = graph.with("Min", &bounded, NetworkInput::NUMBER_MAX);
            let share = graph.with("Div", &z, NetworkInput::CLIP);
            let square = graph.both("Mul", &share, &share);
            let sum = graph.with("Add", &square, 1.0);
            let root = graph.of("Sqrt", &sum);
            let clipped = graph.both("Div", &z, &root);
            let mut parts = vec![clipped.clone()];
            parts.extend(periodic.as_ref().map(|periodic| waves(graph, &clipped, periodic)));
            if *indicator {
                parts.push(graph.cast(&absent, datatype::DOUBLE));
            }
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            if let [only] = parts[..] { only.to_owned() } else { graph.op("Concat", &parts, vec![int("axis", 1)]) }
        }
        NetworkInput::OneHot { categories } => {
            let codes: Vec<f64> = (0..*categories).map(f64::from).collect();
            let codes = graph.table(&[1, codes.len() as i64], &codes);
            let equal = graph.both("Equal", column, &codes);
            graph.cast(&equal, datatype::DOUBLE)
        }
        NetworkInput::Embedding { width, table } => {
            let others = table.len() / *width as usize - 1;
            let known = is_category(graph, column, others as u32);
            let other = graph.number(others as f64);
            let code = graph.choose(&known, column, &other);
            let code = graph.cast(&code, datatype::INT64);
            let width = i64::from(*width);
            let table = graph.table(&[others as i64 + 1, width], &widened(table));
            let vectors = graph.op("Gather", &[&table, &code], vec![int("axis", 0)]);
            let shape = graph.list(&[-1, width]);
            graph.op("Reshape", &[&vectors, &shape], Vec::new())
        }
    }
}

/// Weighted sums of waves of a standardised number.
fn waves(graph: &mut Builder, z: &str, periodic: &Periodic) -> Name {
    let count = periodic.frequencies.len() as i64;
    let angular: Vec<f64> =
        periodic.frequencies.iter().map(|frequency| std::f64::consts::TAU * f64::from(*frequency)).collect();
    let angular = graph.table(&[1, count], &angular);
    let phases = graph.table(&[1, count], &widened(&periodic.phases));
    let turns = graph.both("Mul", z, &angular);
    let angles = graph.both("Add", &turns, &phases);
    let waves = graph.of("Cos", &angles);
    let width = periodic.width() as i64;
    let weights = graph.table(&[count, width], &widened(&periodic.weights));
    let biases = graph.table(&[1, width], &widened(&periodic.biases));
    let sums = graph.both("MatMul", &waves, &weights);
    graph.both("Add", &sums, &biases)
}

/// Whether a column holds a code below `count`.
fn is_category(graph: &mut Builder, column: &str, count: u32) -> Name {
    let whole = graph.of("Floor", column);
    let is_whole = graph.both("Equal", column, &whole);
    let above = graph.with("GreaterOrEqual", column, 0.0);
    let below = graph.with("Less", column, f64::from(count));
    let within = graph.both("And", &above, &below);
    graph.both("And", &is_whole, &within)
}

/// The weights of a row's combination: those of a last place, which are 0, where a category is missing or unknown.
fn wide(graph: &mut Builder, columns: &[Name], term: &WideTerm, scores: usize) -> Name {
    let (mut sum, mut all_known): (Option<Name>, Option<Name>) = (None, None);
    for ((feature, count), multiplier) in term.features.iter().zip(&term.categories).zip(&term.multipliers) {
        let column = &columns[*feature as usize];
        let known = is_category(graph, column, *count);
        let zero = graph.number(0.0);
        let code = graph.choose(&known, column, &zero);
        let code = graph.cast(&code, datatype::INT64);
        let multiplier = graph.whole(*multiplier as i64);
        let part = graph.both("Mul", &code, &multiplier);
        sum = Some(sum.map_or(part.clone(), |sum| graph.both("Add", &sum, &part)));
        all_known = Some(all_known.map_or(known.clone(), |all| graph.both("And", &all, &known)));
    }
    let (sum, known) = (sum.unwrap_or_default(), all_known.unwrap_or_default());
    let modulus = graph.whole(WideTerm::MODULUS as i64);
    let buckets = graph.whole(i64::from(term.buckets));
    let rest = graph.both("Mod", &sum, &modulus);
    let place = graph.both("Mod", &rest, &buckets);
    let place = graph.choose(&known, &place, &buckets);
    let mut weights = widened(&term.weights);
    weights.resize(weights.len() + scores, 0.0);
    let table = graph.table(&[i64::from(term.buckets) + 1, scores as i64], &weights);
    let found = graph.op("Gather", &[&table, &place], vec![int("axis", 0)]);
    let shape = graph.list(&[-1, scores as i64]);
    graph.op("Reshape", &[&found, &shape], Vec::new())
}

/// The activation of basic operators, which every runtime has for 64 bits.
fn activated(graph: &mut Builder, x: &str, activation: Activation) -> Name {
    match activation {
        Activation::Relu => graph.with("Max", x, 0.0),
        Activation::Tanh => graph.of("Tanh", x),
        Activation::Silu => {
            let negative = graph.of("Neg", x);
            let power = graph.of("Exp", &negative);
            let below = graph.with("Add", &power, 1.0);
            graph.both("Div", x, &below)
        }
        Activation::Selu => {
            let negative = graph.with("Min", x, 0.0);
            let power = graph.of("Exp", &negative);
            let less = graph.with("Sub", &power, 1.0);
            let curve = graph.with("Mul", &less, Activation::SELU_ALPHA);
            let above = graph.with("Greater", x, 0.0);
            let value = graph.choose(&above, x, &curve);
            graph.with("Mul", &value, Activation::SELU_SCALE)
        }
        Activation::Mish => {
            let bounded = graph.with("Min", x, Activation::LARGE);
            let power = graph.of("Exp", &bounded);
            let more = graph.with("Add", &power, 2.0);
            let square = graph.both("Mul", &power, &more);
            let below = graph.with("Add", &square, 2.0);
            let share = graph.both("Div", &square, &below);
            graph.both("Mul", x, &share)
        }
    }
}
