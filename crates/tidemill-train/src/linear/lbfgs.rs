//! Limited-memory BFGS.

use std::collections::VecDeque;

/// Steps remembered.
const MEMORY: usize = 10;
/// Steps of a line search at most.
const SEARCH_MAX: usize = 60;
/// Constants of the weak Wolfe conditions.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Values closer than this, in relation to their size, are the same but for rounding. Then the derivatives decide.
const ROUNDING: f64 = 1e-14;

/// Where a minimisation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// The point.
    pub point: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// How many steps were taken.
    pub iterations: u32,
    /// The largest derivative there is at most the tolerance.
    pub converged: bool,
}

/// Minimises a smooth convex function from `start` by L-BFGS (Nocedal, 1980) with a line search that ends at a point
/// satisfying the weak Wolfe conditions (Lewis and Overton, 2013).
///
/// `function` gives the value at a point and writes the gradient. It ends when the largest derivative is at most
/// `tolerance`, after `iterations_max` steps, or when no step lowers the value any more. `watch` is called with the
/// number of each step and the value after it; its error ends the search.
pub fn minimise<E>(
    start: Vec<f64>,
    iterations_max: u32,
    tolerance: f64,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
    mut watch: impl FnMut(u32, f64) -> Result<(), E>,
) -> Result<Minimum, E> {
    let mut point = start;
    let mut gradient = vec![0.0; point.len()];
    let mut value = function(&point, &mut gradient);
    let mut history = History::default();
    let (mut next, mut next_gradient) = (point.clone(), gradient.clone());
    let mut iterations = 0;
    while iterations < iterations_max && largest(&gradient) > tolerance {
        let mut direction = history.direction(&gradient);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            // Rounding spoiled the memory: begin anew downhill.
            history.clear();
            direction = gradient.iter().map(|derivative| -derivative).collect();
            slope = dot(&direction, &gradient);
        }
        let first = if history.is_empty() { (1.0 / norm(&gradient)).min(1.0) } else { 1.0 };
        let (mut low, mut high, mut step) = (0.0, f64::INFINITY, first);
        let mut go = |step: f64, next: &mut [f64], next_gradient: &mut [f64]| {
            next.iter_mut().zip(&point).zip(&direction).for_each(|((next, x), d)| *next = x + step * d);
            function(next, next_gradient)
        };
        let mut found = None;
        for _ in 0..SEARCH_MAX {
            let tried = go(step, &mut next, &mut next_gradient);
            if falls_by_derivatives([value, tried], [&gradient, &next_gradient]) {
                found = Some(tried);
                break;
            }
            if !tried.is_finite() || tried > value + DECREASE * step * slope {
                high = step;
            } else if dot(&direction, &next_gradient) < CURVATURE * slope {
                low = step;
            } else {
                found = Some(tried);
                break;
            }
            step = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * step };
        }
        // Without a step that satisfies both conditions, the longest that lowers the value; without any, only rounding is
        // left.
        let found = found.or_else(|| (low > 0.0).then(|| go(low, &mut next, &mut next_gradient)));
        let is_better =
            |found: &f64| *found <= value || falls_by_derivatives([value, *found], [&gradient, &next_gradient]);
        let Some(next_value) = found.filter(is_better) else { break };
        let curvature = history.remember([&point, &next], [&gradient, &next_gradient]);
        let stands_still = next_value >= value && curvature <= 0.0;
        point.copy_from_slice(&next);
        gradient.copy_from_slice(&next_gradient);
        value = next_value;
        iterations += 1;
        watch(iterations, value)?;
        if stands_still {
            break;
        }
    }
    Ok(Minimum { converged: largest(&gradient) <= tolerance, point, value, iterations })
}

/// Whether two values are the same but for rounding, and the second has the smaller derivatives.
pub(super) fn falls_by_derivatives([before, after]: [f64; 2], [slopes, next_slopes]: [&[f64]; 2]) -> bool {
    (after - before).abs() <= ROUNDING * before.abs() && norm(next_slopes) < 0.9 * norm(slopes)
}

/// The steps remembered, each with the change of the gradient and the inverse of their product.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<(Vec<f64>, Vec<f64>, f64)>);

impl History {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes in a step from one point to the next. Gives the curvature along it.
    pub(super) fn remember(&mut self, points: [&[f64]; 2], gradients: [&[f64]; 2]) -> f64 {
        let apart = |[from, to]: [&[f64]; 2]| to.iter().zip(from).map(|(to, from)| to - from).collect::<Vec<f64>>();
        let (moved, turned) = (apart(points), apart(gradients));
        let curvature = dot(&moved, &turned);
        if curvature > 1e-300 {
            if self.0.len() == MEMORY {
                self.0.pop_front();
            }
            self.0.push_back((moved, turned, 1.0 / curvature));
        }
        curvature
    }

    /// Minus the approximate inverse of the second derivatives times the gradient (the two-loop recursion).
    pub(super) fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|derivative| -derivative).collect();
        let mut factors = Vec::with_capacity(self.0.len());
        for (moved, turned, inverse) in self.0.iter().rev() {
            let factor = inverse * dot(moved, &direction);
            direction.iter_mut().zip(turned).for_each(|(d, y)| *d -= factor * y);
            factors.push(factor);
        }
        if let Some((_, turned, inverse)) = self.0.back() {
            let scale = 1.0 / (inverse * dot(turned, turned));
            direction.iter_mut().for_each(|d| *d *= scale);
        }
        for ((moved, turned, inverse), factor) in self.0.iter().zip(factors.into_iter().rev()) {
            let other = inverse * dot(turned, &direction);
            direction.iter_mut().zip(moved).for_each(|(d, s)| *d += (factor - other) * s);
        }
        direction
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

pub(super) fn largest(a: &[f64]) -> f64 {
    a.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}
