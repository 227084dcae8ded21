//! The wide part of a network: weights of combinations of categories.

use super::input::category;
use crate::ModelError;
use crate::trees::invalid;

/// Features of a combination at most.
const FEATURES_MAX: usize = 8;

/// A weight for each combination of the categories of some features, added to the scores.
///
/// A combination's place is the sum of its codes, each times the multiplier of its feature: a number of its own for each, or,
/// where there are too many, the remainder of that sum by [`MODULUS`](Self::MODULUS) and then by the number of buckets. A combination with a
/// missing or unknown category adds nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct WideTerm {
    /// The features, by number.
    pub features: Vec<u32>,
    /// How many categories each has.
    pub categories: Vec<u32>,
    /// By what each code is multiplied.
    pub multipliers: Vec<u64>,
    /// How many places there are.
    pub buckets: u32,
    /// A weight for each place and score, the scores of a place side by side.
    pub weights: Vec<f32>,
}

impl WideTerm {
    /// A prime, small enough that the sums of codes stay within 64 bits.
    pub const MODULUS: u64 = 2_147_483_647;

    /// A term without weights over `features` with so many `categories`; of at most `buckets_max` places.
    pub fn new(features: Vec<u32>, categories: Vec<u32>, buckets_max: u32, scores: usize) -> Self {
        let all = categories.iter().try_fold(1_u64, |all, count| all.checked_mul(u64::from(*count)));
        let exact = all.filter(|all| *all <= u64::from(buckets_max));
        let mut multipliers = vec![1_u64; categories.len()];
        for at in (1..categories.len()).rev() {
            multipliers[at - 1] = match exact {
                Some(_) => multipliers[at] * u64::from(categories[at]),
                // Powers of a generator that is far from any small ratio.
                None => multipliers[at] * 48_271 % Self::MODULUS,
            };
        }
        let buckets = exact.unwrap_or(u64::from(buckets_max)) as u32;
        Self { features, categories, multipliers, buckets, weights: vec![0.0; buckets as usize * scores] }
    }

    /// Whether combinations may share a place.
    pub fn is_hashed(&self) -> bool {
        let all = self.categories.iter().try_fold(1_u64, |all, count| all.checked_mul(u64::from(*count)));
        all.is_none_or(|all| all > u64::from(self.buckets))
    }

    /// The place of the combination in a row whose values `value` gives by feature.
    #[inline]
    pub fn place(&self, value: impl Fn(usize) -> f64) -> Option<usize> {
        let mut sum = 0;
        for ((feature, count), multiplier) in self.features.iter().zip(&self.categories).zip(&self.multipliers) {
            sum += u64::from(category(value(*feature as usize), *count)?) * multiplier;
        }
        Some((sum % Self::MODULUS % u64::from(self.buckets)) as usize)
    }

    pub(super) fn check(&self, features: usize, scores: usize) -> Result<(), ModelError> {
        let same = self.features.len() == self.categories.len() && self.features.len() == self.multipliers.len();
        let fine = same
            && (1..=FEATURES_MAX).contains(&self.features.len())
            && self.features.iter().all(|feature| (*feature as usize) < features)
            && self.multipliers.iter().all(|multiplier| *multiplier < Self::MODULUS)
            && self.buckets > 0
            && u64::from(self.buckets) < Self::MODULUS
            && self.weights.len() == self.buckets as usize * scores
            && self.weights.iter().all(|weight| weight.is_finite());
        if fine { Ok(()) } else { Err(invalid("a wide term of the network does not fit")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_has_its_place_and_hashed_ones_are_spread() {
        let term = WideTerm::new(vec![0, 1], vec![3, 4], 64, 1);
        assert!(!term.is_hashed() && term.buckets == 12);
        let places: Vec<usize> =
            (0..12).map(|at| term.place(|feature| [f64::from(at / 4), f64::from(at % 4)][feature]).unwrap()).collect();
        assert_eq!(places, (0..12).collect::<Vec<_>>());
        assert_eq!(term.place(|_| f64::NAN), None);
        assert_eq!(term.place(|_| 3.0), None);

        let term = WideTerm::new(vec![0, 1], vec![1000, 1000], 1024, 1);
        assert!(term.is_hashed() && term.buckets == 1024);
        let mut counts = vec![0; 1024];
        for at in 0..1_000_000_u32 {
            counts[term.place(|feature| f64::from([at / 1000, at % 1000][feature])).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (900..1060).contains(count)), "{:?}", counts.iter().max());
    }
}
