//! Directions of predictions are kept by both methods, whatever the data.

use tidemill_model::ModelError;

use super::super::{
    AbsoluteError, Constraints, Fitted, GradientBoosting, LogLoss, MonotoneMethod, Objective, SquaredError, fit,
};
use super::{CATEGORIES, Data, NUMBER, Rng, predict, uniform};

/// Rows whose label follows the first two of four columns, with steps the wrong way; the third is a category, and the
/// fourth and a part of the first are missing in some rows.
fn steps(rows: usize, seed: u64) -> Data {
    let mut rng = Rng::new(seed, 21);
    let (mut columns, mut labels) = (vec![Vec::new(); 4], Vec::new());
    for _ in 0..rows {
        let [a, b, c, d] = std::array::from_fn(|_| uniform(&mut rng));
        let c = (c * 6.0).floor();
        labels.push((3.0 * a + (14.0 * a).sin() - 2.0 * b * b + (c * 1.3).cos() * a + 0.8 * uniform(&mut rng)) / 2.0);
        let shown = [if uniform(&mut rng) < 0.1 { f64::NAN } else { a }, b, c, if d < 0.2 { f64::NAN } else { d }];
        columns.iter_mut().zip(shown).for_each(|(column, value)| column.push(value));
    }
    Data::new(&[NUMBER, NUMBER, CATEGORIES, NUMBER], columns, labels)
}

fn fitted(data: &Data, objective: &dyn Objective, params: &GradientBoosting) -> Fitted {
    let constraints = Constraints { monotone: vec![1, -1, 0, 0], interactions: Vec::new() };
    let (train, _) = data.binned(64);
    fit::<ModelError>(params, objective, &constraints, &train, None, 42, |_| Ok(())).unwrap()
}

/// Rows that differ in one of the first two columns alone, in steps of it: predictions rise with the first and fall with the
/// second.
fn assert_directions(fitted: &Fitted, seed: u64, told: &str) {
    let mut rng = Rng::new(seed, 22);
    for _ in 0..60 {
        let mut row: [f64; 4] = std::array::from_fn(|_| uniform(&mut rng));
        row[2] = (row[2] * 7.0).floor();
        if row[3] < 0.2 {
            row[3] = f64::NAN;
        }
        for feature in [0, 1] {
            let rows: Vec<[f64; 4]> = (-2..130)
                .map(|step| {
                    let mut row = row;
                    row[feature] = f64::from(step) / 128.0;
                    row
                })
                .collect();
            let predicted = predict(fitted, &rows.iter().map(<[f64; 4]>::as_slice).collect::<Vec<_>>());
            let keeps = if feature == 0 { predicted.is_sorted() } else { predicted.is_sorted_by(|a, b| a >= b) };
            assert!(keeps, "{told}, seed {seed}, feature {feature}, {row:?}: {predicted:?}");
        }
    }
}

#[test]
fn both_methods_keep_directions_and_the_finer_one_fits_no_worse() {
    let plain = GradientBoosting { rounds: 30, leaves: 24, min_data_in_leaf: 3, max_bin: 64, ..Default::default() };
    let variants = [
        plain.clone(),
        GradientBoosting { path_smooth: 3.0, lambda_l1: 0.1, ..plain.clone() },
        GradientBoosting { max_delta_step: 0.3, max_depth: Some(4), grow: super::Growth::DepthWise, ..plain.clone() },
        GradientBoosting { bagging_fraction: 0.6, feature_fraction_by_node: 0.6, extra_trees: true, ..plain },
    ];
    let (mut basic_losses, mut finer_losses) = (0.0, 0.0);
    for seed in 0..8 {
        let data = steps(500, seed);
        let params = variants[seed as usize % variants.len()].clone();
        let basic = fitted(&data, &SquaredError, &params);
        let finer = GradientBoosting { monotone_method: MonotoneMethod::Intermediate, ..params };
        let finer = fitted(&data, &SquaredError, &finer);
        assert_directions(&basic, seed, "basic");
        assert_directions(&finer, seed, "intermediate");
        // A greedy choice may cost a little on one table.
        assert!(
            finer.train_metric < basic.train_metric * 1.02,
            "{seed}: {} {}",
            finer.train_metric,
            basic.train_metric
        );
        basic_losses += basic.train_metric;
        finer_losses += finer.train_metric;
    }
    assert!(finer_losses < basic_losses, "{finer_losses} {basic_losses}");
}

#[test]
fn directions_hold_for_classes_and_for_leaves_found_from_residuals() {
    let params = GradientBoosting { rounds: 30, min_data_in_leaf: 5, max_bin: 64, ..Default::default() };
    for seed in 0..4 {
        let mut data = steps(500, seed);
        assert_directions(&fitted(&data, &AbsoluteError, &params), seed, "absolute error");
        data.train.1.iter_mut().for_each(|label| *label = f64::from(u8::from(*label > 0.8)));
        let finer = GradientBoosting { monotone_method: MonotoneMethod::Intermediate, ..params.clone() };
        assert_directions(&fitted(&data, &LogLoss, &finer), seed, "log-loss");
    }
}
