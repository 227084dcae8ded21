//! Additive models against `interpret`'s, and the laws of their functions.

use tidemill_core::{SplitMix64, Task};
use tidemill_model::{AdditiveModel, FeatureBlock, FeatureKind, FeatureSpec};

use super::params::Additive;
use super::rows::{AdditiveRows, Kind};
use super::shape::terms;
use super::tidy::Functions;
use crate::bin_columns::BinColumns;
use crate::recorded::{self, Table};

fn rows(task: &Task, block: &FeatureBlock, kinds: &[FeatureKind], labels: &[f64]) -> AdditiveRows {
    let spec = |kind: &FeatureKind| FeatureSpec { name: "f".to_owned(), kind: *kind };
    let features: Vec<FeatureSpec> = kinds.iter().map(spec).collect();
    AdditiveRows {
        bins: BinColumns::of_block(&features, block, 255),
        targets: labels.iter().map(|label| *label as f32).collect(),
        weights: None,
        scores: task.columns(),
        kind: match task {
            Task::Binary => Kind::Binary,
            Task::MultiClass { .. } => Kind::Classes,
            _ => Kind::Amount,
        },
    }
}

fn boost(params: &Additive, task: &Task, rows: &AdditiveRows, seed: u64) -> Functions {
    let free: Vec<usize> = (0..rows.bins.columns.len()).collect();
    params.boost::<()>(task, rows, &free, seed, |_| Ok(())).unwrap().functions
}

fn model(task: &Task, functions: &Functions, rows: &AdditiveRows, features: usize) -> AdditiveModel {
    AdditiveModel::new(task.clone(), features, functions.intercepts.clone(), terms(functions, rows)).unwrap()
}

fn loss(params: &Additive, table: &Table, seed: u64) -> f64 {
    let features = table.learned.columns.len();
    let mean = table.labels.iter().sum::<f64>() / table.labels.len() as f64;
    let (centre, unit) = if table.task == Task::Regression { (mean, 70.0) } else { (0.0, 1.0) };
    let labels: Vec<f64> = table.labels.iter().map(|label| (label - centre) / unit).collect();
    let rows = rows(&table.task, &table.learned, &vec![FeatureKind::Numeric; features], &labels);
    let functions = boost(params, &table.task, &rows, seed);
    let mut predicted = model(&table.task, &functions, &rows, features).predict(&table.judged).to_vec();
    if table.task == Task::Regression {
        predicted[0].iter_mut().for_each(|value| *value = centre + unit * *value);
    }
    table.loss(&predicted, 1e-12)
}

#[test]
fn losses_are_those_of_interpret() {
    let expected = recorded::expected("additive");
    for name in expected.as_object().unwrap().keys() {
        let found: Vec<f64> = (0..3).map(|seed| loss(&Additive::default(), &recorded::table(name), seed)).collect();
        let theirs: Vec<f64> = serde_json::from_value(expected[name].clone()).unwrap();
        recorded::assert_same_spread(&format!("{name} additive"), &found, &theirs, 0.03);
    }
}

/// A wave of one number, steps of a category, and a product of two numbers; missing numbers add 2.
fn made(rows: usize) -> (FeatureBlock, Vec<FeatureKind>, Vec<f64>) {
    let mut draw = SplitMix64::new(8);
    let mut columns = vec![Vec::new(); 5];
    let mut labels = Vec::new();
    for _ in 0..rows {
        let wave = if draw.below(12) == 0 { f64::NAN } else { draw.unit() * 6.0 };
        let category = draw.below(5) as f64;
        let [a, b, noise] = [draw.unit() * 2.0 - 1.0, draw.unit() * 2.0 - 1.0, draw.unit() - 0.5];
        [wave, category, a, b, draw.unit()]
            .into_iter()
            .zip(&mut columns)
            .for_each(|(value, column)| column.push(value));
        let of_wave = if wave.is_nan() { 2.0 } else { wave.sin() };
        labels.push(of_wave + [0.0, 1.0, -1.0, 0.5, 0.0][category as usize] + 2.0 * a * b + 0.2 * noise);
    }
    let number = FeatureKind::Numeric;
    (
        FeatureBlock { rows, columns },
        vec![number, FeatureKind::Categorical { cardinality: 5 }, number, number, number],
        labels,
    )
}

