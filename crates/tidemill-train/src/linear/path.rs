//! The regularisation path: models from a large to a small weight of the penalty, each begun where the one before ended, and
//! the best of them on the validation rows.

use serde_json::{Value, json};
use tidemill_core::ComponentError;

use super::fit::Problem;
use super::{Minimum, RowLoss};

/// The path ends after so many values without a smaller loss on the validation rows.
const PATIENCE: usize = 5;
/// The smallest weight tried, in relation to the largest, where there is an L1 penalty.
const SMALLEST_L1: f64 = 1e-4;
/// The largest weight of squares alone, in relation to the largest derivative, and the smallest in relation to that.
const RIDGE: [f64; 2] = [10.0, 1e-7];

/// One value of the path.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) alpha: f64,
    pub(super) minimum: Minimum,
    train: f64,
    validation: f64,
    not_zero: usize,
}

/// A path, with the number of its best value.
#[derive(Debug)]
pub(super) struct Path {
    metric: &'static str,
    tried: Vec<Tried>,
    best: usize,
}

/// Follows the path. `progress` hears of each value with its number, and of each step.
pub(super) fn follow(
    problem: &Problem<'_>,
    validation: &Problem<'_>,
    progress: &dyn Fn(usize, f64, Option<f64>) -> Result<(), ComponentError>,
) -> Result<Path, ComponentError> {
    let stride = problem.rows(0.0).stride();
    // A penalty that outweighs everything leaves the intercepts.
    let mut point = problem.start();
    if problem.loss != RowLoss::Squared {
        point = null_model(problem, point, stride)?;
    }
    let slope = problem.largest_slope(&point).max(f64::MIN_POSITIVE);
    let share = problem.params.share_of_l1();
    let (first, smallest) = if share > 0.0 { (slope / share, SMALLEST_L1) } else { (slope * RIDGE[0], RIDGE[1]) };
    let count = problem.params.alpha_count as usize;
    let mut tried: Vec<Tried> = Vec::new();
    let mut best = 0;
    for at in 0..count {
        let alpha = first * smallest.powf(at as f64 / (count - 1) as f64);
        let minimum = problem.solve(alpha, point.clone(), &mut |_, _| progress(at, alpha, None))?;
        point.clone_from(&minimum.point);
        let of_weights = |point: &[f64]| point.chunks(stride).flat_map(|own| &own[1..]).filter(|w| **w != 0.0).count();
        let one = Tried {
            alpha,
            train: problem.metric(&point),
            validation: validation.metric(&point),
            not_zero: of_weights(&point),
            minimum,
        };
        progress(at, alpha, Some(one.validation))?;
        let is_better =
            tried.get(best).is_none_or(|before| one.validation < before.validation || before.validation.is_nan());
        tried.push(one);
        if is_better {
            best = at;
        } else if at - best >= PATIENCE {
            break;
        }
    }
    Ok(Path { metric: problem.metric_name(), tried, best })
}

/// The intercepts alone.
fn null_model(problem: &Problem<'_>, start: Vec<f64>, stride: usize) -> Result<Vec<f64>, ComponentError> {
    let rows = problem.rows(0.0);
    let penalty = super::Absolute { weight: f64::MAX, stride };
    let tolerance = problem.tolerance();
    let function = |point: &[f64], gradient: &mut [f64]| rows.value(point, gradient);
    let most = problem.params.max_iterations;
    Ok(super::minimise_absolute(start, penalty, most, tolerance, function, |_, _| Ok::<(), ComponentError>(()))?.point)
}

impl Path {
    /// How many values were tried.
    pub(super) fn len(&self) -> usize {
        self.tried.len()
    }

    /// Whether the best value is the last: a smaller one may be better still.
    pub(super) fn ends_at_best(&self) -> bool {
        self.best + 1 == self.tried.len()
    }

    /// The metric that decided.
    pub(super) fn metric(&self) -> &'static str {
        self.metric
    }

    /// For the package and the report.
    pub(super) fn facts(&self) -> Value {
        let list = |of: &dyn Fn(&Tried) -> Value| self.tried.iter().map(of).collect::<Vec<_>>();
        json!({
            "metric": self.metric,
            "chosen": self.best,
            "alpha": list(&|one| json!(one.alpha)),
            "weights_not_zero": list(&|one| json!(one.not_zero)),
            "train": list(&|one| json!(one.train)),
            "validation": list(&|one| json!(one.validation)),
        })
    }

    /// The best value.
    pub(super) fn into_best(mut self) -> Tried {
        self.tried.swap_remove(self.best)
    }
}
