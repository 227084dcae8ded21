//! Forests against scikit-learn's, and what every tree must be true to.

use tidemill_core::{SplitMix64, Task};
use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec};

use super::grow::{ForestTree, Limits};
use super::learner::model;
use super::params::RandomForest;
use super::rows::{ForestRows, Labels};
use crate::bin_columns::BinColumns;
use crate::recorded::{self, Table};

fn rows(block: &FeatureBlock, kinds: &[FeatureKind], labels: Labels) -> ForestRows {
    let spec = |kind: &FeatureKind| FeatureSpec { name: "f".to_owned(), kind: *kind };
    let features: Vec<FeatureSpec> = kinds.iter().map(spec).collect();
    ForestRows { bins: BinColumns::of_block(&features, block, 255), labels, weights: None, rows: block.rows }
}

fn limits(data: &ForestRows) -> Limits {
    let tried = data.bins.columns.len();
    Limits { max_depth: u32::MAX, min_leaf: 1, min_split: 2, tried, extra_trees: false }
}

/// A forest with the parameters of scikit-learn's defaults.
fn forest(params: &RandomForest, table: &Table, seed: u64) -> Vec<Vec<f64>> {
    let kinds = vec![FeatureKind::Numeric; table.learned.columns.len()];
    let mean = table.labels.iter().sum::<f64>() / table.labels.len() as f64;
    let centre = if table.task == Task::Regression { mean } else { 0.0 };
    let data = rows(&table.learned, &kinds, Labels::new(&table.task, &table.labels, centre));
    let is_amount = table.task == Task::Regression;
    let limits =
        Limits { tried: params.tried(kinds.len(), is_amount), extra_trees: params.extra_trees, ..limits(&data) };
    let grow = |tree: u64| {
        let seed = SplitMix64::hash(seed << 32 | tree);
        let counts = data.draw(params.sample_share, params.replaces(), seed);
        ForestTree::grow(&data, &counts, limits, SplitMix64::hash(seed))
    };
    let trees: Vec<ForestTree> = (0..u64::from(params.trees)).map(grow).collect();
    model(&table.task, &trees, &data.bins.binning, centre).unwrap().predict(&table.judged).to_vec()
}

/// The losses lie where scikit-learn's lie: their mean over seeds is within three standard errors and a little.
#[test]
fn losses_are_those_of_scikit_learn() {
    let expected = recorded::expected("forest");
    for name in ["breast_cancer", "diabetes", "wine"] {
        let table = recorded::table(name);
        for (kind, extra_trees) in [("random_forest", false), ("extra_trees", true)] {
            let params = RandomForest { trees: 100, extra_trees, ..RandomForest::default() };
            let found: Vec<f64> =
                (0..10).map(|seed| table.loss(&forest(&params, &table, seed), recorded::FLOOR)).collect();
            let theirs: Vec<f64> = serde_json::from_value(expected[name][kind].clone()).unwrap();
            recorded::assert_same_spread(&format!("{name} {kind}"), &found, &theirs, 0.01);
        }
    }
}

#[test]
fn a_tree_of_all_rows_and_features_fits_them() {
    let mut draw = SplitMix64::new(3);
    let mut column = |of: &dyn Fn(&mut SplitMix64) -> f64| (0..300).map(|_| of(&mut draw)).collect::<Vec<f64>>();
    let number = column(&|draw| if draw.below(8) == 0 { f64::NAN } else { (draw.unit() * 40.0).round() });
    let category = column(&|draw| draw.below(6) as f64);
    let target = |row: usize| {
        let x = if number[row].is_nan() { 7.0 } else { f64::from(u8::from(number[row] > 20.0)) * 2.0 };
        x + [0.0, 5.0, 0.0, 5.0, 1.0, 0.0][category[row] as usize]
    };
    let labels: Vec<f64> = (0..300).map(target).collect();
    let block = FeatureBlock { rows: 300, columns: vec![number.clone(), category.clone()] };
    let kinds = [FeatureKind::Numeric, FeatureKind::Categorical { cardinality: 6 }];
    let data = rows(&block, &kinds, Labels::Amount(labels.clone()));
    let tree = ForestTree::grow(&data, &[1.0; 300], limits(&data), 1);
    for (row, label) in labels.iter().enumerate() {
        assert!((tree.leaf(&data, row)[0] - label).abs() < 1e-9, "{row}");
    }
    // The model says the same of values as the tree of bins.
    let model = model(&Task::Regression, &[tree], &data.bins.binning, 0.0).unwrap();
    for (found, label) in model.predict(&block)[0].iter().zip(&labels) {
        assert!((found - label).abs() < 1e-9);
    }
    // No leaf is smaller than asked.
    let limits = Limits { min_leaf: 40, ..limits(&data) };
    let tree = ForestTree::grow(&data, &[1.0; 300], limits, 1);
    let mut counts = std::collections::BTreeMap::new();
    for row in 0..300 {
        *counts.entry(tree.leaf(&data, row)[0].to_bits()).or_insert(0) += 1;
    }
    assert!(counts.len() > 2 && counts.values().all(|count| *count >= 40), "{counts:?}");
}

#[test]
fn rows_are_drawn_with_or_without_replacement() {
    let block = FeatureBlock { rows: 1000, columns: vec![(0..1000).map(f64::from).collect()] };
    let data = rows(&block, &[FeatureKind::Numeric], Labels::Amount(vec![0.0; 1000]));
    let drawn = data.draw(1.0, true, 4);
    assert_eq!(drawn.iter().sum::<f64>(), 1000.0);
    let seen = drawn.iter().filter(|count| **count > 0.0).count();
    assert!((600..665).contains(&seen), "{seen}");
    let part = data.draw(0.3, false, 4);
    assert!(part.iter().sum::<f64>() == 300.0 && part.iter().all(|count| *count <= 1.0));
}

#[test]
fn parameters_are_read_by_our_names_and_by_those_of_scikit_learn() {
    let read = |params: serde_json::Value| RandomForest::parse(&params);
    let ours = read(serde_json::json!({ "trees": 7, "features_per_split": 0.5, "min_leaf": 3 })).unwrap();
    let theirs = read(serde_json::json!({ "n_estimators": 7, "max_features": 0.5, "min_samples_leaf": 3 })).unwrap();
    assert_eq!(ours, theirs);
    assert_eq!((ours.tried(9, false), RandomForest::default().tried(9, false)), (4, 3));
    assert_eq!(RandomForest::default().tried(10, true), 3);
    assert_eq!(read(serde_json::json!({ "max_features": "log2" })).unwrap().tried(16, true), 4);
    let issues = read(serde_json::json!({ "features_per_split": 1.5, "trees": 0, "min_split": 1 })).unwrap_err();
    let named: Vec<String> = issues.into_iter().map(|issue| issue.path.join(".")).collect();
    assert_eq!(named, ["trees", "min_split", "features_per_split"]);
}
