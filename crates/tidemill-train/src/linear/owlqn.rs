//! L-BFGS with an L1 penalty.

use super::lbfgs::{History, Minimum, dot, falls_by_derivatives, largest, norm};

/// Steps of a line search at most.
const SEARCH_MAX: usize = 60;
/// The share of the expected decrease that a step must reach.
const DECREASE: f64 = 1e-4;

/// A penalty on absolute values: `weight` times each number of a point but those at multiples of `stride`, which are
/// intercepts.
#[derive(Debug, Clone, Copy)]
pub struct Absolute {
    /// How much a number costs.
    pub weight: f64,
    /// The distance between intercepts.
    pub stride: usize,
}

impl Absolute {
    fn weight_of(self, at: usize) -> f64 {
        if at.is_multiple_of(self.stride) { 0.0 } else { self.weight }
    }

    fn value(self, point: &[f64]) -> f64 {
        point.iter().enumerate().map(|(at, x)| self.weight_of(at) * x.abs()).sum()
    }

    /// The derivative of the whole in the direction in which it falls; 0 where it falls in neither.
    fn slopes(self, point: &[f64], gradient: &[f64], slopes: &mut [f64]) {
        for (at, slope) in slopes.iter_mut().enumerate() {
            let (x, derivative, weight) = (point[at], gradient[at], self.weight_of(at));
            *slope = if x > 0.0 {
                derivative + weight
            } else if x < 0.0 {
                derivative - weight
            } else if derivative + weight < 0.0 {
                derivative + weight
            } else if derivative - weight > 0.0 {
                derivative - weight
            } else {
                0.0
            };
        }
    }
}

/// Minimises a smooth convex function plus a penalty on absolute values by the orthant-wise method (Andrew and Gao, 2007):
/// numbers that the penalty outweighs are exactly 0.
///
/// As [`minimise`](super::minimise) otherwise; `value` of the result includes the penalty.
pub fn minimise_absolute<E>(
    start: Vec<f64>,
    penalty: Absolute,
    iterations_max: u32,
    tolerance: f64,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
    mut watch: impl FnMut(u32, f64) -> Result<(), E>,
) -> Result<Minimum, E> {
    let mut point = start;
    let mut gradient = vec![0.0; point.len()];
    let mut value = function(&point, &mut gradient) + penalty.value(&point);
    let (mut slopes, mut next_slopes) = (vec![0.0; point.len()], vec![0.0; point.len()]);
    let mut history = History::default();
    let (mut next, mut next_gradient) = (point.clone(), gradient.clone());
    let mut iterations = 0;
    while iterations < iterations_max {
        penalty.slopes(&point, &gradient, &mut slopes);
        if largest(&slopes) <= tolerance {
            break;
        }
        let mut direction = history.direction(&slopes);
        // Only where the whole falls.
        direction.iter_mut().zip(&slopes).filter(|(d, slope)| **d * **slope >= 0.0).for_each(|(d, _)| *d = 0.0);
        let mut step = 1.0;
        if history.is_empty() || dot(&direction, &slopes) >= 0.0 {
            history.clear();
            direction = slopes.iter().map(|slope| -slope).collect();
            step = (1.0 / norm(&slopes)).min(1.0);
        }
        let mut found = None;
        for _ in 0..SEARCH_MAX {
            let mut expected = 0.0;
            for (at, next) in next.iter_mut().enumerate() {
                let x = point[at];
                let moved = x + step * direction[at];
                // A number stays on its side of 0; one that is 0 goes to the side where the whole falls.
                let side = if x == 0.0 { -slopes[at] } else { x };
                *next = if moved * side > 0.0 || penalty.weight_of(at) == 0.0 { moved } else { 0.0 };
                expected += slopes[at] * (*next - x);
            }
            let tried = function(&next, &mut next_gradient) + penalty.value(&next);
            penalty.slopes(&next, &next_gradient, &mut next_slopes);
            let is_lower = tried.is_finite() && tried <= value + DECREASE * expected && tried < value;
            if is_lower || falls_by_derivatives([value, tried], [&slopes, &next_slopes]) {
                found = Some(tried);
                break;
            }
            step *= 0.5;
        }
        let Some(next_value) = found else {
            if history.is_empty() {
                // Only rounding is left.
                break;
            }
            history.clear();
            continue;
        };
        history.remember([&point, &next], [&gradient, &next_gradient]);
        std::mem::swap(&mut point, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
        value = next_value;
        iterations += 1;
        watch(iterations, value)?;
    }
    penalty.slopes(&point, &gradient, &mut slopes);
    Ok(Minimum { converged: largest(&slopes) <= tolerance, point, value, iterations })
}
