//! Which parameters matter.

use crate::{Direction, Domain, Space, Trial};

/// The share of trials that are good ones.
const GOOD_SHARE: f64 = 0.1;
/// Trials below which nothing can be said.
const TRIALS_MIN: usize = 20;
/// Cells of a range of numbers.
const CELLS: usize = 50;

/// How much each parameter matters, as shares of 1: how far the values of the best trials lie from those of all trials
/// (PED-ANOVA, Watanabe et al. 2023). Empty where there are fewer than 20 completed trials.
///
/// A parameter that only matters beside others is judged on the trials that have it.
pub fn importance(space: &Space, direction: Direction, trials: &[Trial]) -> Vec<(String, f64)> {
    let mut ranked: Vec<(f64, &Trial)> =
        trials.iter().filter_map(|trial| Some((direction.loss(trial.result()?), trial))).collect();
    if ranked.len() < TRIALS_MIN {
        return Vec::new();
    }
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let good = ((ranked.len() as f64 * GOOD_SHARE).ceil() as usize).max(2);
    let mut found: Vec<(String, f64)> = Vec::new();
    for (at, dimension) in space.dimensions().iter().enumerate() {
        let values = |trials: &[(f64, &Trial)]| -> Vec<f64> {
            trials.iter().filter_map(|(_, trial)| trial.point.0.get(at).copied().flatten()).collect()
        };
        let (best, all) = (values(&ranked[..good]), values(&ranked));
        let distance = if best.len() < 2 { 0.0 } else { divergence(&dimension.domain, &best, &all) };
        found.push((dimension.name.clone(), distance));
    }
    let total: f64 = found.iter().map(|(_, distance)| distance).sum();
    if total > 0.0 {
        found.iter_mut().for_each(|(_, distance)| *distance /= total);
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found
}

/// The Pearson divergence of the density of `best` from that of `all`.
fn divergence(domain: &Domain, best: &[f64], all: &[f64]) -> f64 {
    let (p, q) = (shares(domain, best), shares(domain, all));
    p.iter().zip(&q).filter(|(_, q)| **q > 0.0).map(|(p, q)| q * (p / q - 1.0) * (p / q - 1.0)).sum()
}

/// The share of each cell of the domain: of values smoothed by normal kernels (Scott's rule) for numbers, and counted with one
/// more for all cells together for choices.
fn shares(domain: &Domain, values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    if let Domain::Choice(choices) = domain {
        let prior = 1.0 / choices.len() as f64;
        let of = |choice: usize| values.iter().filter(|value| **value as usize == choice).count() as f64;
        return (0..choices.len()).map(|choice| (of(choice) + prior) / (count + 1.0)).collect();
    }
    let (low, high) = domain.bounds();
    let width = high - low;
    if width <= 0.0 {
        return vec![1.0];
    }
    let values: Vec<f64> = values.iter().map(|value| (domain.search(*value) - low) / width).collect();
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count).sqrt();
    let bandwidth = (1.06 * deviation * count.powf(-0.2)).max(1.0 / CELLS as f64);
    let mut cells: Vec<f64> = (0..CELLS)
        .map(|cell| {
            let x = (cell as f64 + 0.5) / CELLS as f64;
            values.iter().map(|value| crate::normal::log_density((x - value) / bandwidth).exp()).sum::<f64>()
        })
        .collect();
    // One more value, spread over the whole range, keeps every cell above nothing.
    let total: f64 = cells.iter().sum();
    let whole = total / count.max(1.0) / CELLS as f64;
    cells.iter_mut().for_each(|cell| *cell += whole);
    let total: f64 = cells.iter().sum();
    cells.iter_mut().for_each(|cell| *cell /= total);
    cells
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidemill_core::SplitMix64;

    use super::*;
    use crate::TrialState;

    #[test]
    fn the_parameter_that_decides_comes_first() {
        let space = Space::parse(&json!({
            "a": { "float": [0, 1] },
            "b": { "float": [0, 1] },
            "c": ["x", "y", "z"],
            "d": { "float": [0, 1], "when": { "c": "x" } },
        }))
        .unwrap();
        let mut random = SplitMix64::new(5);
        let trials: Vec<Trial> = (0..300)
            .map(|number| {
                let point = space.build(|_, domain| domain.at(random.unit()));
                let (a, b) = (point.0[0].unwrap(), point.0[1].unwrap());
                Trial {
                    state: TrialState::Completed,
                    value: Some(
                        10.0 * (a - 0.3) * (a - 0.3) + 0.05 * b + if point.0[2] == Some(1.0) { 0.0 } else { 0.5 },
                    ),
                    ..Trial::started(number, space.params(&point), point)
                }
            })
            .collect();
        let found = importance(&space, Direction::Minimize, &trials);
        let mut names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).take(2).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "c"], "{found:?}");
        assert!((found.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(found[1].1 > 0.3 && found.iter().find(|(name, _)| name == "b").unwrap().1 < 0.1, "{found:?}");
        assert!(importance(&space, Direction::Minimize, &trials[..10]).is_empty());
    }
}
