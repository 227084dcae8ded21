//! Training learns what it should, and the same at any number of threads.

mod monotone;
mod rare;

use std::sync::Arc;

use tidemill_model::trees::{Node, Rule};
use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec, ModelError};

use super::rng::Rng;
use super::{
    AbsoluteError, BinPlanner, Binned, Binning, Combination, Constraints, Fitted, GradientBoosting, Growth,
    LabelledRows, LogLoss, Objective, Poisson, Quantile, Sampling, Softmax, SquaredError, StopMetric, fit,
};

const CATEGORIES: FeatureKind = FeatureKind::Categorical { cardinality: 1000 };
const NUMBER: FeatureKind = FeatureKind::Numeric;

/// Training and validation rows of the same features.
struct Data {
    kinds: Vec<FeatureKind>,
    train: (Vec<Vec<f64>>, Vec<f64>),
    eval: Option<(Vec<Vec<f64>>, Vec<f64>)>,
}

impl Data {
    fn new(kinds: &[FeatureKind], columns: Vec<Vec<f64>>, labels: Vec<f64>) -> Self {
        Self { kinds: kinds.to_vec(), train: (columns, labels), eval: None }
    }

    fn block(columns: &[Vec<f64>]) -> FeatureBlock {
        FeatureBlock { rows: columns[0].len(), columns: columns.to_vec() }
    }

    fn rows((columns, labels): &(Vec<Vec<f64>>, Vec<f64>), binning: &Arc<Binning>) -> LabelledRows {
        let mut data = Binned::new(Arc::clone(binning), labels.len());
        data.push(&Self::block(columns));
        LabelledRows::new(data, labels.clone())
    }

    fn binned(&self, max_bin: u32) -> (LabelledRows, Option<LabelledRows>) {
        let spec = |kind: &FeatureKind| FeatureSpec { name: String::new(), kind: *kind };
        let specs: Vec<FeatureSpec> = self.kinds.iter().map(spec).collect();
        let mut planner = BinPlanner::new(&specs, self.train.1.len() as u64, max_bin, 1);
        planner.observe(&Self::block(&self.train.0));
        let binning = Arc::new(planner.finish());
        (Self::rows(&self.train, &binning), self.eval.as_ref().map(|eval| Self::rows(eval, &binning)))
    }

    fn fit(&self, objective: &dyn Objective, params: &GradientBoosting) -> Fitted {
        let (train, eval) = self.binned(params.max_bin);
        fit::<ModelError>(params, objective, &Constraints::default(), &train, eval.as_ref(), 42, |_| Ok(())).unwrap()
    }
}

fn predict(fitted: &Fitted, rows: &[&[f64]]) -> Vec<f64> {
    let columns = (0..rows[0].len()).map(|feature| rows.iter().map(|row| row[feature]).collect()).collect();
    let mut out = Vec::new();
    fitted.ensemble().predict(&FeatureBlock { rows: rows.len(), columns }, &mut out);
    out
}

fn uniform(rng: &mut Rng) -> f64 {
    rng.0.draw() as f64 / u64::MAX as f64
}

/// One tree, its values not scaled.
fn hundred_rounds() -> GradientBoosting {
    GradientBoosting { rounds: 100, ..GradientBoosting::default() }
}

fn dart() -> GradientBoosting {
    GradientBoosting { boosting: Combination::Dart, ..GradientBoosting::default() }
}

fn forest() -> GradientBoosting {
    let boosting = Combination::RandomForest;
    GradientBoosting { rounds: 20, boosting, bagging_fraction: 0.6, ..GradientBoosting::default() }
}

fn one_tree() -> GradientBoosting {
    GradientBoosting { rounds: 1, learning_rate: 1.0, min_data_in_leaf: 1, ..GradientBoosting::default() }
}

