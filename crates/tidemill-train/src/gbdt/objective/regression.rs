//! Losses of amounts.

use tidemill_model::trees::Link;

use super::{Gradient, Objective, Renewal, mean};

/// Half the squared error; the score is the prediction.
#[derive(Debug, Clone, Copy, Default)]
pub struct SquaredError;

impl Objective for SquaredError {
    fn metric_name(&self) -> &'static str {
        "RMSE"
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        vec![mean(labels, weights)]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        one(scores, labels, out, |error, _| [error, 1.0]);
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        0.5 * (scores[0] - label) * (scores[0] - label)
    }

    fn metric(&self, mean_loss: f64) -> f64 {
        (2.0 * mean_loss).sqrt()
    }
}

/// The absolute error: the model learns medians.
#[derive(Debug, Clone, Copy, Default)]
pub struct AbsoluteError;

impl Objective for AbsoluteError {
    fn metric_name(&self) -> &'static str {
        "MAE"
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        vec![quantile(&mut weighted(labels, weights), 0.5)]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        one(scores, labels, out, |error, _| [sign(error), 1.0]);
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        (scores[0] - label).abs()
    }

    fn renewal(&self, _score: usize) -> Option<Renewal> {
        Some(Renewal { level: 0.5, weight: |_| 1.0 })
    }
}

/// The error of the prediction of a quantile: `level` times what the label is above it, `1 - level` times what it is below.
#[derive(Debug, Clone, Copy)]
pub struct Quantile {
    /// Which quantile: above 0 and below 1.
    pub level: f64,
}

impl Objective for Quantile {
    fn metric_name(&self) -> &'static str {
        "pinball loss"
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        vec![quantile(&mut weighted(labels, weights), self.level)]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        let level = self.level;
        one(scores, labels, out, |error, _| [if error >= 0.0 { 1.0 - level } else { -level }, 1.0]);
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let below = label - scores[0];
        if below >= 0.0 { self.level * below } else { (self.level - 1.0) * below }
    }

    fn renewal(&self, _score: usize) -> Option<Renewal> {
        Some(Renewal { level: self.level, weight: |_| 1.0 })
    }
}

/// Several quantiles, a score for each.
#[derive(Debug, Clone)]
pub struct Quantiles(Vec<Quantile>);

impl Quantiles {
    /// The quantiles of these levels, ascending.
    pub fn new(levels: &[f64]) -> Self {
        Self(levels.iter().map(|&level| Quantile { level }).collect())
    }
}

impl Objective for Quantiles {
    fn metric_name(&self) -> &'static str {
        "pinball loss"
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        self.0.iter().flat_map(|quantile| quantile.base_scores(labels, weights)).collect()
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        for ((quantile, scores), out) in self.0.iter().zip(scores).zip(out) {
            quantile.gradients(&[scores], labels, std::slice::from_mut(out));
        }
    }

    /// The mean over the levels, of scores in ascending order as they are predicted.
    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let mut scores = scores.to_vec();
        scores.sort_unstable_by(f64::total_cmp);
        let each = self.0.iter().zip(&scores).map(|(quantile, score)| quantile.loss(&[*score], label));
        each.sum::<f64>() / self.0.len() as f64
    }

    fn renewal(&self, score: usize) -> Option<Renewal> {
        self.0.get(score)?.renewal(0)
    }
}

/// The absolute error as a share of the label, or of 1 where the label is nearer to 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct PercentageError;

impl PercentageError {
    fn weight(label: f64) -> f64 {
        1.0 / label.abs().max(1.0)
    }
}

impl Objective for PercentageError {
    fn metric_name(&self) -> &'static str {
        "MAPE"
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        let mut values = weighted(labels, weights);
        values.iter_mut().for_each(|(label, weight)| *weight *= Self::weight(*label));
        vec![quantile(&mut values, 0.5)]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        one(scores, labels, out, |error, label| [sign(error) * Self::weight(label), 1.0]);
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        (scores[0] - label).abs() * Self::weight(label)
    }

    fn renewal(&self, _score: usize) -> Option<Renewal> {
        Some(Renewal { level: 0.5, weight: Self::weight })
    }
}

/// Half the squared error up to `delta`, and linear beyond it.
#[derive(Debug, Clone, Copy)]
pub struct Huber {
    /// Where the loss becomes linear: above 0.
    pub delta: f64,
}

impl Objective for Huber {
    fn metric_name(&self) -> &'static str {
        "Huber loss"
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        vec![mean(labels, weights)]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        one(scores, labels, out, |error, _| [error.clamp(-self.delta, self.delta), 1.0]);
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let error = (scores[0] - label).abs();
        if error <= self.delta { 0.5 * error * error } else { self.delta * (error - 0.5 * self.delta) }
    }
}

/// `c |e| - c² ln(1 + |e| / c)` of an error `e`: nearly linear far from 0, and smooth.
#[derive(Debug, Clone, Copy)]
pub struct Fair {
    /// The error from which on the loss is nearly linear: above 0.
    pub c: f64,
}

impl Objective for Fair {
    fn metric_name(&self) -> &'static str {
        "fair loss"
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        vec![mean(labels, weights)]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        let c = self.c;
        one(scores, labels, out, |error, _| {
            let sum = error.abs() + c;
            [c * error / sum, c * c / (sum * sum)]
        });
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let share = (scores[0] - label).abs() / self.c;
        self.c * self.c * (share - share.ln_1p())
    }
}

