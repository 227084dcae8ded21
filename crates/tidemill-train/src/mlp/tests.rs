//! Gradients against differences, and what training must be true to.

use tidemill_core::{Code, ComponentError, SplitMix64, Task};
use tidemill_model::{
    Activation, AmountScale, FeatureBlock, FeatureKind, FeatureSpec, NetworkInput, Periodic, WideTerm,
};

use super::BLOCK_ROWS;
use super::checkpoint::Checkpoints;
use super::fit::{Attempt, Trained, fit, gradients, mean_loss};
use super::inputs::RawColumns;
use super::learner::model;
use super::net::{Block, Net};
use super::params::{Mlp, Schedule, WideAndDeep};
use super::periodic::WaveGradients;
use super::recipe::Recipe;
use super::rows::EncodedRows;
use super::table::{NetworkRows, fit_network};
use crate::recorded;

const NUMBER: FeatureKind = FeatureKind::Numeric;
const FEW: FeatureKind = FeatureKind::Categorical { cardinality: 3 };
const MANY: FeatureKind = FeatureKind::Categorical { cardinality: 12 };

fn classes() -> Task {
    Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() }
}

/// Rows whose label depends on a number, a pair of categories and luck; some numbers and categories are missing.
fn table(task: &Task, rows: usize) -> (FeatureBlock, Vec<f64>) {
    let mut draw = SplitMix64::new(11);
    let mut columns = vec![Vec::new(); 3];
    let mut labels = Vec::new();
    for _ in 0..rows {
        let (x, few, many) = (6.0 * draw.unit() - 3.0, draw.below(3), draw.below(12));
        let missing = |draw: &mut SplitMix64, value: f64| if draw.below(10) == 0 { f64::NAN } else { value };
        columns[0].push(missing(&mut draw, x));
        columns[1].push(missing(&mut draw, few as f64));
        columns[2].push(missing(&mut draw, many as f64));
        let score = x * x / 3.0 - 1.0 + if (few + many) % 2 == 0 { 1.0 } else { -1.0 } + draw.unit();
        labels.push(match task {
            Task::Binary => f64::from(u8::from(score > 0.5)),
            Task::MultiClass { .. } => f64::from(u8::from(score > 0.0)) + f64::from(u8::from(score > 1.2)),
            _ => 100.0 + 10.0 * score,
        });
    }
    (FeatureBlock { rows, columns }, labels)
}

fn start(task: &Task, params: &Mlp, block: &FeatureBlock, labels: &[f64], wide: bool) -> (Recipe, Net, EncodedRows) {
    let features = [NUMBER, FEW, MANY].map(|kind| FeatureSpec { name: "f".to_owned(), kind });
    let mut raw = RawColumns::new(3, block.rows);
    raw.push(block);
    let inputs = raw.inputs(&features, params, 3).unwrap();
    let (centre, unit) = if *task == Task::Regression { (105.0, 12.0) } else { (0.0, 1.0) };
    let weights: Vec<f64> = (0..block.rows).map(|row| 0.5 + (row % 3) as f64).collect();
    let mut rows = EncodedRows::new(3, labels, Some(&weights), centre, unit);
    raw.encode(&inputs, &mut rows);
    let term = WideTerm::new(vec![1, 2], vec![3, 12], 64, task.columns());
    let recipe = Recipe::new(params, 0.02, task, block.rows);
    let wide = if wide { vec![term] } else { Vec::new() };
    let base = vec![0.1; task.columns()];
    let net = Net::new(task, recipe.activation, inputs, wide, &recipe.hidden, &base, 5);
    (recipe, net, rows)
}

fn small(activation: Activation) -> Mlp {
    Mlp { hidden: vec![7, 5], activation: Some(activation), embedding: 4, number_embedding: 3, ..Mlp::default() }
}

/// The weighted mean loss that the model, in 64 bits, has on rows.
fn loss_of_model(net: &Net, block: &FeatureBlock, data: &EncodedRows) -> f64 {
    let predicted = model(net, AmountScale::default()).unwrap().predict(block);
    let loss = |row: usize| match &net.task {
        Task::Regression => (predicted[0][row] - f64::from(data.targets[row])).powi(2) / 2.0,
        Task::Binary if data.targets[row] == 1.0 => -predicted[0][row].ln(),
        Task::Binary => -(1.0 - predicted[0][row]).ln(),
        _ => -predicted[data.targets[row] as usize][row].ln(),
    };
    (0..block.rows).map(|row| f64::from(data.weight(row)) * loss(row)).sum::<f64>() / block.rows as f64
}

