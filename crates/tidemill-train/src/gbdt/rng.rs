//! Random numbers that depend on nothing but a seed.

use tidemill_core::SplitMix64;

/// A generator for one purpose.
#[derive(Debug, Clone)]
pub(crate) struct Rng(pub(super) SplitMix64);

impl Rng {
    /// `stream` keeps the sequences of one seed apart.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(SplitMix64::new(SplitMix64::hash(seed ^ SplitMix64::hash(stream))))
    }

    /// A number from 0 to `bound` − 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// A number from 0 up to 1, which it is never.
    pub(crate) fn unit(&mut self) -> f64 {
        self.below(1 << 53) as f64 / 2_f64.powi(53)
    }

    /// `count` of the numbers `0..of`, ascending.
    pub(crate) fn choose(&mut self, count: usize, of: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..of).collect();
        let count = count.min(of);
        for at in 0..count {
            let other = at + self.below((of - at) as u64) as usize;
            numbers.swap(at, other);
        }
        numbers.truncate(count);
        numbers.sort_unstable();
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_ascending_distinct_and_fair() {
        let mut counts = [0; 10];
        for seed in 0..2000 {
            let chosen = Rng::new(seed, 7).choose(3, 10);
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]) && chosen.len() == 3);
            for at in chosen {
                counts[at] += 1;
            }
        }
        assert!(counts.iter().all(|count| (500..700).contains(count)), "{counts:?}");
        assert_eq!(Rng::new(1, 1).choose(9, 4), [0, 1, 2, 3]);
    }
}