/// The negative log-likelihood of a count; the score is the logarithm of the expected one.
#[derive(Debug, Clone, Copy)]
pub struct Poisson {
    /// Added to the score in second derivatives, which keeps steps small.
    pub max_delta_step: f64,
}

impl Objective for Poisson {
    fn link(&self) -> Link {
        Link::Exp
    }

    fn metric_name(&self) -> &'static str {
        "Poisson loss"
    }

    fn label_rule(&self) -> Option<(fn(f64) -> bool, &'static str)> {
        Some((|label| label >= 0.0, "a Poisson label must be 0 or above"))
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        vec![mean(labels, weights).max(f64::MIN_POSITIVE).ln()]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        for ((score, label), out) in scores[0].iter().zip(labels).zip(&mut *out[0]) {
            *out = [(score.exp() - label) as f32, (score + self.max_delta_step).exp() as f32];
        }
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        scores[0].exp() - label * scores[0]
    }
}

/// The negative log-likelihood of a positive amount whose spread grows with it; the score is the logarithm of the expected
/// one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gamma;

impl Objective for Gamma {
    fn link(&self) -> Link {
        Link::Exp
    }

    fn metric_name(&self) -> &'static str {
        "gamma loss"
    }

    fn label_rule(&self) -> Option<(fn(f64) -> bool, &'static str)> {
        Some((|label| label > 0.0, "a gamma label must be above 0"))
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        vec![mean(labels, weights).max(f64::MIN_POSITIVE).ln()]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        for ((score, label), out) in scores[0].iter().zip(labels).zip(&mut *out[0]) {
            let ratio = label * (-score).exp();
            *out = [(1.0 - ratio) as f32, ratio as f32];
        }
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        scores[0] + label * (-scores[0]).exp()
    }
}

/// The negative log-likelihood of an amount that is often 0, such as a claim; the score is the logarithm of the expected one.
#[derive(Debug, Clone, Copy)]
pub struct Tweedie {
    /// Between a count's (1) and a positive amount's (2).
    pub variance_power: f64,
}

impl Objective for Tweedie {
    fn link(&self) -> Link {
        Link::Exp
    }

    fn metric_name(&self) -> &'static str {
        "Tweedie loss"
    }

    fn label_rule(&self) -> Option<(fn(f64) -> bool, &'static str)> {
        Some((|label| label >= 0.0, "a Tweedie label must be 0 or above"))
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        vec![mean(labels, weights).max(f64::MIN_POSITIVE).ln()]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        let (low, high) = (1.0 - self.variance_power, 2.0 - self.variance_power);
        for ((score, label), out) in scores[0].iter().zip(labels).zip(&mut *out[0]) {
            let (first, second) = (label * (low * score).exp(), (high * score).exp());
            *out = [(second - first) as f32, (high * second - low * first) as f32];
        }
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let (low, high) = (1.0 - self.variance_power, 2.0 - self.variance_power);
        (high * scores[0]).exp() / high - label * (low * scores[0]).exp() / low
    }
}

/// Derivatives that depend on the error `score − label` and the label.
fn one(scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]], of: impl Fn(f64, f64) -> [f64; 2]) {
    for ((score, label), out) in scores[0].iter().zip(labels).zip(&mut *out[0]) {
        *out = of(score - label, *label).map(|derivative| derivative as f32);
    }
}

/// −1, 0 or 1.
fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// Values with their weights.
fn weighted(values: &[f64], weights: Option<&[f64]>) -> Vec<(f64, f64)> {
    match weights {
        Some(weights) => values.iter().copied().zip(weights.iter().copied()).collect(),
        None => values.iter().map(|value| (*value, 1.0)).collect(),
    }
}

/// The quantile `level` of values with weights: linear between the two values next to it where all weights are the same,
/// and otherwise the first value whose weights with all below exceed their share. `NaN` of no values.
pub(crate) fn quantile(values: &mut [(f64, f64)], level: f64) -> f64 {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some((first, weight)) = values.first().copied() else { return f64::NAN };
    let last = values[values.len() - 1].0;
    if values.iter().all(|(_, other)| *other == weight) {
        // Counted from the top, as LightGBM does.
        let place = (1.0 - level) * values.len() as f64;
        let at = place as usize;
        return match at {
            0 => last,
            at if at >= values.len() => first,
            at => {
                let (above, below) = (values[values.len() - at].0, values[values.len() - at - 1].0);
                above - (above - below) * (place - at as f64)
            }
        };
    }
    let wanted = level * values.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut sum = 0.0;
    for (value, weight) in values.iter() {
        sum += weight;
        if sum > wanted {
            return *value;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_computed_by_hand() {
        let of = |values: &[f64], level| quantile(&mut weighted(values, None), level);
        assert_eq!(of(&[3.0, 1.0, 2.0, 4.0], 0.5), 2.5 + 0.5);
        assert_eq!((of(&[7.0], 0.1), of(&[1.0, 2.0], 0.0), of(&[1.0, 2.0], 1.0)), (7.0, 1.0, 2.0));
        assert_eq!(quantile(&mut [(1.0, 1.0), (2.0, 5.0), (3.0, 1.0)], 0.5), 2.0);
        assert_eq!(quantile(&mut [(1.0, 9.0), (2.0, 5.0), (3.0, 1.0)], 0.5), 1.0);
    }
}