#[test]
fn gradients_are_derivatives_of_the_loss() {
    for (task, activation) in
        [(Task::Binary, Activation::Selu), (Task::Regression, Activation::Mish), (classes(), Activation::Tanh)]
    {
        let (block, labels) = table(&task, BLOCK_ROWS + 30);
        let (recipe, mut net, data) = start(&task, &small(activation), &block, &labels, true);
        // The last layer begins at 0, where nothing flows back.
        let mut draw = SplitMix64::new(1);
        let last = net.dense.len() - 2;
        net.dense[last].iter_mut().for_each(|weight| *weight = draw.unit() as f32 - 0.5);
        let rows: Vec<u32> = (0..block.rows as u32).collect();
        let mut blocks: Vec<Block> = Vec::new();
        gradients(&recipe, &net, &data, &rows, 0, &mut blocks);
        let check = |what: String, found: f32, at: &dyn Fn(&mut Net) -> &mut f32| {
            // Small, as few rows as possible should pass the kink of SELU.
            let step = 1.0 / 2048.0;
            let moved = |by: f32| {
                let mut moved = net.clone();
                *at(&mut moved) += by;
                loss_of_model(&moved, &block, &data)
            };
            let expected = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
            let near = 2e-3 * expected.abs().max(0.05);
            assert!((f64::from(found) - expected).abs() < near, "{task} {what}: {found}, not {expected}");
        };
        for tensor in 0..net.dense.len() {
            for place in (0..net.dense[tensor].len()).step_by(3) {
                let found: f32 = blocks.iter().map(|block| block.gradients[tensor][place]).sum();
                check(format!("{tensor} {place}"), found, &|net| &mut net.dense[tensor][place]);
            }
        }
        // The waves of the first feature: in its inputs after the number.
        let NetworkInput::Number { periodic: Some(waves), .. } = &net.inputs[0] else { panic!("waves") };
        let mut of_waves = WaveGradients::new(waves);
        for row in 0..block.rows {
            let own = &blocks[row / BLOCK_ROWS].values[0][row % BLOCK_ROWS * net.widths[0]..];
            let z = data.row(row)[0];
            of_waves.add(waves, if z.is_nan() { 0.0 } else { z }, &own[1..=waves.width()]);
        }
        let parts: [(&str, &Vec<f32>, fn(&mut Periodic) -> &mut Vec<f32>); 4] = [
            ("frequency", &of_waves.frequencies, |waves| &mut waves.frequencies),
            ("phase", &of_waves.phases, |waves| &mut waves.phases),
            ("weight", &of_waves.weights, |waves| &mut waves.weights),
            ("bias", &of_waves.biases, |waves| &mut waves.biases),
        ];
        for (name, found, of) in parts {
            for (place, found) in found.iter().enumerate().step_by(3) {
                check(format!("{name} {place}"), *found, &|net| match &mut net.inputs[0] {
                    NetworkInput::Number { periodic: Some(waves), .. } => &mut of(waves)[place],
                    _ => panic!("waves"),
                });
            }
        }
        // A vector of the last feature: the derivatives of its inputs in the rows of that category.
        let width = net.widths[0];
        let first = width - 4;
        for place in 0..4 {
            let of_row = |row: usize| {
                let is_two = block.columns[2][row] == 2.0;
                let derivative = blocks[row / BLOCK_ROWS].values[0][row % BLOCK_ROWS * width + first + place];
                if is_two { derivative } else { 0.0 }
            };
            let found: f32 = (0..block.rows).map(of_row).sum();
            check(format!("vector {place}"), found, &|net| match &mut net.inputs[2] {
                NetworkInput::Embedding { table, .. } => &mut table[2 * 4 + place],
                _ => panic!("an embedding"),
            });
        }
    }
}

fn trained(task: &Task, params: &Mlp, wide: bool, threads: usize) -> (Trained, FeatureBlock, Vec<f64>, EncodedRows) {
    let (block, labels) = table(task, 700);
    let (recipe, net, rows) = start(task, params, &block, &labels, wide);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let trained = pool
        .install(|| fit::<ComponentError>(&recipe, net, &rows, Some(&rows), Attempt::whole(9), |_| Ok(())))
        .unwrap();
    (trained, block, labels, rows)
}

