//! Weighted numbers.

use tidemill_core::WeightedNumericStatistics;

use crate::statistics::histogram;
use crate::statistics::sketch::QuantileSketch;
use crate::statistics::state::stored;

/// Accumulates finite numbers, each with a weight. A weight of zero is no number at all.
#[derive(Debug, Clone, Default)]
pub(crate) struct WeightedNumbers {
    weight: f64,
    mean: f64,
    /// Weighted sum of squared distances from the mean.
    m2: f64,
    range: Option<(f64, f64)>,
    /// Weights of NaN and of infinite values.
    apart: (f64, f64),
    sketch: QuantileSketch,
    /// Pairs of the batch at hand.
    waiting: Vec<(f64, f64)>,
}

stored!(WeightedNumbers { weight, mean, m2, range, apart, sketch; fresh waiting } if |it| {
    it.weight >= 0.0 && it.range.is_none_or(|(low, high)| low.is_finite() && high.is_finite() && low <= high)
});

impl WeightedNumbers {
    /// Takes in a number; it counts from the next [`WeightedNumbers::settle`] on.
    #[inline]
    pub fn add(&mut self, value: f64, weight: f64) {
        if value.is_finite() && weight > 0.0 {
            self.waiting.push((value, weight));
        } else if value.is_nan() {
            self.apart.0 += weight;
        } else if value.is_infinite() {
            self.apart.1 += weight;
        }
    }

    /// Takes in the numbers of a batch.
    pub fn settle(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        let weight: f64 = waiting.iter().map(|pair| pair.1).sum();
        let mean = waiting.iter().map(|(value, own)| value * (own / weight)).sum::<f64>();
        let m2 = waiting.iter().map(|(value, own)| own * (value - mean) * (value - mean)).sum::<f64>();
        self.join_moments(weight, mean, m2);
        for (value, _) in &waiting {
            let (low, high) = self.range.unwrap_or((*value, *value));
            self.range = Some((low.min(*value), high.max(*value)));
        }
        waiting.drain(..).for_each(|(value, weight)| self.sketch.add(value, weight));
        self.waiting = waiting;
    }

    /// The pairwise update of Chan, Golub and `LeVeque` (1979), with weights for counts.
    fn join_moments(&mut self, weight: f64, mean: f64, m2: f64) {
        if weight == 0.0 {
            return;
        }
        let total = self.weight + weight;
        let delta = mean - self.mean;
        let share = weight / total;
        self.m2 += m2 + delta * delta * share * self.weight;
        self.mean += delta * share;
        self.weight = total;
    }

    /// Takes in what another accumulator has seen, after both have settled.
    pub fn merge(&mut self, other: &Self) {
        self.join_moments(other.weight, other.mean, other.m2);
        self.apart = (self.apart.0 + other.apart.0, self.apart.1 + other.apart.1);
        self.range = match (self.range, other.range) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.sketch.merge(&other.sketch);
    }

    pub fn finish(&self) -> WeightedNumericStatistics {
        let (num_nan, num_inf) = self.apart;
        let Some((min, max)) = self.range else {
            return WeightedNumericStatistics { num_nan, num_inf, ..WeightedNumericStatistics::default() };
        };
        let pairs = self.sketch.pairs();
        let finite = |x: f64| if x.is_finite() { x } else { f64::MAX.copysign(x) };
        WeightedNumericStatistics {
            mean: finite(self.mean),
            std_dev: finite((self.m2 / self.weight).max(0.0).sqrt()),
            median: histogram::median(&pairs),
            rank_error: self.sketch.error() / self.weight,
            histogram: histogram::equal_width(&pairs, min, max),
            quantiles: histogram::equal_share(&pairs, min, max, histogram::BUCKETS),
            fine: (&histogram::equal_share(&pairs, min, max, histogram::FINE_BUCKETS)).into(),
            num_nan,
            num_inf,
        }
    }
}
