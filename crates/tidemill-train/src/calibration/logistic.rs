//! Platt's and beta calibration: logistic regressions of one or two numbers.

use tidemill_model::CalibrationCurve;

use super::{Rows, inside};

/// Newton steps at most; a few are enough.
const STEPS_MAX: usize = 200;
/// The penalty on the weights: scikit-learn's with `C` = 1e11, as in betacal. It keeps rows that are divided without an error
/// from driving weights to infinity.
const RIDGE: f64 = 1e-11;

/// A logistic function of the log-odds. Labels are drawn towards each other as Platt (1999) does, so that rows without an
/// error leave the curve finite.
pub(super) fn platt(rows: &Rows<'_>) -> CalibrationCurve {
    let (mut positive, mut negative) = (0.0, 0.0);
    for (row, label) in rows.labels.iter().enumerate() {
        *(if *label > 0.5 { &mut positive } else { &mut negative }) += rows.weight(row);
    }
    let [yes, no] = [(positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0)];
    let odds = |probability: &f64| inside(*probability).ln() - (1.0 - inside(*probability)).ln();
    let inputs: Vec<[f64; 1]> = rows.probabilities.iter().map(|p| [odds(p)]).collect();
    let targets: Vec<f64> = rows.labels.iter().map(|label| if *label > 0.5 { yes } else { no }).collect();
    let ([slope], intercept) = regression(&inputs, &targets, rows, 0.0);
    CalibrationCurve::Sigmoid { slope, intercept }
}

/// A logistic function of a ln p − b ln(1 − p) + c. A weight below 0 becomes 0, and the others are found without it.
pub(super) fn beta(rows: &Rows<'_>) -> CalibrationCurve {
    let logs = |probability: &f64| [inside(*probability).ln(), -(1.0 - inside(*probability)).ln()];
    let inputs: Vec<[f64; 2]> = rows.probabilities.iter().map(logs).collect();
    let ([a, b], c) = regression(&inputs, rows.labels, rows, RIDGE);
    if a >= 0.0 && b >= 0.0 {
        return CalibrationCurve::Beta { a, b, c };
    }
    let kept = usize::from(a < 0.0);
    let inputs: Vec<[f64; 1]> = inputs.iter().map(|input| [input[kept]]).collect();
    let ([weight], c) = regression(&inputs, rows.labels, rows, RIDGE);
    match (weight >= 0.0, kept) {
        (true, 0) => CalibrationCurve::Beta { a: weight, b: 0.0, c },
        (true, _) => CalibrationCurve::Beta { a: 0.0, b: weight, c },
        (false, _) => {
            let nothing = vec![[0.0]; inputs.len()];
            let (_, c) = regression(&nothing, rows.labels, rows, RIDGE);
            CalibrationCurve::Beta { a: 0.0, b: 0.0, c }
        }
    }
}

/// The weights and the intercept with the smallest log-loss, by Newton's method with halved steps. `targets` lie between 0
/// and 1.
fn regression<const N: usize>(inputs: &[[f64; N]], targets: &[f64], rows: &Rows<'_>, ridge: f64) -> ([f64; N], f64) {
    let score = |point: &[f64; 3], input: &[f64; N]| {
        input.iter().zip(&point[1..]).fold(point[0], |sum, (value, weight)| sum + value * weight)
    };
    let loss = |point: &[f64; 3]| {
        let mut sum = 0.0;
        for (row, (input, target)) in inputs.iter().zip(targets).enumerate() {
            let score = score(point, input);
            sum += rows.weight(row) * (score.max(0.0) - target * score + (-score.abs()).exp().ln_1p());
        }
        sum + point[1..].iter().map(|weight| 0.5 * ridge * weight * weight).sum::<f64>()
    };
    let mut point = [0.0; 3];
    let mut value = loss(&point);
    for _ in 0..STEPS_MAX {
        let mut gradient = [0.0; 3];
        let mut second = [[0.0; 3]; 3];
        for (row, (input, target)) in inputs.iter().zip(targets).enumerate() {
            let probability = 1.0 / (1.0 + (-score(&point, input)).exp());
            let (weight, mut values) = (rows.weight(row), [1.0, 0.0, 0.0]);
            values[1..=N].copy_from_slice(input);
            for i in 0..=N {
                gradient[i] += weight * (probability - target) * values[i];
                for j in 0..=N {
                    second[i][j] += weight * probability * (1.0 - probability) * values[i] * values[j];
                }
            }
        }
        for i in 1..=N {
            gradient[i] += ridge * point[i];
            second[i][i] += ridge;
        }
        // A number that is not used, or a direction without curvature, must not make the matrix singular.
        (0..3).for_each(|i| second[i][i] += 1e-14 * second[i][i].max(1e-100) + if i > N { 1.0 } else { 0.0 });
        let step = solve(second, gradient);
        let mut size = 1.0;
        let found = loop {
            let tried: [f64; 3] = std::array::from_fn(|i| point[i] - size * step[i]);
            let tried_value = loss(&tried);
            if tried_value < value {
                break Some((tried, tried_value));
            }
            size *= 0.5;
            if size < 1e-10 {
                break None;
            }
        };
        let Some((tried, tried_value)) = found else { break };
        let gain = value - tried_value;
        (point, value) = (tried, tried_value);
        if gain <= 1e-16 * value.abs() {
            break;
        }
    }
    (std::array::from_fn(|i| point[1 + i]), point[0])
}

/// Solves a system of three equations by elimination with pivots.
fn solve(mut matrix: [[f64; 3]; 3], mut right: [f64; 3]) -> [f64; 3] {
    for column in 0..3 {
        let pivot = (column..3)
            .fold(column, |best, row| if matrix[row][column].abs() > matrix[best][column].abs() { row } else { best });
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        if matrix[column][column] == 0.0 {
            continue;
        }
        for row in column + 1..3 {
            let factor = matrix[row][column] / matrix[column][column];
            for at in column..3 {
                matrix[row][at] -= factor * matrix[column][at];
            }
            right[row] -= factor * right[column];
        }
    }
    let mut solution = [0.0; 3];
    for row in (0..3).rev() {
        let known: f64 = (row + 1..3).map(|at| matrix[row][at] * solution[at]).sum();
        solution[row] = if matrix[row][row] == 0.0 { 0.0 } else { (right[row] - known) / matrix[row][row] };
    }
    solution
}
