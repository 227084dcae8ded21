//! Random numbers that depend on nothing but a seed.

/// The `SplitMix64` generator (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A generator for one purpose: `stream` keeps the sequences of one seed apart.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(mix(seed ^ mix(stream)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        finish(self.0)
    }

    /// A number from 0 to `bound` − 1; the bias of the multiplication is below 2⁻³² for the bounds used here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
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

/// A hash of one number.
pub(crate) fn mix(number: u64) -> u64 {
    finish(number.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

fn finish(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs of SplitMix64 for the state 1234567, as printed by the authors' reference code (Rosetta Code).
        let mut rng = Rng(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

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