/// Many rows with all that features can be: numbers, missing values, categories, a constant.
fn mixed(rows: usize, seed: u64) -> Data {
    let mut rng = Rng::new(seed, 99);
    let mut columns = vec![Vec::new(); 11];
    let mut labels = Vec::new();
    for _ in 0..rows {
        let mut row: Vec<f64> = (0..11).map(|_| uniform(&mut rng)).collect();
        row[3] = (row[3] * 30.0).floor();
        row[4] = (row[4] * row[4] * 600.0).floor();
        row[5] = 7.0;
        if row[6] < 0.3 {
            row[6] = f64::NAN;
        }
        let missing = if row[6].is_nan() { 0.8 } else { row[6] };
        let score = 3.0 * (row[0] - row[1]) * row[2] + (row[3] * 1.7).sin() + (row[4] * 0.9).cos() + missing;
        labels.push(f64::from(score + uniform(&mut rng) > 1.6));
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let mut kinds = [NUMBER; 11];
    (kinds[3], kinds[4]) = (CATEGORIES, CATEGORIES);
    Data::new(&kinds, columns, labels)
}

#[test]
fn leaf_values_are_those_of_the_formula() {
    // Base score 3 (the mean); gradients are 3 − y: left leaf {2, 1} → G = 3, H = 2; right {5, 4} → G = -3, H = 2.
    let data = Data::new(&[NUMBER], vec![vec![1.0, 2.0, 10.0, 11.0]], vec![2.0, 1.0, 5.0, 4.0]);
    for (l1, l2, expected) in [(0.0, 0.0, 1.5), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 2.0, 0.5), (3.0, 0.0, 0.0)] {
        let params = GradientBoosting { leaves: 2, lambda_l1: l1, lambda_l2: l2, ..one_tree() };
        let fitted = data.fit(&SquaredError, &params);
        let predicted = predict(&fitted, &[&[1.0], &[2.0], &[6.0], &[6.1], &[99.0]]);
        let (low, high) = (3.0 - expected, 3.0 + expected);
        for (predicted, expected) in predicted.iter().zip([low, low, low, high, high]) {
            assert!((predicted - expected).abs() < 1e-9, "l1 {l1}, l2 {l2}: {predicted} {expected}");
        }
    }
}

#[test]
fn a_binary_leaf_value_is_a_newton_step() {
    // Base score 0 (p = 1/2); the left leaf has G = 4/2 - 1 = 1, H = 4/4 = 1, the right one G = -1.
    let labels = vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0];
    let data = Data::new(&[NUMBER], vec![vec![0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]], labels);
    let fitted = data.fit(&LogLoss, &one_tree());
    let expected = 1.0 / (1.0 + 1.0_f64.exp());
    let predicted = predict(&fitted, &[&[0.0], &[1.0]]);
    assert!((predicted[0] - expected).abs() < 1e-9 && (predicted[1] - (1.0 - expected)).abs() < 1e-9);
}

#[test]
fn every_row_gets_a_leaf_of_its_own_if_allowed() {
    let column: Vec<f64> = (0..200).map(|at| f64::from(at * 37 % 200)).collect();
    let labels: Vec<f64> = column.iter().map(|value| value.sin()).collect();
    let data = Data::new(&[NUMBER], vec![column], labels.clone());
    let params = GradientBoosting { leaves: 1000, min_sum_hessian: 0.0, ..one_tree() };
    let fitted = data.fit(&SquaredError, &params);
    assert!(fitted.train_metric < 1e-6, "{}", fitted.train_metric);
    assert_eq!(fitted.ensemble().trees()[0].leaves(), 200);
}

#[test]
fn limits_on_leaves_depth_and_rows_hold() {
    let data = mixed(3000, 1);
    let params = GradientBoosting { rounds: 20, leaves: 9, max_depth: Some(4), ..GradientBoosting::default() };
    let block = Data::block(&data.train.0);
    for min_data_in_leaf in [1, 20, 200] {
        let fitted = data.fit(&LogLoss, &GradientBoosting { min_data_in_leaf, ..params.clone() });
        for tree in fitted.ensemble().trees() {
            assert!(tree.leaves() <= 9);
            let mut depth = vec![0; tree.nodes().len()];
            let mut rows = vec![0; tree.nodes().len()];
            for row in 0..block.rows {
                let mut at = 0;
                while let Node::Split(split) = &tree.nodes()[at] {
                    let next = if split.goes_left(block.columns[split.feature as usize][row]) {
                        split.left
                    } else {
                        split.right
                    } as usize;
                    depth[next] = depth[at] + 1;
                    at = next;
                }
                rows[at] += 1;
            }
            assert!(depth.iter().all(|depth| *depth <= 4));
            for (node, rows) in tree.nodes().iter().zip(rows) {
                assert!(matches!(node, Node::Split(_)) || rows >= min_data_in_leaf, "{rows} < {min_data_in_leaf}");
            }
        }
    }
}

