//! The calibration of probabilities.

use super::builder::{Builder, Name, int};
use tidemill_model::{Calibration, CalibrationCurve};

/// The calibrated probabilities: of rows, or a column for each of several classes.
pub(super) fn calibrated(graph: &mut Builder, probabilities: &str, calibration: &Calibration) -> Name {
    match calibration {
        Calibration::Curves(curves) => match curves.as_slice() {
            [curve] => {
                let column = graph.as_column(probabilities);
                let column = along(graph, &column, curve);
                let all = graph.list(&[-1]);
                graph.op("Reshape", &[&column, &all], Vec::new())
            }
            curves => of_classes(graph, probabilities, curves),
        },
        Calibration::Temperature(inverse) => {
            let safe = inside(graph, probabilities);
            let logs = graph.of("Log", &safe);
            let logs = graph.with("Mul", &logs, *inverse);
            graph.op("Softmax", &[&logs], vec![int("axis", 1)])
        }
    }
}

/// A curve for each class; the results of a row are divided by their sum.
fn of_classes(graph: &mut Builder, probabilities: &str, curves: &[CalibrationCurve]) -> Name {
    let mut columns: Vec<Name> = Vec::with_capacity(curves.len());
    for (class, curve) in curves.iter().enumerate() {
        let place = graph.list(&[class as i64]);
        let column = graph.op("Gather", &[probabilities, &place], vec![int("axis", 1)]);
        columns.push(along(graph, &column, curve));
    }
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let all = graph.op("Concat", &columns, vec![int("axis", 1)]);
    let axes = graph.list(&[1]);
    let sums = graph.op("ReduceSum", &[&all, &axes], vec![int("keepdims", 1)]);
    let zero = graph.number(0.0);
    let is_zero = graph.both("Equal", &sums, &zero);
    let one = graph.number(1.0);
    let divisors = graph.choose(&is_zero, &one, &sums);
    let shares = graph.both("Div", &all, &divisors);
    let equal = graph.number(1.0 / curves.len() as f64);
    graph.choose(&is_zero, &equal, &shares)
}

/// A column of probabilities along a curve.
fn along(graph: &mut Builder, column: &str, curve: &CalibrationCurve) -> Name {
    let (yes, no, more) = match curve {
        CalibrationCurve::Sigmoid { slope, intercept } => (*slope, *slope, *intercept),
        CalibrationCurve::Beta { a, b, c } => (*a, *b, *c),
        CalibrationCurve::Isotonic { points } => return steps(graph, column, points),
    };
    let safe = inside(graph, column);
    let log_yes = graph.of("Log", &safe);
    let one = graph.number(1.0);
    let rest = graph.both("Sub", &one, &safe);
    let log_no = graph.of("Log", &rest);
    let (yes, no) = (graph.with("Mul", &log_yes, yes), graph.with("Mul", &log_no, no));
    let odds = graph.both("Sub", &yes, &no);
    let scores = graph.with("Add", &odds, more);
    graph.logistic(&scores)
}

/// The sum of what each line between two points adds.
fn steps(graph: &mut Builder, column: &str, points: &[[f64; 2]]) -> Name {
    let lines = points.len() as i64 - 1;
    let start = points[0][1];
    if lines == 0 {
        let none = graph.with("Mul", column, 0.0);
        return graph.with("Add", &none, start);
    }
    let of = |value: &dyn Fn(&[[f64; 2]]) -> f64| points.windows(2).map(value).collect::<Vec<f64>>();
    let from = graph.table(&[1, lines], &of(&|pair| pair[0][0]));
    let widths = graph.table(&[1, lines], &of(&|pair| pair[1][0] - pair[0][0]));
    let heights = graph.table(&[lines, 1], &of(&|pair| pair[1][1] - pair[0][1]));
    let beyond = graph.both("Sub", column, &from);
    let shares = graph.both("Div", &beyond, &widths);
    let shares = graph.with("Max", &shares, 0.0);
    let shares = graph.with("Min", &shares, 1.0);
    let risen = graph.both("MatMul", &shares, &heights);
    graph.with("Add", &risen, start)
}

/// Probabilities that have a logarithm.
fn inside(graph: &mut Builder, probabilities: &str) -> Name {
    let raised = graph.with("Max", probabilities, f64::EPSILON);
    graph.with("Min", &raised, 1.0 - f64::EPSILON)
}
