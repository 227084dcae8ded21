use super::*;
use crate::Learner;

fn network(task: Task, wide: bool) -> NetworkModel {
    let scores = task.columns();
    let periodic = wide.then(|| Periodic {
        frequencies: vec![0.25, -0.5],
        phases: vec![0.5, 1.0],
        weights: vec![1.0, -0.5],
        biases: vec![0.125],
    });
    let first = 6 + usize::from(wide);
    let inputs = vec![
        NetworkInput::Number { centre: 1.0, factor: 0.5, periodic, indicator: true },
        NetworkInput::OneHot { categories: 2 },
        NetworkInput::Embedding { width: 2, table: vec![0.5, -1.0, 2.0, 0.25, 0.0, 0.0] },
    ];
    let weights = |count: usize| (0..count).map(|at| ((at * 7 + 3) % 11) as f32 / 8.0 - 0.6).collect();
    let layers = vec![
        DenseLayer { inputs: first, weights: weights(3 * first), biases: weights(3) },
        DenseLayer { inputs: 3, weights: weights(3 * scores), biases: weights(scores) },
    ];
    let mut term = WideTerm::new(vec![1, 2], vec![2, 2], 16, scores);
    term.weights = weights(4 * scores);
    let wide = if wide { vec![term] } else { Vec::new() };
    let amount = AmountScale { centre: 10.0, unit: 2.0, low: -5.0, high: 50.0 };
    NetworkModel::new(NetworkParts { task, inputs, activation: Activation::Mish, layers, wide, amount }).unwrap()
}

fn classes() -> Task {
    Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() }
}

fn block() -> FeatureBlock {
    let rows = 19;
    let value = |row: usize, at: usize| match (row * 5 + at) % 4 {
        3 => f64::NAN,
        cell => cell as f64 + if at == 0 { row as f64 / 7.0 } else { 0.0 },
    };
    FeatureBlock { rows, columns: (0..3).map(|at| (0..rows).map(|row| value(row, at)).collect()).collect() }
}

#[test]
fn a_prediction_is_computed_as_by_hand() {
    let model = network(Task::Regression, true);
    let row = [3.0, 1.0, 0.0];
    let z = 1.0;
    let clipped = z / f64::sqrt(1.0 + z * z / 9.0);
    let wave = |frequency: f64, phase: f64| (std::f64::consts::TAU * frequency * clipped + phase).cos();
    let waves = 0.125 + wave(0.25, 0.5) - 0.5 * wave(-0.5, 1.0);
    let inputs = [clipped, waves, 0.0, 0.0, 1.0, 0.5, -1.0];
    let parts = model.parts();
    let mut hidden = [0.0; 3];
    for (at, hidden) in hidden.iter_mut().enumerate() {
        let sum: f64 =
            (0..7).map(|input| inputs[input] * f64::from(parts.layers[0].weights[input * 3 + at])).sum::<f64>()
                + f64::from(parts.layers[0].biases[at]);
        *hidden = sum * sum.exp().ln_1p().tanh();
    }
    let deep: f64 = (0..3).map(|at| hidden[at] * f64::from(parts.layers[1].weights[at])).sum();
    let score = deep + f64::from(parts.layers[1].biases[0]) + f64::from(parts.wide[0].weights[2]);
    let block = FeatureBlock { rows: 1, columns: row.iter().map(|value| vec![*value]).collect() };
    assert!((model.predict(&block)[0][0] - (10.0 + 2.0 * score)).abs() < 1e-12);
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_a_batch() {
    for task in [Task::Binary, Task::Regression, classes()] {
        let model = network(task, true);
        let block = block();
        let together = model.predict(&block);
        assert!(together.iter().flatten().all(|value| value.is_finite()));
        for row in 0..block.rows {
            let alone =
                FeatureBlock { rows: 1, columns: block.columns.iter().map(|column| vec![column[row]]).collect() };
            for (all, one) in together.iter().zip(model.predict(&alone)) {
                assert_eq!(all[row].to_bits(), one[0].to_bits());
            }
        }
    }
}

#[test]
fn infinite_and_unknown_values_give_finite_predictions() {
    let values = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -1.0, 0.5, 1e300, 7.0];
    let columns = (0..3).map(|_| values.to_vec()).collect();
    let predicted = network(Task::Binary, true).predict(&FeatureBlock { rows: values.len(), columns });
    assert!(predicted[0].iter().all(|value| (0.0..=1.0).contains(value)), "{predicted:?}");
}

#[test]
fn contributions_sum_to_the_score() {
    let model = network(Task::Binary, true);
    let background = vec![vec![0.0, 0.0, 1.0], vec![2.0, 1.0, 0.0]];
    let row = [5.0, f64::NAN, 1.0];
    let found = model.contributions(&row, &background).unwrap();
    let score = |row: &[f64]| {
        model.scores(&FeatureBlock { rows: 1, columns: row.iter().map(|value| vec![*value]).collect() })[0][0]
    };
    let mean = background.iter().map(|row| score(row)).sum::<f64>() / 2.0;
    assert!((found.base - mean).abs() < 1e-12);
    assert!((found.base + found.features.iter().sum::<f64>() - score(&row)).abs() < 1e-12);
    assert_eq!(network(classes(), false).contributions(&row, &background), None);
}

#[test]
fn bytes_are_read_back_and_damage_is_refused() {
    for model in [network(Task::Binary, false), network(classes(), true)] {
        let bytes = model.encode();
        assert_eq!(Learner::decode(NetworkModel::KIND, &bytes).unwrap(), Learner::Network(model));
        for end in 0..bytes.len() {
            assert!(NetworkModel::decode(&bytes[..end]).is_err(), "{end}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            // Refused, or another network; never a panic.
            let _ = NetworkModel::decode(&damaged);
        }
    }
}