#[test]
fn xor_is_learned() {
    // A little off balance: on a perfect one no first split gains anything.
    let mut rng = Rng::new(1, 1);
    let columns: Vec<Vec<f64>> = (0..2).map(|_| (0..2000).map(|_| uniform(&mut rng)).collect()).collect();
    let labels = (0..2000).map(|row| f64::from((columns[0][row] > 0.5) != (columns[1][row] > 0.45))).collect();
    let fitted = Data::new(&[NUMBER; 2], columns, labels).fit(&LogLoss, &hundred_rounds());
    let predicted = predict(&fitted, &[&[0.2, 0.2], &[0.2, 0.9], &[0.9, 0.2], &[0.9, 0.9]]);
    assert!(predicted[0] < 0.05 && predicted[1] > 0.95 && predicted[2] > 0.95 && predicted[3] < 0.05, "{predicted:?}");
}

#[test]
fn a_curve_is_learned() {
    let column: Vec<f64> = (0..4000).map(|at| f64::from(at) / 400.0).collect();
    let labels: Vec<f64> = column.iter().map(|x| x.sqrt() * 10.0).collect();
    let fitted = Data::new(&[NUMBER], vec![column], labels).fit(&SquaredError, &hundred_rounds());
    let mut last = f64::NEG_INFINITY;
    for x in [0.5, 1.0, 2.0, 4.0, 8.0] {
        let predicted = predict(&fitted, &[&[x]])[0];
        assert!((predicted - x.sqrt() * 10.0).abs() < 0.3 && predicted > last, "{x}: {predicted}");
        last = predicted;
    }
}

#[test]
fn missing_values_go_where_they_belong() {
    let mut rng = Rng::new(2, 2);
    let mut column: Vec<f64> = (0..1000).map(|_| uniform(&mut rng)).collect();
    for like_high in [true, false] {
        let labels: Vec<f64> = (0..1000)
            .map(|row| if row % 5 == 0 { f64::from(like_high) } else { f64::from(column[row] > 0.5) })
            .collect();
        column.iter_mut().step_by(5).for_each(|value| *value = f64::NAN);
        let fitted = Data::new(&[NUMBER], vec![column.clone()], labels).fit(&LogLoss, &one_tree());
        let tree = &fitted.ensemble().trees()[0];
        assert!(matches!(&tree.nodes()[0], Node::Split(split) if split.missing_left != like_high));
        let predicted = predict(&fitted, &[&[f64::NAN], &[0.1], &[0.9]]);
        assert_eq!(predicted[0], predicted[if like_high { 2 } else { 1 }]);
    }
    // Missing against all present values.
    let column: Vec<f64> = (0..1000).map(|row| if row % 5 == 0 { f64::NAN } else { f64::from(row % 7) }).collect();
    let labels = column.iter().map(|value| f64::from(value.is_nan())).collect();
    let fitted = Data::new(&[NUMBER], vec![column], labels).fit(&SquaredError, &one_tree());
    let predicted = predict(&fitted, &[&[f64::NAN], &[0.0], &[6.0], &[1e9]]);
    assert!((predicted[0] - 1.0).abs() < 1e-6 && predicted[1..].iter().all(|p| p.abs() < 1e-6), "{predicted:?}");
}

#[test]
fn a_missing_value_never_seen_in_training_follows_the_larger_child() {
    let column: Vec<f64> = (0..100).map(f64::from).collect();
    let labels = column.iter().map(|value| f64::from(*value > 79.5)).collect();
    let fitted = Data::new(&[NUMBER], vec![column], labels).fit(&SquaredError, &one_tree());
    let predicted = predict(&fitted, &[&[f64::NAN], &[0.0]]);
    assert_eq!(predicted[0], predicted[1]);
}

