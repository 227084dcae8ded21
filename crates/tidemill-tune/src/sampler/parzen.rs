//! A density of points: a kernel around each, over all dimensions together.

use tidemill_core::SplitMix64;

use crate::Domain;
use crate::normal::{log_density, mass, truncated_quantile};

/// The weight of the kernel that covers the whole space.
const PRIOR: f64 = 1.0;
/// The logarithm of a share that does not change a sum of thousands.
const NEGLIGIBLE: f64 = -46.0;
/// Trials that count fully; older ones count less.
const FRESH: usize = 25;

/// A mixture of products of kernels, one product for each point and one that covers the whole space.
///
/// The kernels are those of Optuna's multivariate estimator (Watanabe 2023, arXiv 2304.11127): for numbers normal
/// distributions cut to the range, each as wide as it is far to the next points; and for choices the observed one with the
/// prior spread over all.
pub(super) struct Parzen {
    /// For each kernel, the last of them the prior.
    weights: Vec<f64>,
    log_weights: Vec<f64>,
    dimensions: Vec<Kernels>,
}

enum Kernels {
    Numbers {
        low: f64,
        high: f64,
        /// By kernel, the last of them the prior: its middle, and its width.
        centers: Vec<f64>,
        sigmas: Vec<f64>,
        /// The logarithm of what each kernel is divided by.
        scales: Vec<f64>,
        domain: Domain,
    },
    Choices {
        /// By kernel the index of its choice; that of the prior is none.
        observed: Vec<usize>,
        choices: usize,
    },
}

impl Parzen {
    /// The density of `points`, oldest first; each has a number for every one of `domains`.
    pub fn new(points: &[Vec<f64>], domains: &[&Domain]) -> Self {
        let count = points.len();
        let mut weights = recency(count);
        weights.push(PRIOR);
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
        let dimensions = domains.iter().enumerate().map(|(at, domain)| {
            if let Domain::Choice(values) = domain {
                let observed = points.iter().map(|point| point[at] as usize).collect();
                return Kernels::Choices { observed, choices: values.len() };
            }
            let (low, high) = domain.bounds();
            let mut centers: Vec<f64> = points.iter().map(|point| domain.search(point[at])).collect();
            let mut sigmas = widths(&centers, low, high);
            centers.push(f64::midpoint(low, high));
            sigmas.push(high - low);
            let scale = |(center, sigma): (&f64, &f64)| log_scale(*center, *sigma, low, high);
            let scales = centers.iter().zip(&sigmas).map(scale).collect();
            Kernels::Numbers { low, high, centers, sigmas, scales, domain: (*domain).clone() }
        });
        let dimensions = dimensions.collect();
        let log_weights = weights.iter().map(|weight| weight.ln()).collect();
        Self { weights, log_weights, dimensions }
    }

    /// Draws a point.
    pub fn draw(&self, random: &mut SplitMix64) -> Vec<f64> {
        let mut rest = random.unit();
        let prior = self.weights.len() - 1;
        let kernel = self.weights.iter().position(|weight| {
            rest -= weight;
            rest < 0.0
        });
        let kernel = kernel.unwrap_or(prior);
        self.dimensions
            .iter()
            .map(|dimension| match dimension {
                Kernels::Numbers { low, high, centers, sigmas, domain, .. } => {
                    domain.value(truncated_quantile(random.unit(), centers[kernel], sigmas[kernel], *low, *high))
                }
                Kernels::Choices { observed, choices } => {
                    let share = PRIOR / self.weights.len() as f64;
                    let total = 1.0 + share * *choices as f64;
                    let mut rest = random.unit();
                    match observed.get(kernel) {
                        Some(choice) if rest * total < 1.0 => *choice as f64,
                        Some(_) => {
                            rest = (rest * total - 1.0) / share;
                            (rest as usize).min(choices - 1) as f64
                        }
                        None => ((rest * *choices as f64) as usize).min(choices - 1) as f64,
                    }
                }
            })
            .collect()
    }

    /// The logarithm of the density at `point`, up to a factor that is the same for all densities over the same domains.
    pub fn log_density(&self, point: &[f64]) -> f64 {
        let kernels = self.weights.len();
        let mut logs = self.log_weights.clone();
        for (dimension, value) in self.dimensions.iter().zip(point) {
            match dimension {
                Kernels::Numbers { centers, sigmas, scales, domain, .. } => {
                    let x = domain.search(*value);
                    let step = steps(domain, *value);
                    for (((log, center), sigma), scale) in logs.iter_mut().zip(centers).zip(sigmas).zip(scales) {
                        *log -= scale;
                        *log += match step {
                            // A step wider than a kernel is more than a point of its density.
                            Some((from, to)) if to - from > *sigma => {
                                let share = mass((from - center) / sigma, (to - center) / sigma);
                                (share * sigma / (to - from)).max(f64::MIN_POSITIVE).ln()
                            }
                            _ => log_density((x - center) / sigma),
                        };
                    }
                }
                Kernels::Choices { observed, choices } => {
                    let share = PRIOR / kernels as f64;
                    let total = 1.0 + share * *choices as f64;
                    let (hit, miss) = (((1.0 + share) / total).ln(), (share / total).ln());
                    for (kernel, choice) in observed.iter().enumerate() {
                        logs[kernel] += if *choice as f64 == *value { hit } else { miss };
                    }
                    logs[kernels - 1] -= (*choices as f64).ln();
                }
            }
        }
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // What is left out is less than a rounding error of the sum.
        let near = logs.iter().map(|log| log - largest).filter(|log| *log > NEGLIGIBLE);
        largest + near.map(f64::exp).sum::<f64>().ln()
    }
}

