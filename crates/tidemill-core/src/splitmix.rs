//! Numbers that look random and are the same on every machine.

/// The generator `SplitMix64` (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    /// The generator in this state.
    pub fn new(state: u64) -> Self {
        Self(state)
    }

    /// The next number.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        Self::finish(self.0)
    }

    /// The next number of `[0, 1)`, uniform.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        Self::to_unit(self.draw())
    }

    /// The next whole number below `end`, which is above 0; the bias of the multiplication is below `end` / 2⁶⁴.
    #[inline]
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(end)) >> 64) as u64
    }

    /// The number of `[0, 1)` in the first 53 bits of `number`.
    #[inline]
    pub fn to_unit(number: u64) -> f64 {
        (number >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A hash of one number: the first number of a generator in that state.
    #[inline]
    pub fn hash(number: u64) -> u64 {
        Self::finish(number.wrapping_add(STEP))
    }

    /// The number of place `index`, counted from 0, in the sequence of the generator in state 0.
    #[inline]
    pub fn nth(index: u64) -> u64 {
        Self::hash(index.wrapping_mul(STEP))
    }

    /// How a state becomes a number.
    #[inline]
    pub fn finish(mut state: u64) -> u64 {
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs of SplitMix64 for the state 1234567, as printed by the authors' reference code (Rosetta Code).
        let mut random = SplitMix64::new(1_234_567);
        let numbers = [random.draw(), random.draw(), random.draw()];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_place_of_the_sequence_needs_not_those_before_it() {
        let mut random = SplitMix64::new(0);
        assert!((0..100).all(|index| SplitMix64::nth(index) == random.draw()));
        assert_eq!(SplitMix64::hash(7), SplitMix64::new(7).draw());
    }
}
