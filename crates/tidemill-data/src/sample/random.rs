//! Random numbers that are the same on every machine.

use tidemill_core::SplitMix64;

/// A small generator for one row, seeded by what the row is.
///
/// Everything made from it uses only integer arithmetic and the operations that IEEE 754 rounds exactly (`+ - * /` and the
/// square root), never `exp` or `sin`, whose last bit differs between machines.
#[derive(Debug, Clone)]
pub(super) struct Random(SplitMix64);

impl Random {
    /// The generator of one row of one stream.
    pub(super) fn for_row(seed: u64, span: u32, row: u64) -> Self {
        let mix = SplitMix64::finish;
        Self(SplitMix64::new(mix(mix(mix(seed) ^ u64::from(span)) ^ row)))
    }

    /// A number in `[0, 1)`, uniform.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.unit()
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number of the interval, uniform.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number below `end`, uniform but for a bias below 2⁻³².
    pub(super) fn below(&mut self, end: u32) -> u32 {
        ((u64::from(end) * (self.0.draw() >> 32)) >> 32) as u32
    }

    /// A number around 0 with deviation 1, bell-shaped, never beyond 3.5: the sum of four uniform ones.
    pub(super) fn bell(&mut self) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * 1.732_050_807_568_877_2
    }

    /// An item, as often as its weight says. The weights must not all be 0.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T], weight: impl Fn(&T) -> f64) -> &'a T {
        let total: f64 = items.iter().map(&weight).sum();
        let mut left = self.unit() * total;
        for item in items {
            left -= weight(item);
            if left < 0.0 {
                return item;
            }
        }
        &items[items.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_their_weights() {
        let mut random = Random::for_row(1, 0, 0);
        let mut counts = [0_u32; 3];
        for _ in 0..30_000 {
            counts[*random.pick(&[0_usize, 1, 2], |&i| [1.0, 0.0, 2.0][i])] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((9_500..10_500).contains(&counts[0]), "{counts:?}");
        let mean = (0..30_000).map(|_| random.bell()).sum::<f64>() / 30_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
    }
}
