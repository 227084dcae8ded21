//! Weights against scikit-learn's.

use std::path::Path;

use serde_json::Value;
use tidemill_core::Task;
use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec, LinearFeature};

use super::{Design, DesignPlan, LinearLoss, minimise};

fn recorded() -> (Vec<Vec<f64>>, Vec<String>, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let text = std::fs::read_to_string(folder.join("wine.csv")).unwrap();
    let mut columns = vec![Vec::new(); 13];
    let mut cultivars = Vec::new();
    // Rows whose number is divisible by 3 are not learned from.
    for (_, line) in text.lines().skip(1).enumerate().filter(|(row, _)| row % 3 != 0) {
        let cells: Vec<&str> = line.split(',').collect();
        columns.iter_mut().zip(&cells[1..14]).for_each(|(column, cell)| column.push(cell.parse().unwrap()));
        cultivars.push(cells[14].to_owned());
    }
    let expected = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    (columns, cultivars, expected)
}

fn design(columns: &[Vec<f64>]) -> Design {
    let spec = |_: &Vec<f64>| FeatureSpec { name: String::new(), kind: FeatureKind::Numeric };
    let block = FeatureBlock { rows: columns[0].len(), columns: columns.to_vec() };
    let mut plan = DesignPlan::new(&columns.iter().map(spec).collect::<Vec<_>>()).unwrap();
    plan.observe(&block);
    let mut design = plan.design(block.rows);
    design.push(&block);
    design
}

/// The weights of scaled features agree with those recorded.
fn agree(task: &Task, columns: &[Vec<f64>], labels: &[f64], l2: f64, expected: &Value) {
    let design = design(columns);
    let loss = LinearLoss { task, design: &design, labels, weights: None, l2 };
    let start = vec![0.0; loss.dimensions()];
    let found =
        minimise::<()>(start, 5000, 1e-8, |point, gradient| loss.value(point, gradient), |_, _| Ok(())).unwrap();
    // It ends at the tolerance, or where no step gains anything more in floating point.
    assert!(found.converged || found.iterations < 5000, "{task}: {} steps", found.iterations);
    let stride = 1 + design.width();
    for (score, own) in found.point.chunks(stride).enumerate() {
        let near = |got: f64, expected: &Value, what: &str| {
            let expected = expected.as_f64().unwrap();
            assert!((got - expected).abs() < 1e-6, "{task}, score {score}, {what}: {got}, not {expected}");
        };
        near(own[0], &expected["intercepts"][score], "intercept");
        for (at, weight) in own[1..].iter().enumerate() {
            near(*weight, &expected["coefficients"][score][at], &format!("weight {at}"));
        }
    }
}

#[test]
fn weights_are_those_of_scikit_learn() {
    let (columns, cultivars, expected) = recorded();
    let classes: Vec<String> = serde_json::from_value(expected["classes"].clone()).unwrap();
    let numbers: Vec<f64> =
        cultivars.iter().map(|name| classes.iter().position(|class| class == name).unwrap() as f64).collect();
    let is_first: Vec<f64> = numbers.iter().map(|class| f64::from(u8::from(*class == 0.0))).collect();
    agree(&Task::Binary, &columns, &is_first, 2.0, &expected["binary"]);
    agree(&Task::Regression, &columns[1..], &columns[0], 2.0, &expected["ridge"]);
    agree(&Task::MultiClass { classes }, &columns, &numbers, 1.0, &expected["multinomial"]);
}

#[test]
fn weights_in_the_units_of_features_give_the_same_scores() {
    let (columns, ..) = recorded();
    let design = design(&columns);
    let weights = vec![(0..13).map(|at| f64::from(at) - 6.0).collect::<Vec<f64>>()];
    let (features, shifts) = design.unscaled(&weights);
    for row in [0, 50, 117] {
        let scaled: f64 = design.row(row).map(|(column, value)| weights[0][column] * value).sum();
        let unscaled: f64 = features
            .iter()
            .zip(&columns)
            .map(|(feature, column)| match feature {
                LinearFeature::Number { weights, .. } => weights[0] * column[row],
                LinearFeature::Categories { .. } => panic!("no categories"),
            })
            .sum();
        assert!((scaled - unscaled - shifts[0]).abs() < 1e-9);
    }
}

#[test]
fn gradients_are_derivatives_of_the_loss() {
    let (columns, cultivars, _) = recorded();
    let classes = ["Barbera", "Barolo", "Grignolino"].map(str::to_owned).to_vec();
    let numbers: Vec<f64> =
        cultivars.iter().map(|name| classes.iter().position(|class| class == name).unwrap() as f64).collect();
    let binary: Vec<f64> = numbers.iter().map(|class| f64::from(u8::from(*class == 1.0))).collect();
    let design = design(&columns);
    for (task, labels) in
        [(Task::Binary, &binary), (Task::Regression, &numbers), (Task::MultiClass { classes }, &numbers)]
    {
        let loss = LinearLoss { task: &task, design: &design, labels, weights: None, l2: 0.7 };
        let point: Vec<f64> = (0..loss.dimensions()).map(|at| (at as f64 * 0.7).sin() * 0.3).collect();
        let (mut gradient, mut unused) = (vec![0.0; point.len()], vec![0.0; point.len()]);
        loss.value(&point, &mut gradient);
        for at in 0..point.len() {
            let mut value = |step: f64| {
                let mut moved = point.clone();
                moved[at] += step;
                loss.value(&moved, &mut unused)
            };
            let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
            assert!(
                (slope - gradient[at]).abs() < 1e-4 * slope.abs().max(1.0),
                "{task}, {at}: {slope} {}",
                gradient[at]
            );
        }
    }
}

#[test]
fn rosenbrock_is_minimised() {
    let function = |x: &[f64], gradient: &mut [f64]| {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        gradient[0] = -2.0 * a - 400.0 * x[0] * b;
        gradient[1] = 200.0 * b;
        a * a + 100.0 * b * b
    };
    let found = minimise::<()>(vec![-1.2, 1.0], 200, 1e-9, function, |_, _| Ok(())).unwrap();
    assert!(found.converged && (found.point[0] - 1.0).abs() < 1e-8, "{found:?}");
}