fn quick() -> Additive {
    let smoothing_rounds = Some(50);
    Additive {
        rounds: 400,
        bags: 2,
        learning_rate: 0.05,
        interactions: Some(1),
        smoothing_rounds,
        ..Additive::default()
    }
}

#[test]
fn functions_are_found_and_the_pair_that_matters_is_chosen() {
    let (block, kinds, labels) = made(3000);
    let rows = rows(&Task::Regression, &block, &kinds, &labels);
    let mut functions = boost(&quick(), &Task::Regression, &rows, 1);
    let predict = |functions: &Functions| model(&Task::Regression, functions, &rows, 5).predict(&block)[0].clone();
    let before = predict(&functions);
    let error = before.iter().zip(&labels).map(|(found, label)| (found - label).powi(2)).sum::<f64>() / 3000.0;
    assert!(error < 0.03, "{error}");
    let [(pair, _)] = &functions.pairs[..] else { panic!("one pair") };
    assert_eq!((pair.first.used, pair.second.used), (2, 3));

    functions.centre(&rows);
    for (before, after) in before.iter().zip(predict(&functions)) {
        assert!((before - after).abs() < 1e-9);
    }
    // The wave is drawn as it is: up to its mean, and with the value of missing numbers.
    let explained = model(&Task::Regression, &functions, &rows, 5);
    let wave = explained.terms().iter().find(|term| term.features.len() == 1 && term.features[0].0 == 0).unwrap();
    let at = |x: f64| wave.values[wave.cell(|_| x)];
    for x in [0.5, 1.5, 3.0, 4.7, 5.5] {
        assert!((at(x) - at(3.1) - f64::sin(x) + f64::sin(3.1)).abs() < 0.2, "{x}");
    }
    assert!((at(f64::NAN) - at(3.1) - 2.0 + f64::sin(3.1)).abs() < 0.1, "{}", at(f64::NAN) - at(3.1));
    // What is not there is nearly flat.
    let (single, pairs) = functions.effects(&rows);
    assert!(single[4] < 0.04 && single[2] < 0.1 && pairs[0] > 0.4, "{single:?} {pairs:?}");
}

#[test]
fn directions_hold_everywhere_and_the_mean_stays() {
    let (block, kinds, labels) = made(2000);
    let rows = rows(&Task::Regression, &block, &kinds, &labels);
    let mut functions = boost(&quick(), &Task::Regression, &rows, 1);
    functions.centre(&rows);
    functions.make_monotone(&rows, 0, 1.0);
    functions.make_monotone(&rows, 2, -1.0);
    let present = |at: usize| &functions.single[at][..functions.single[at].len() - 1];
    assert!(present(0).windows(2).all(|pair| pair[0] <= pair[1]));
    assert!(present(2).windows(2).all(|pair| pair[0] >= pair[1]));
    let weights = super::tidy::single_rows(&rows, 0);
    let mean: f64 = functions.single[0].iter().zip(&weights).map(|(value, rows)| value * rows).sum();
    assert!(mean.abs() < 1e-6, "{mean}");
}

#[test]
fn bad_values_are_named_and_names_of_interpret_are_read() {
    assert_eq!(Additive::default().check(), []);
    let issues = Additive::parse(&serde_json::json!({ "leaves": 1, "validation_share": 1.0, "eta": 0.1 })).unwrap_err();
    let named: Vec<String> = issues.into_iter().map(|issue| issue.path.join(".")).collect();
    assert_eq!(named, ["eta", "leaves", "validation_share"]);
    let theirs = serde_json::json!({ "outer_bags": 3, "max_rounds": 9, "min_samples_leaf": 2 });
    let read = Additive::parse(&theirs).unwrap();
    assert_eq!((read.bags, read.rounds, read.min_leaf), (3, 9, 2));
}
