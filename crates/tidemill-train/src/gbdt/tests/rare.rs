//! Many classes, some of them of a few rows.

use tidemill_model::ModelError;

use super::super::{Constraints, GradientBoosting, Objective, OneVsAll, Softmax, fit};
use super::{Data, NUMBER, Rng, uniform};

const CLASSES: usize = 28;

/// Rows of 28 classes, the last of which have a few rows each; a class is told by two columns, with noise.
fn rows(count: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut rng = Rng::new(seed, 31);
    let weights: Vec<f64> = (0..CLASSES).map(|class| 1.0 / (1.0 + class as f64).powf(2.2)).collect();
    let total: f64 = weights.iter().sum();
    let (mut columns, mut labels) = (vec![Vec::new(); 5], Vec::new());
    for row in 0..count {
        // Each class has a row at least.
        let mut drawn = uniform(&mut rng) * total;
        let class = if row < CLASSES {
            row
        } else {
            weights
                .iter()
                .position(|weight| {
                    drawn -= weight;
                    drawn < 0.0
                })
                .unwrap_or(0)
        };
        let near = |rng: &mut Rng, value: f64| value + 1.5 * (uniform(rng) - 0.5);
        let told = [near(&mut rng, (class % 6) as f64), near(&mut rng, (class / 6) as f64)];
        let others: [f64; 3] = std::array::from_fn(|_| uniform(&mut rng));
        columns.iter_mut().zip(told.into_iter().chain(others)).for_each(|(column, value)| column.push(value));
        labels.push(class as f64);
    }
    (columns, labels)
}

#[test]
fn rare_classes_do_not_make_training_diverge() {
    let softmax = Softmax::new(CLASSES);
    let each = OneVsAll::of_classes(CLASSES);
    for (objective, name) in [(&softmax as &dyn Objective, "softmax"), (&each, "one against all")] {
        let (columns, labels) = rows(3000, 1);
        let mut data = Data::new(&[NUMBER; 5], columns, labels);
        data.eval = Some(rows(1000, 2));
        let params = GradientBoosting { rounds: 120, early_stopping: Some(0), ..GradientBoosting::default() };
        let (train, eval) = data.binned(255);
        let fitted =
            fit::<ModelError>(&params, objective, &Constraints::default(), &train, eval.as_ref(), 1, |_| Ok(()))
                .unwrap();
        assert!(fitted.curve.iter().all(|loss| loss.is_finite()), "{name}: {:?}", fitted.curve);
        let best = fitted.curve.iter().copied().fold(f64::INFINITY, f64::min);
        let last = fitted.curve[fitted.curve.len() - 1];
        // The shares of the classes alone are worth 1.5. A training that goes on overfits, and none explodes.
        assert!(best < 0.9 && last < 2.0 * best, "{name}: best {best}, last {last}");
        assert!(fitted.train_metric < 0.2, "{name}: {}", fitted.train_metric);
    }
}