/// How wide the kernel around each point is: as far as to the farther one of its neighbours, or, of the first and the last
/// point, to its only one; within bounds that get narrower the more points there are.
fn widths(centers: &[f64], low: f64, high: f64) -> Vec<f64> {
    let count = centers.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| centers[*a].total_cmp(&centers[*b]));
    let range = high - low;
    let least = range / (2.0 + count as f64).min(100.0);
    let mut widths = vec![range; count];
    for (place, at) in order.iter().enumerate() {
        let below = place.checked_sub(1).map(|place| centers[*at] - centers[order[place]]);
        let above = order.get(place + 1).map(|next| centers[*next] - centers[*at]);
        let width = match (below, above) {
            (Some(below), Some(above)) => below.max(above),
            (Some(one), None) | (None, Some(one)) => one,
            // A point alone has the ends of the range for neighbours.
            (None, None) => (centers[*at] - low).max(high - centers[*at]),
        };
        widths[*at] = width.clamp(least, range.max(least));
    }
    widths
}

/// The logarithm of a kernel's width times what is left of it within the range.
fn log_scale(center: f64, sigma: f64, low: f64, high: f64) -> f64 {
    (sigma * mass((low - center) / sigma, (high - center) / sigma)).max(f64::MIN_POSITIVE).ln()
}

/// What a value with steps stands for in the search: half a step to either side.
fn steps(domain: &Domain, value: f64) -> Option<(f64, f64)> {
    let half = domain.step()? / 2.0;
    Some((domain.search(value - half), domain.search(value + half)))
}

/// How much each of `count` trials counts, oldest first.
fn recency(count: usize) -> Vec<f64> {
    if count < FRESH {
        return vec![1.0; count];
    }
    let old = count - FRESH;
    let least = 1.0 / count as f64;
    let ramp = |at: usize| if old > 1 { least + (1.0 - least) * at as f64 / (old - 1) as f64 } else { least };
    (0..old).map(ramp).chain(std::iter::repeat_n(1.0, FRESH)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn densities_sum_to_one() {
        let number = Domain::Float { low: 0.0, high: 2.0, step: None, log: false };
        let whole = Domain::Int { low: 1, high: 9, step: 2, log: false };
        let choice = Domain::Choice(vec![json!("a"), json!("b"), json!("c")]);
        let points: Vec<Vec<f64>> =
            (0..40).map(|i| vec![f64::from(i % 7) / 4.0, 1.0 + f64::from(i % 3) * 2.0, f64::from(i % 2)]).collect();
        let parzen = Parzen::new(&points, &[&number, &whole, &choice]);
        let mut sum = 0.0;
        for x in 0..400 {
            for n in [1.0, 3.0, 5.0, 7.0, 9.0] {
                for c in 0..3 {
                    // A whole number stands for a range of two.
                    sum += parzen.log_density(&[(f64::from(x) + 0.5) / 200.0, n, f64::from(c)]).exp() / 200.0 * 2.0;
                }
            }
        }
        assert!((sum - 1.0).abs() < 0.02, "{sum}");
    }

    #[test]
    fn what_is_drawn_lies_where_the_points_are() {
        let number = Domain::Float { low: 1e-4, high: 1.0, step: None, log: true };
        let choice = Domain::Choice(vec![json!(1), json!(2)]);
        let points = vec![vec![1e-3, 1.0]; 60];
        let parzen = Parzen::new(&points, &[&number, &choice]);
        let mut random = SplitMix64::new(1);
        let drawn: Vec<Vec<f64>> = (0..500).map(|_| parzen.draw(&mut random)).collect();
        let near = drawn.iter().filter(|point| (5e-4..2e-3).contains(&point[0]) && point[1] == 1.0).count();
        assert!(near > 200, "{near}");
        assert!(drawn.iter().all(|point| (1e-4..=1.0).contains(&point[0])));
    }

    #[test]
    fn old_trials_fade() {
        assert_eq!(recency(3), [1.0, 1.0, 1.0]);
        let weights = recency(45);
        assert_eq!(weights.len(), 45);
        assert!((weights[0] - 1.0 / 45.0).abs() < 1e-12 && (weights[19] - 1.0).abs() < 1e-12 && weights[44] == 1.0);
    }
}