#[test]
fn categories_are_split_as_sets() {
    // Even categories are high: no threshold on the code could say so in one split.
    let column: Vec<f64> = (0..8000).map(|row| f64::from(row % 20)).collect();
    let labels = column.iter().map(|code| f64::from(*code % 2.0 == 0.0)).collect();
    let data = Data::new(&[CATEGORIES], vec![column], labels);
    let fitted = data.fit(&SquaredError, &GradientBoosting { leaves: 2, cat_l2: 0.0, ..one_tree() });
    let Node::Split(split) = &fitted.ensemble().trees()[0].nodes()[0] else { panic!("no split") };
    let Rule::OneOf(codes) = &split.rule else { panic!("not categorical") };
    let parity: Vec<u32> = codes.codes().map(|code| code % 2).collect();
    assert!(parity.len() == 10 && parity.iter().all(|one| *one == parity[0]), "{parity:?}");
    let predicted = predict(&fitted, &[&[4.0], &[5.0]]);
    assert!((predicted[0] - 1.0).abs() < 1e-6 && predicted[1].abs() < 1e-6);
}

#[test]
fn few_categories_are_tried_one_against_the_rest() {
    let column: Vec<f64> = (0..300).map(|row| if row % 3 == 2 { f64::NAN } else { f64::from(row % 3) }).collect();
    let labels = column.iter().map(|code| f64::from(code.is_nan())).collect();
    let fitted = Data::new(&[CATEGORIES], vec![column], labels).fit(&SquaredError, &one_tree());
    let predicted = predict(&fitted, &[&[0.0], &[1.0], &[f64::NAN], &[17.0]]);
    assert_eq!(predicted[0], predicted[1]);
    assert_eq!(predicted[0], predicted[3], "an unseen category is with the rest");
    assert!((predicted[2] - 1.0).abs() < 1e-6);
}

#[test]
fn more_categories_than_bins_still_train_and_rare_ones_are_together() {
    let mut rng = Rng::new(5, 5);
    let column: Vec<f64> = (0..20_000).map(|_| (uniform(&mut rng).powi(3) * 700.0).floor()).collect();
    let labels: Vec<f64> = column.iter().map(|code| f64::from(*code % 3.0 == 0.0)).collect();
    let mut counts = vec![0_u32; 700];
    for code in &column {
        counts[*code as usize] += 1;
    }
    let data = Data::new(&[CATEGORIES], vec![column], labels);
    let fitted = data.fit(&LogLoss, &GradientBoosting { min_data_per_group: 10, ..hundred_rounds() });
    let predicted = predict(&fitted, &[&[0.0], &[1.0], &[3.0]]);
    assert!(predicted[0] > 0.9 && predicted[1] < 0.1 && predicted[2] > 0.9, "{predicted:?}");
    let mut by_count: Vec<usize> = (0..700).collect();
    by_count.sort_by_key(|code| (std::cmp::Reverse(counts[*code]), *code));
    let rare = predict(&fitted, &[&[by_count[254] as f64], &[by_count[699] as f64], &[12_345.0]]);
    assert!(rare[0] == rare[1] && rare[1] == rare[2], "{rare:?}");
}

#[test]
fn early_stopping_keeps_the_best_round() {
    let mut data = mixed(2000, 3);
    let mut noise = mixed(2000, 4);
    // Eval labels are partly noise, so that the loss turns up soon.
    let mut rng = Rng::new(1, 9);
    noise.train.1.iter_mut().for_each(|label| {
        if uniform(&mut rng) < 0.2 {
            *label = 1.0 - *label;
        }
    });
    data.eval = Some(noise.train);
    let params = GradientBoosting { rounds: 500, early_stopping: Some(10), ..GradientBoosting::default() };
    let (train, eval) = data.binned(255);
    let mut curve = Vec::new();
    let fitted = fit::<ModelError>(&params, &LogLoss, &Constraints::default(), &train, eval.as_ref(), 42, |round| {
        assert_eq!(round.round as usize, curve.len() + 1);
        curve.push(round.validation_metric.unwrap());
        Ok(())
    })
    .unwrap();
    let best = curve.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(fitted.validation_metric, Some(best));
    assert_eq!(curve[fitted.best_round as usize - 1], best);
    assert_eq!((fitted.rounds, fitted.ensemble().trees().len() as u32), (fitted.best_round + 10, fitted.best_round));
    assert_eq!(curve.len() as u32, fitted.rounds);

    // What was judged is what is kept: the ensemble gives the same scores on values as training had on bins.
    let eval = data.eval.as_ref().unwrap();
    let mut scores = Vec::new();
    fitted.ensemble().scores(&Data::block(&eval.0), &mut scores);
    assert_eq!(scores, fitted.validation_scores[0]);
    let mut train_scores = Vec::new();
    fitted.ensemble().scores(&Data::block(&data.train.0), &mut train_scores);
    let losses = train_scores.iter().zip(&data.train.1).map(|(score, label)| LogLoss.loss(&[*score], *label));
    assert!((losses.sum::<f64>() / 2000.0 - fitted.train_metric).abs() < 1e-9);
}

