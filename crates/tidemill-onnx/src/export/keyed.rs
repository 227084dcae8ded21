//! A step with constants of its own for each value of another column.

use super::builder::{Builder, Name};
use super::codes::pick;
use super::steps::{count, present};
use tidemill_model::Node;

/// The step by a row's position among `nodes`, which are all of one kind.
pub(super) fn step(graph: &mut Builder, x: &str, position: &str, nodes: &[&Node]) -> Result<Name, String> {
    match nodes.first() {
        Some(Node::ZScore { .. }) => {
            let mean = constants(graph, position, nodes, |node| match node {
                Node::ZScore { mean, .. } => *mean,
                _ => f64::NAN,
            });
            let std_dev = constants(graph, position, nodes, |node| match node {
                // x less its mean, where the deviation is 0.
                Node::ZScore { std_dev, .. } if *std_dev == 0.0 => 1.0,
                Node::ZScore { std_dev, .. } => *std_dev,
                _ => f64::NAN,
            });
            let centred = graph.both("Sub", x, &mean);
            Ok(graph.both("Div", &centred, &std_dev))
        }
        Some(Node::MinMax { .. }) => {
            let [low, width, output_low, output_width] = [0, 1, 2, 3].map(|which| {
                constants(graph, position, nodes, |node| match node {
                    Node::MinMax { min, max, output_min, output_max } => {
                        [*min, max - min, *output_min, output_max - output_min][which]
                    }
                    _ => f64::NAN,
                })
            });
            let above = graph.both("Sub", x, &low);
            let share = graph.both("Div", &above, &width);
            // The logistic function, where there is no width.
            let negative = graph.of("Neg", x);
            let power = graph.of("Exp", &negative);
            let sum = graph.with("Add", &power, 1.0);
            let one = graph.number(1.0);
            let logistic = graph.both("Div", &one, &sum);
            let narrow = graph.with("Equal", &width, 0.0);
            let unit = graph.choose(&narrow, &logistic, &share);
            let wide = graph.both("Mul", &unit, &output_width);
            Ok(graph.both("Add", &wide, &output_low))
        }
        Some(Node::Bucketize { .. }) => {
            let lists: Vec<&[f64]> = nodes
                .iter()
                .map(|node| match node {
                    Node::Bucketize { boundaries } => &boundaries[..],
                    _ => &[],
                })
                .collect();
            let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0).max(1);
            // Nothing reaches NaN.
            let padded: Vec<f64> = lists
                .iter()
                .flat_map(|list| (0..longest).map(|at| list.get(at).copied().unwrap_or(f64::NAN)))
                .collect();
            let table = graph.table(&[lists.len() as i64, longest as i64], &padded);
            let (own, column) = (pick(graph, &table, position), graph.as_column(x));
            let reached = count(graph, "GreaterOrEqual", &column, &own);
            Ok(present(graph, x, &reached))
        }
        _ => Err("`by_key` holds a step that has no form in ONNX by key".to_owned()),
    }
}

/// A constant of the row's step.
fn constants(graph: &mut Builder, position: &str, nodes: &[&Node], of: impl Fn(&Node) -> f64) -> Name {
    let values: Vec<f64> = nodes.iter().map(|node| of(node)).collect();
    let table = graph.table(&[values.len() as i64], &values);
    pick(graph, &table, position)
}