#[test]
fn the_loss_falls_and_the_model_predicts_as_the_network_in_training() {
    for (task, limit) in [(Task::Binary, 0.3), (Task::Regression, 0.45), (classes(), 0.55)] {
        let params = Mlp { hidden: vec![32, 32], epochs: Some(40), batch_size: 64, ..Mlp::default() };
        let (trained, block, _, rows) = trained(&task, &params, false, 2);
        let best = trained.validation_curve[trained.best_epoch as usize - 1];
        assert!(best < limit && best < trained.validation_curve[0] - 0.05, "{task}: {:?}", trained.validation_curve);
        assert!(trained.validation_curve.iter().all(|loss| best <= *loss));
        let mean = mean_loss(&trained.net, &rows);
        let of_model = loss_of_model(&trained.net, &block, &rows);
        let of_model = if task == Task::Regression { 2.0 * of_model } else { of_model };
        assert!((mean - of_model).abs() < 1e-4 * mean, "{task}: {mean} {of_model}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit_and_the_seed_does() {
    let params = Mlp { hidden: vec![16], epochs: Some(3), dropout: 0.2, weight_decay: 0.01, ..Mlp::default() };
    let net = |threads| trained(&Task::Binary, &params, true, threads).0.net;
    let (one, four) = (net(1), net(4));
    let bits = |net: &Net| net.dense.iter().flatten().map(|weight| weight.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&one), bits(&four));
    assert_eq!((one.inputs, one.wide), (four.inputs, four.wide));
}

#[test]
fn a_training_that_was_killed_ends_as_one_that_was_not() {
    let params = Mlp {
        hidden: vec![16],
        epochs: Some(8),
        dropout: 0.2,
        early_stopping: 3,
        number_embedding: 2,
        ..Mlp::default()
    };
    let (block, labels) = table(&Task::Binary, 700);
    let folder = tempfile::tempdir().unwrap();
    let run = |folder: Option<&std::path::Path>, killed_after: u32| {
        let (recipe, net, rows) = start(&Task::Binary, &params, &block, &labels, true);
        let checkpoints = folder.map(Checkpoints::after_every_epoch);
        let attempt = Attempt { checkpoints, ..Attempt::whole(9) };
        let mut heard = Vec::new();
        let trained = fit(&recipe, net, &rows, Some(&rows), attempt, |epoch| {
            heard.push(epoch.epoch);
            if epoch.epoch == killed_after { Err(ComponentError::new(Code::Canceled, "killed")) } else { Ok(()) }
        });
        (trained.ok(), heard)
    };
    let whole = run(None, 0).0.unwrap();
    let work = folder.path().join("work");
    assert_eq!(run(Some(&work), 3).1, [1, 2, 3]);
    let file = work.join("network.checkpoint");
    let kept = std::fs::read(&file).unwrap();
    let same = |found: &Trained| {
        let of = |net: &Net| format!("{:?} {:?} {:?}", net.inputs, net.wide, net.dense);
        assert_eq!(of(&found.net), of(&whole.net));
        assert_eq!(found.validation_curve, whole.validation_curve);
        assert_eq!((found.epochs, found.best_epoch), (whole.epochs, whole.best_epoch));
    };
    let (again, heard) = run(Some(&work), 0);
    same(&again.unwrap());
    assert_eq!(heard[0], 4);
    // A damaged file is none: the training begins again, with the same end.
    for cut in [0, 3, 9, 60, kept.len() / 2, kept.len() - 1] {
        std::fs::write(&file, &kept[..cut]).unwrap();
        let (again, heard) = run(Some(&work), 0);
        same(&again.unwrap());
        assert_eq!(heard[0], 1, "{cut}");
    }
    let mut flipped = kept;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(&file, &flipped).unwrap();
    assert_eq!(run(Some(&work), 0).1[0], 1);
}

#[test]
fn the_wide_part_learns_pairs_that_a_flat_network_cannot() {
    let params = Mlp { hidden: vec![], epochs: Some(60), learning_rate: Some(0.02), ..Mlp::default() };
    let loss = |wide| {
        let (trained, ..) = trained(&Task::Binary, &params, wide, 2);
        trained.validation_curve[trained.best_epoch as usize - 1]
    };
    let (flat, wide) = (loss(false), loss(true));
    assert!(wide < flat - 0.1, "{wide} {flat}");
}

#[test]
fn patience_ends_training_and_smoothing_makes_probabilities_less_certain() {
    let params = Mlp { hidden: vec![32], epochs: Some(200), batch_size: 32, early_stopping: 3, ..Mlp::default() };
    let params = Mlp { schedule: Schedule::Constant, ..params };
    let (stopped, ..) = trained(&Task::Binary, &params, false, 2);
    assert_eq!(stopped.epochs, stopped.best_epoch + 3);
    let most = |label_smoothing: f64| {
        let params = Mlp { hidden: vec![64], epochs: Some(60), batch_size: 32, label_smoothing, ..Mlp::default() };
        let (trained, block, ..) = trained(&Task::Binary, &params, false, 2);
        let predicted = model(&trained.net, AmountScale::default()).unwrap().predict(&block);
        let mut certain: Vec<f64> = predicted[0].iter().map(|p| p.max(1.0 - p)).collect();
        certain.sort_by(f64::total_cmp);
        certain[certain.len() * 9 / 10]
    };
    assert!(most(0.2) < 0.95 && most(0.0) > 0.97, "{} {}", most(0.2), most(0.0));
}

#[test]
fn the_schedule_is_the_published_one() {
    // From the definition: 4 periods, the last one ends the training.
    for (t, expected) in [(0.0, 0.0), (1.0, 0.0), (1.0 / 15.0, 0.0), (3.0 / 15.0, 0.0), (7.0 / 15.0, 0.0)] {
        assert!((Schedule::Coslog4.share(t) - expected).abs() < 1e-12, "{t}");
    }
    let peak = (2_f64.powf(3.5) - 1.0) / 15.0;
    assert!((Schedule::Coslog4.share(peak) - 1.0).abs() < 1e-12);
    assert_eq!([Schedule::Cosine.share(0.0), Schedule::Constant.share(0.7)], [1.0, 1.0]);
}

#[test]
fn defaults_are_fine_and_every_bad_value_is_named() {
    assert_eq!((Mlp::default().check(), WideAndDeep::default().check()), (vec![], vec![]));
    let bad = Mlp { hidden: vec![0], epochs: Some(0), dropout: 1.0, embedding: 0, ..Mlp::default() };
    let named = |issues: Vec<tidemill_core::ParamIssue>| -> Vec<String> {
        issues.into_iter().map(|issue| issue.path.join(".")).collect()
    };
    assert_eq!(named(bad.check()), ["hidden", "epochs", "dropout", "embedding"]);
    let same = vec![vec!["a".to_owned(), "a".to_owned()]];
    let bad = WideAndDeep { crosses: same, cross_buckets: 1, beta2: 1.0, ..WideAndDeep::default() };
    assert_eq!(named(bad.check()), ["beta2", "crosses", "cross_buckets"]);
}

/// With two layers of 128 and 100 epochs, other defaults as they are, a network is not worse than scikit-learn's on tables of some
/// hundred rows by more than chance explains.
#[test]
fn losses_are_not_above_those_of_scikit_learn() {
    let expected = recorded::expected("network");
    for name in ["breast_cancer", "diabetes", "wine"] {
        let table = recorded::table(name);
        let spec = FeatureSpec { name: "f".to_owned(), kind: NUMBER };
        let features = vec![spec; table.learned.columns.len()];
        // Every fifth row decides which epoch is the best.
        let part = |held: bool| {
            let rows: Vec<usize> = (0..table.learned.rows).filter(|row| row.is_multiple_of(5) == held).collect();
            let of = |column: &[f64]| rows.iter().map(|row| column[*row]).collect::<Vec<f64>>();
            let columns = table.learned.columns.iter().map(|column| of(column)).collect();
            (FeatureBlock { rows: rows.len(), columns }, of(&table.labels))
        };
        let [(learned, labels), (held, held_labels)] = [part(false), part(true)];
        let loss = |seed| {
            let params = Mlp { epochs: Some(100), hidden: vec![128, 128], ..Mlp::default() };
            let train = NetworkRows { block: &learned, labels: &labels };
            let validation = Some(NetworkRows { block: &held, labels: &held_labels });
            let fitted = fit_network(&params, &table.task, &features, train, validation, seed).unwrap();
            table.loss(&fitted.model.predict(&table.judged), 1e-12)
        };
        let found: Vec<f64> = (0..3).map(loss).collect();
        let theirs: Vec<f64> = serde_json::from_value(expected[name].clone()).unwrap();
        recorded::assert_same_spread(&format!("{name} network"), &found, &theirs, 0.01);
    }
}
