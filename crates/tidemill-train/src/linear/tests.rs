//! Weights against scikit-learn's.

use std::path::Path;

use serde_json::Value;
use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec, LinearFeature};

use super::fit::Problem;
use super::{Design, DesignPlan, Linear, LinearLoss, RowLoss, minimise};

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
    (columns, cultivars, file("expected.json"))
}

fn file(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

/// The number of the class of each row.
fn numbers(cultivars: &[String], classes: &[String]) -> Vec<f64> {
    cultivars.iter().map(|name| classes.iter().position(|class| class == name).unwrap() as f64).collect()
}

fn design(columns: &[Vec<f64>]) -> Design {
    let spec = |_: &Vec<f64>| FeatureSpec { name: String::new(), kind: FeatureKind::Numeric };
    let block = FeatureBlock { rows: columns[0].len(), columns: columns.to_vec() };
    let mut plan = DesignPlan::new(&columns.iter().map(spec).collect::<Vec<_>>()).unwrap();
    plan.observe(&block);
    let mut design = plan.design();
    design.push(&block);
    design
}

/// The weights of scaled features agree with those recorded.
fn agree(task: RowLoss, columns: &[Vec<f64>], labels: &[f64], l2: f64, expected: &Value) {
    let design = design(columns);
    let loss = LinearLoss { loss: task, design: &design, labels, weights: None, l2 };
    let start = vec![0.0; loss.dimensions()];
    let found =
        minimise::<()>(start, 5000, 1e-8, |point, gradient| loss.value(point, gradient), |_, _| Ok(())).unwrap();
    // It ends at the tolerance, or where no step gains anything more in floating point.
    assert!(found.converged || found.iterations < 5000, "{task:?}: {} steps", found.iterations);
    let stride = 1 + design.width();
    for (score, own) in found.point.chunks(stride).enumerate() {
        let near = |got: f64, expected: &Value, what: &str| {
            let expected = expected.as_f64().unwrap();
            assert!((got - expected).abs() < 1e-6, "{task:?}, score {score}, {what}: {got}, not {expected}");
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
    let numbers = numbers(&cultivars, &classes);
    let is_first: Vec<f64> = numbers.iter().map(|class| f64::from(u8::from(*class == 0.0))).collect();
    agree(RowLoss::Logistic, &columns, &is_first, 2.0, &expected["binary"]);
    agree(RowLoss::Squared, &columns[1..], &columns[0], 2.0, &expected["ridge"]);
    agree(RowLoss::Softmax(3), &columns, &numbers, 1.0, &expected["multinomial"]);
}

#[test]
fn weights_of_every_loss_and_penalty_are_those_of_scikit_learn() {
    let (columns, cultivars, _) = recorded();
    let expected = file("linear.json");
    let classes: Vec<String> = serde_json::from_value(expected["classes"].clone()).unwrap();
    let numbers = numbers(&cultivars, &classes);
    let row_weights: Vec<f64> = (0..numbers.len()).map(|row| 1.0 + (row % 3) as f64).collect();
    let place = 9; // color_intensity
    let others: Vec<Vec<f64>> =
        columns.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, column)| column.clone()).collect();
    for fit in expected["fits"].as_array().unwrap() {
        let name = format!("{} {}", fit["loss"], fit["l1_ratio"]);
        let map = |of: &dyn Fn(f64) -> f64| columns[place].iter().map(|amount| of(*amount)).collect::<Vec<f64>>();
        let (loss, features, labels) = match (fit["loss"].as_str().unwrap(), fit["task"].as_str()) {
            (_, Some("binary")) => {
                let is_barolo = numbers.iter().map(|class| f64::from(u8::from(*class == 1.0))).collect();
                (RowLoss::Logistic, &columns, is_barolo)
            }
            (_, Some(_)) => (RowLoss::Softmax(3), &columns, numbers.clone()),
            ("poisson", _) => (RowLoss::Poisson, &others, map(&f64::floor)),
            ("gamma", _) => (RowLoss::Gamma, &others, map(&|amount| amount)),
            ("tweedie", _) => (RowLoss::Tweedie(1.5), &others, map(&|amount| (amount - 3.0).max(0.0))),
            _ => (RowLoss::Squared, &others, map(&|amount| amount)),
        };
        let params: Linear = serde_json::from_value(serde_json::json!({
            "penalty": "elastic_net", "l1_ratio": fit["l1_ratio"], "tolerance": 1e-11, "max_iterations": 10_000,
        }))
        .unwrap();
        let design = design(features);
        let weights = fit["weighted"].as_bool().unwrap().then_some(row_weights.as_slice());
        let problem = Problem::new(&params, loss, &design, &labels, weights);
        let alpha = fit["alpha"].as_f64().unwrap();
        let found = problem.solve(alpha, problem.start(), &mut |_, _| Ok(())).unwrap();
        let scaling = problem.scaling();
        for (score, own) in found.point.chunks(1 + design.width()).enumerate() {
            let near = |got: f64, expected: &Value, what: &str| {
                let expected = expected.as_f64().unwrap();
                let apart = (got - expected).abs();
                assert!(apart <= 1e-6 * expected.abs().max(0.1), "{name}, {what}: {got}, not {expected}");
                assert_eq!(expected == 0.0, got == 0.0, "{name}, {what}: {got}, not {expected}");
            };
            near(scaling.centre + scaling.unit * own[0], &fit["intercepts"][score], "intercept");
            for (at, weight) in own[1..].iter().enumerate() {
                near(weight * scaling.unit, &fit["coefficients"][score][at], &format!("score {score}, weight {at}"));
            }
        }
    }
}

/// Numbers that are mostly 0 are laid out apart, and have the weights that they have among the others.
#[test]
fn sparse_and_dense_numbers_have_the_same_weights() {
    let rows = 3000_u32;
    let hash = |row: u32, salt: u32| (row ^ salt).wrapping_mul(2_654_435_761) >> 8;
    let column = |salt: u32, every: u32| -> Vec<f64> {
        (0..rows)
            .map(|row| if hash(row, salt) % every == 0 { f64::from(hash(row, salt) % 7) + 1.0 } else { 0.0 })
            .collect()
    };
    let columns = vec![column(1, 2), column(2, 10), column(3, 50)];
    let labels: Vec<f64> = (0..rows as usize)
        .map(|row| f64::from(u8::from(columns[0][row] + columns[1][row] > 3.0 + columns[2][row])))
        .collect();
    let params = Linear { tolerance: 1e-10, ..Linear::default() };
    // With a constant added to them, numbers are not 0 anywhere.
    let moved: Vec<Vec<f64>> = columns.iter().map(|column| column.iter().map(|value| value + 5.0).collect()).collect();
    let found: Vec<Vec<f64>> = [&columns, &moved]
        .into_iter()
        .map(|columns| {
            let design = design(columns);
            let problem = Problem::new(&params, RowLoss::Logistic, &design, &labels, None);
            problem.solve(1.0, problem.start(), &mut |_, _| Ok(())).unwrap().point
        })
        .collect();
    for (sparse, dense) in found[0].iter().zip(&found[1]) {
        assert!((sparse - dense).abs() < 1e-7, "{found:?}");
    }
    let few = DesignPlan::new(&[]).unwrap();
    assert_eq!(few.bytes(1000), 0);
}

#[test]
fn weights_in_the_units_of_features_give_the_same_scores() {
    let (columns, ..) = recorded();
    let design = design(&columns);
    let weights = vec![(0..13).map(|at| f64::from(at) - 6.0).collect::<Vec<f64>>()];
    let (features, shifts) = design.unscaled(&weights);
    let mut scores = vec![0.0; design.rows()];
    let point: Vec<f64> = std::iter::once(0.0).chain(weights[0].iter().copied()).collect();
    design.scores(0, &point, &mut scores);
    for row in [0, 50, 117] {
        let scaled = scores[row];
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
    let classes = ["Barbera", "Barolo", "Grignolino"].map(str::to_owned);
    let numbers = numbers(&cultivars, &classes);
    let binary: Vec<f64> = numbers.iter().map(|class| f64::from(u8::from(*class == 1.0))).collect();
    let design = design(&columns);
    let amounts: Vec<f64> = numbers.iter().map(|number| number + 0.5).collect();
    for (task, labels) in [
        (RowLoss::Logistic, &binary),
        (RowLoss::Squared, &numbers),
        (RowLoss::Softmax(3), &numbers),
        (RowLoss::Poisson, &numbers),
        (RowLoss::Gamma, &amounts),
        (RowLoss::Tweedie(1.3), &numbers),
    ] {
        let loss = LinearLoss { loss: task, design: &design, labels, weights: None, l2: 0.7 };
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
                "{task:?}, {at}: {slope} {}",
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

/// A million columns of 0 and 1 take 4 bytes a row.
#[test]
fn a_million_categories_are_learned() {
    let (rows, categories) = (20_000, 1 << 20);
    let spec = FeatureSpec { name: String::new(), kind: FeatureKind::Categorical { cardinality: categories } };
    let mut plan = DesignPlan::new(std::slice::from_ref(&spec)).unwrap();
    assert_eq!(plan.bytes(rows as u64), 80_000);
    // Each of 5,000 categories has four rows, all of the same label.
    let code = |row: usize| (row % 5_000) * 200;
    let block = FeatureBlock { rows, columns: vec![(0..rows).map(|row| code(row) as f64).collect()] };
    plan.observe(&block);
    let mut design = plan.design();
    design.push(&block);
    let labels: Vec<f64> = (0..rows).map(|row| ((row % 5_000) % 3) as f64).collect();
    let params = Linear { tolerance: 1e-9, ..Linear::default() };
    let problem = Problem::new(&params, RowLoss::Squared, &design, &labels, None);
    let found = problem.solve(4.0, problem.start(), &mut |_, _| Ok(())).unwrap();
    let scaling = problem.scaling();
    for row in 0..3 {
        // Of four rows and a penalty of 4, half of what the rows say is left.
        let weight = found.point[1 + code(row)] * scaling.unit;
        let intercept = scaling.centre + scaling.unit * found.point[0];
        assert!((weight - 0.5 * (labels[row] - intercept)).abs() < 1e-5, "{row}: {weight}");
    }
    let not_zero = found.point[1..].iter().filter(|weight| **weight != 0.0).count();
    assert!(not_zero <= 5_000, "{not_zero}");
    let too_many = FeatureSpec { kind: FeatureKind::Categorical { cardinality: 1 << 23 }, ..spec };
    assert!(DesignPlan::new(&[too_many]).unwrap_err().contains("categories"));
}