#[test]
fn the_same_bytes_at_any_number_of_threads() {
    let mut data = mixed(150_000, 6);
    data.eval = Some(mixed(20_000, 7).train);
    let params = [
        GradientBoosting { rounds: 4, ..GradientBoosting::default() },
        GradientBoosting { rounds: 12, skip_drop: 0.0, drop_rate: 0.3, ..dart() },
        GradientBoosting { rounds: 5, learning_rate: 0.5, sample: Sampling::Goss, ..GradientBoosting::default() },
        GradientBoosting { rounds: 3, feature_fraction_by_node: 0.5, ..forest() },
        GradientBoosting { rounds: 3, extra_trees: true, path_smooth: 20.0, ..GradientBoosting::default() },
        GradientBoosting {
            rounds: 3,
            bagging_fraction: 0.6,
            feature_fraction: 0.5,
            lambda_l1: 0.1,
            max_bin: 63,
            ..GradientBoosting::default()
        },
    ];
    for params in params {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let fitted = pool.install(|| data.fit(&LogLoss, &params));
            (fitted.ensemble().encode(), fitted.validation_metric, fitted.train_metric.to_bits())
        };
        let alone = run(1);
        assert_eq!(alone, run(2));
        assert_eq!(alone, run(4));
    }
}

#[test]
fn the_seed_decides_what_is_sampled() {
    let data = mixed(3000, 8);
    let params =
        GradientBoosting { rounds: 10, bagging_fraction: 0.5, feature_fraction: 0.5, ..GradientBoosting::default() };
    let (train, _) = data.binned(255);
    let run = |seed| {
        fit::<ModelError>(&params, &LogLoss, &Constraints::default(), &train, None, seed, |_| Ok(()))
            .unwrap()
            .ensemble()
            .encode()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn weights_count_rows() {
    // A row of weight 3 is three rows.
    let columns = vec![vec![0.0, 0.0, 1.0, 1.0]];
    let data = Data::new(&[NUMBER], columns, vec![0.0, 1.0, 1.0, 5.0]);
    let (mut train, _) = data.binned(255);
    train.weights = Some(vec![3.0, 1.0, 1.0, 3.0]);
    let fitted =
        fit::<ModelError>(&one_tree(), &SquaredError, &Constraints::default(), &train, None, 1, |_| Ok(())).unwrap();
    let predicted = predict(&fitted, &[&[0.0], &[1.0]]);
    assert!((predicted[0] - 0.25).abs() < 1e-6 && (predicted[1] - 4.0).abs() < 1e-6, "{predicted:?}");
}

#[test]
fn features_that_never_vary_give_the_mean() {
    let data =
        Data::new(&[NUMBER, CATEGORIES], vec![vec![1.0; 40], vec![f64::NAN; 40]], (0..40).map(f64::from).collect());
    let fitted = data.fit(&SquaredError, &hundred_rounds());
    assert_eq!(fitted.rounds, 1);
    assert!((predict(&fitted, &[&[5.0, 5.0]])[0] - 19.5).abs() < 1e-12);
}

#[test]
fn extreme_labels_do_not_break_the_sums() {
    let labels = vec![1e300, -1e300, 5e299, 0.0, 1.0, 2.0];
    let data = Data::new(&[NUMBER], vec![vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], labels);
    let (train, _) = data.binned(255);
    match fit::<ModelError>(&one_tree(), &SquaredError, &Constraints::default(), &train, None, 1, |_| Ok(())) {
        Ok(fitted) => assert!(predict(&fitted, &[&[1.0]])[0].is_finite()),
        Err(error) => assert!(error.to_string().contains("learner"), "{error}"),
    }
}

#[test]
fn the_watcher_can_stop_the_training() {
    let data = mixed(500, 1);
    let (train, _) = data.binned(255);
    let stopped = fit::<ModelError>(&hundred_rounds(), &LogLoss, &Constraints::default(), &train, None, 1, |round| {
        if round.round == 3 { Err(ModelError::NoLabel) } else { Ok(()) }
    });
    assert!(matches!(stopped, Err(ModelError::NoLabel)));
}

/// `record.py` beside the data says how the numbers were made.
#[test]
fn several_classes_are_learned_as_lightgbm_learns_them() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let text = std::fs::read_to_string(folder.join("wine.csv")).unwrap();
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let classes: Vec<String> = serde_json::from_value(expected["classes"].clone()).unwrap();
    let mut parts = [(vec![Vec::new(); 13], Vec::new()), (vec![Vec::new(); 13], Vec::new())];
    for (row, line) in text.lines().skip(1).enumerate() {
        let (columns, labels) = &mut parts[usize::from(row % 3 == 0)];
        let cells: Vec<&str> = line.split(',').collect();
        columns.iter_mut().zip(&cells[1..14]).for_each(|(column, cell)| column.push(cell.parse().unwrap()));
        labels.push(classes.iter().position(|class| class == cells[14]).unwrap() as f64);
    }
    let [train, eval] = parts;
    let data = Data { kinds: vec![NUMBER; 13], train, eval: Some(eval) };
    let params =
        GradientBoosting { rounds: 60, min_data_in_leaf: 5, early_stopping: Some(0), ..GradientBoosting::default() };
    let fitted = data.fit(&Softmax::new(3), &params);
    assert_eq!((fitted.sums.len(), fitted.rounds), (3, 60));
    // Log-loss after each round: bins are chosen a little differently, so not to the last digit.
    let recorded: Vec<f64> = serde_json::from_value(expected["boosting"]["log_loss"].clone()).unwrap();
    for round in [0, 4, 9, 19, 39, 59] {
        let (got, recorded) = (fitted.curve[round], recorded[round]);
        // Later trees fit what the bins of 119 rows make of them.
        let share = if round < 20 { 0.05 } else { 0.25 };
        assert!((got - recorded).abs() < share * recorded + 0.005, "round {}: {got}, LightGBM {recorded}", round + 1);
    }
    let labels = &data.eval.as_ref().unwrap().1;
    let right = (0..labels.len())
        .filter(|row| tidemill_model::largest_column(&fitted.validation_scores, *row) as f64 == labels[*row])
        .count();
    let accuracy = right as f64 / labels.len() as f64;
    assert!(accuracy >= expected["boosting"]["accuracy"].as_f64().unwrap() - 0.02, "{accuracy}");
}

#[test]
fn two_classes_take_the_steps_of_a_binary_label() {
    let data = mixed(2_000, 5);
    let params = GradientBoosting { rounds: 10, ..GradientBoosting::default() };
    let (one, two) = (data.fit(&LogLoss, &params), data.fit(&Softmax::new(2), &params));
    // The two scores lie apart as far as the one lies from 0.
    assert!((one.train_metric - two.train_metric).abs() < 0.01, "{} {}", one.train_metric, two.train_metric);
}

/// An amount that grows with the first of three columns, not with the others, with noise of a long tail.
fn amounts(rows: usize, seed: u64) -> Data {
    let mut rng = Rng::new(seed, 11);
    let columns: Vec<Vec<f64>> = (0..3).map(|_| (0..rows).map(|_| uniform(&mut rng)).collect()).collect();
    let noise = |rng: &mut Rng| -uniform(rng).max(1e-9).ln();
    let labels = (0..rows).map(|row| 2.0 * columns[0][row] + (9.0 * columns[1][row]).sin() + noise(&mut rng)).collect();
    Data::new(&[NUMBER; 3], columns, labels)
}

#[test]
fn the_trees_kept_give_the_scores_of_training() {
    let variants = [
        GradientBoosting { rounds: 30, skip_drop: 0.0, drop_rate: 0.3, ..dart() },
        GradientBoosting { rounds: 30, skip_drop: 0.3, bagging_fraction: 0.5, ..dart() },
        forest(),
        GradientBoosting { rounds: 30, learning_rate: 0.3, sample: Sampling::Goss, ..GradientBoosting::default() },
        GradientBoosting { rounds: 30, grow: Growth::DepthWise, max_delta_step: 0.2, ..GradientBoosting::default() },
        GradientBoosting { rounds: 30, pos_bagging_fraction: 0.5, path_smooth: 5.0, ..GradientBoosting::default() },
    ];
    let mut data = mixed(4_000, 3);
    data.eval = Some(mixed(2_000, 4).train);
    let loss = |fitted: &Fitted, (columns, labels): &(Vec<Vec<f64>>, Vec<f64>)| {
        let mut scores = Vec::new();
        fitted.ensemble().scores(&Data::block(columns), &mut scores);
        scores.iter().zip(labels).map(|(score, label)| LogLoss.loss(&[*score], *label)).sum::<f64>()
            / labels.len() as f64
    };
    let base = loss(&data.fit(&LogLoss, &GradientBoosting { rounds: 1, ..one_tree() }), data.eval.as_ref().unwrap());
    for params in variants {
        let fitted = data.fit(&LogLoss, &params);
        let (train, eval) = (loss(&fitted, &data.train), loss(&fitted, data.eval.as_ref().unwrap()));
        assert!((train - fitted.train_metric).abs() < 1e-9, "{params:?}: {train} {}", fitted.train_metric);
        assert!((eval - fitted.validation_metric.unwrap()).abs() < 1e-9, "{params:?}");
        assert!(eval < base.max(0.6), "{params:?}: {eval}");
    }
}

#[test]
fn quantiles_are_those_of_the_labels() {
    let data = amounts(5_000, 1);
    for level in [0.1, 0.5, 0.9] {
        let params = GradientBoosting { rounds: 100, leaves: 8, ..GradientBoosting::default() };
        let fitted = data.fit(&Quantile { level }, &params);
        let mut predicted = Vec::new();
        fitted.ensemble().predict(&Data::block(&data.train.0), &mut predicted);
        let below = predicted.iter().zip(&data.train.1).filter(|(predicted, label)| label <= predicted).count();
        let share = below as f64 / 5_000.0;
        assert!((share - level).abs() < 0.03, "{level}: {share}");
    }
    let (median, absolute) = (data.fit(&Quantile { level: 0.5 }, &one_tree()), data.fit(&AbsoluteError, &one_tree()));
    assert_eq!(median.train_metric * 2.0, absolute.train_metric);
}

#[test]
fn counts_are_predicted_by_their_logarithm() {
    let mut data = amounts(3_000, 2);
    data.train.1.iter_mut().for_each(|label| *label = label.max(0.0).floor());
    let fitted = data.fit(&Poisson { max_delta_step: 0.7 }, &hundred_rounds());
    let mut predicted = Vec::new();
    fitted.ensemble().predict(&Data::block(&data.train.0), &mut predicted);
    assert!(predicted.iter().all(|count| *count > 0.0));
    let (sum, labels) = (predicted.iter().sum::<f64>(), data.train.1.iter().sum::<f64>());
    assert!((sum / labels - 1.0).abs() < 0.02, "{sum} {labels}");
    let decoded = tidemill_model::TreeEnsemble::decode(&fitted.ensemble().encode()).unwrap();
    assert_eq!(&decoded, fitted.ensemble());
}

#[test]
fn predictions_never_break_a_direction() {
    for seed in 0..6 {
        let data = amounts(400, seed);
        let constraints = Constraints { monotone: vec![1, -1, 0], interactions: Vec::new() };
        let params = GradientBoosting { rounds: 40, min_data_in_leaf: 3, ..GradientBoosting::default() };
        let params = if seed % 2 == 0 { params } else { GradientBoosting { path_smooth: 3.0, ..params } };
        let (train, _) = data.binned(255);
        let fitted = fit::<ModelError>(&params, &SquaredError, &constraints, &train, None, 42, |_| Ok(())).unwrap();
        let grid = |feature: usize, other: f64| -> Vec<f64> {
            let row = |step: usize| {
                let mut row = [other; 3];
                row[feature] = step as f64 / 200.0;
                row
            };
            let rows: Vec<[f64; 3]> = (0..200).map(row).collect();
            predict(&fitted, &rows.iter().map(<[f64; 3]>::as_slice).collect::<Vec<_>>())
        };
        for other in [0.05, 0.3, 0.7, 0.95] {
            assert!(grid(0, other).is_sorted(), "{seed} {other}");
            assert!(grid(1, other).is_sorted_by(|a, b| a >= b), "{seed} {other}");
        }
        // Something was learned all the same.
        let span = grid(0, 0.5);
        assert!(span[199] - span[0] > 0.5, "{span:?}");
    }
}

#[test]
fn only_features_of_a_set_meet_on_a_path() {
    let data = amounts(2_000, 5);
    let constraints = Constraints { monotone: Vec::new(), interactions: vec![vec![0, 2]] };
    let (train, _) = data.binned(255);
    let params = GradientBoosting { rounds: 30, ..GradientBoosting::default() };
    let fitted = fit::<ModelError>(&params, &SquaredError, &constraints, &train, None, 42, |_| Ok(())).unwrap();
    let mut used = [false; 3];
    for tree in fitted.ensemble().trees() {
        let of_tree: std::collections::BTreeSet<u32> = tree
            .nodes()
            .iter()
            .filter_map(|node| if let Node::Split(split) = node { Some(split.feature) } else { None })
            .collect();
        assert!(!of_tree.contains(&1) || of_tree.len() == 1, "{of_tree:?}");
        of_tree.iter().for_each(|feature| used[*feature as usize] = true);
    }
    assert_eq!(used, [true; 3]);
}

#[test]
fn depth_wise_trees_are_filled_level_by_level() {
    let data = mixed(4_000, 3);
    let fitted = data.fit(&LogLoss, &GradientBoosting { rounds: 3, leaves: 8, grow: Growth::DepthWise, ..one_tree() });
    for tree in fitted.ensemble().trees() {
        let mut depths = vec![0; tree.nodes().len()];
        for (at, node) in tree.nodes().iter().enumerate() {
            match node {
                Node::Split(split) => {
                    depths[split.left as usize] = depths[at] + 1;
                    depths[split.right as usize] = depths[at] + 1;
                }
                Node::Leaf { .. } => assert_eq!(depths[at], 3),
            }
        }
        assert_eq!(tree.leaves(), 8);
    }
}

#[test]
fn any_metric_may_decide_when_to_stop() {
    let mut data = mixed(3_000, 3);
    data.eval = Some(mixed(1_000, 4).train);
    let params = GradientBoosting { rounds: 60, metric: Some(StopMetric::Auc), ..GradientBoosting::default() };
    let fitted = data.fit(&LogLoss, &params);
    let best = fitted.curve.iter().copied().fold(0.0, f64::max);
    assert_eq!(fitted.validation_metric, Some(best));
    assert!(best > 0.6 && best <= 1.0, "{best}");
}

#[test]
fn the_order_of_columns_and_the_codes_of_categories_change_nothing() {
    let kinds = [NUMBER, CATEGORIES, NUMBER];
    let mut rng = Rng::new(3, 12);
    let rows = 3_000;
    let numbers: Vec<Vec<f64>> = (0..2).map(|_| (0..rows).map(|_| uniform(&mut rng)).collect()).collect();
    let codes: Vec<f64> = (0..rows).map(|_| rng.below(12) as f64).collect();
    let labels: Vec<f64> = (0..rows)
        .map(|row| {
            let score = numbers[0][row] - numbers[1][row] + 0.4 * (codes[row] * 1.7).sin();
            f64::from(u8::from(score + uniform(&mut rng) > 0.5))
        })
        .collect();
    let params = GradientBoosting { rounds: 20, min_data_per_group: 20, ..GradientBoosting::default() };
    let plain = Data::new(&kinds, vec![numbers[0].clone(), codes.clone(), numbers[1].clone()], labels.clone());
    let scores = |fitted: &Fitted, columns: &[Vec<f64>]| {
        let mut scores = Vec::new();
        fitted.ensemble().scores(&Data::block(columns), &mut scores);
        scores
    };
    let expected = scores(&plain.fit(&LogLoss, &params), &plain.train.0);
    let turned = vec![numbers[1].clone(), numbers[0].clone(), codes.clone()];
    let moved = Data::new(&[NUMBER, NUMBER, CATEGORIES], turned, labels.clone());
    assert_eq!(scores(&moved.fit(&LogLoss, &params), &moved.train.0), expected);
    let others: Vec<f64> = codes.iter().map(|code| (code * 5.0 + 3.0) % 12.0).collect();
    let renamed = Data::new(&kinds, vec![numbers[0].clone(), others, numbers[1].clone()], labels);
    assert_eq!(scores(&renamed.fit(&LogLoss, &params), &renamed.train.0), expected);
}
