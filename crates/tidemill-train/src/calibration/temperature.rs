//! Temperature scaling.

use super::inside;

/// The logarithms of the inverse temperature between which it is looked for.
const RANGE: [f64; 2] = [-10.0, 10.0];
/// Halvings of the range at most.
const STEPS_MAX: usize = 100;

/// The factor of the scores with the smallest log-loss: 1 / the temperature (Guo et al. 2017). The log-loss is convex in it, so
/// its derivative has one zero.
pub(super) fn temperature(columns: &[Vec<f64>], labels: &[f64], weights: Option<&[f64]>) -> f64 {
    let scores: Vec<Vec<f64>> = match columns {
        [one] => {
            let halves = |sign: f64| one.iter().map(move |p| sign * 0.5 * (inside(*p).ln() - (1.0 - inside(*p)).ln()));
            vec![halves(-1.0).collect(), halves(1.0).collect()]
        }
        several => several.iter().map(|column| column.iter().map(|p| inside(*p).ln()).collect()).collect(),
    };
    let slope = |inverse: f64| {
        let mut sum = 0.0;
        for (row, label) in labels.iter().enumerate() {
            let largest = scores.iter().fold(f64::NEG_INFINITY, |most, column| most.max(inverse * column[row]));
            let (mut total, mut mean) = (0.0, 0.0);
            for column in &scores {
                let power = (inverse * column[row] - largest).exp();
                total += power;
                mean += power * column[row];
            }
            let weight = weights.map_or(1.0, |weights| weights[row]);
            sum += weight * (mean / total - scores[*label as usize][row]);
        }
        sum
    };
    let [mut low, mut high] = RANGE;
    if slope(high.exp()) <= 0.0 {
        return high.exp();
    }
    for _ in 0..STEPS_MAX {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        *(if slope(middle.exp()) > 0.0 { &mut high } else { &mut low }) = middle;
    }
    f64::midpoint(low, high).exp()
}
