//! Exact counts of distinct numbers.

use super::state::{Input, StateError, Stored};

/// Distinct numbers that are counted one by one.
pub(crate) const DISTINCT_NUMBERS_MAX: usize = 4096;

const EMPTY: (u64, u64) = (0, 0);

/// How often each number occurs, in an open-addressing table that grows with the distinct numbers.
///
/// Numbers are finite and `-0` counts as `0`.
#[derive(Debug, Clone)]
pub(crate) struct NumberCounts {
    /// Bits of the number and its count; a count of 0 marks a free slot.
    slots: Vec<(u64, u64)>,
    used: usize,
}

impl Default for NumberCounts {
    fn default() -> Self {
        Self { slots: vec![EMPTY; 64], used: 0 }
    }
}

impl NumberCounts {
    /// Counts `values` until one of them is one distinct number too many; returns how many were counted.
    pub fn add_all(&mut self, values: &[f64]) -> usize {
        for (index, value) in values.iter().enumerate() {
            if !self.add(*value, 1) {
                return index;
            }
        }
        values.len()
    }

    /// Counts `value` `count` times more, or returns `false` if it would be one distinct number too many.
    #[inline]
    pub fn add(&mut self, value: f64, count: u64) -> bool {
        let bits = (value + 0.0).to_bits();
        let slot = self.find(bits);
        let (key, so_far) = &mut self.slots[slot];
        if *so_far > 0 {
            *so_far += count;
            return true;
        }
        if self.used == DISTINCT_NUMBERS_MAX {
            return false;
        }
        (*key, *so_far) = (bits, count);
        self.used += 1;
        if self.used * 2 > self.slots.len() {
            self.grow();
        }
        true
    }

    /// The slot of `bits`, or the free one where it belongs.
    #[inline]
    fn find(&self, bits: u64) -> usize {
        let mask = self.slots.len() - 1;
        // Fibonacci hashing; the high bits are folded in because round numbers have many low zeros.
        let mixed = (bits ^ (bits >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut slot = (mixed >> 40) as usize & mask;
        loop {
            let (key, count) = self.slots[slot];
            if count == 0 || key == bits {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let bigger = vec![EMPTY; self.slots.len() * 2];
        for (key, count) in std::mem::replace(&mut self.slots, bigger) {
            if count > 0 {
                let slot = self.find(key);
                self.slots[slot] = (key, count);
            }
        }
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<(u64, u64)>()
    }

    /// Every number with its count, from low to high.
    pub fn sorted(&self) -> Vec<(f64, u64)> {
        let mut pairs: Vec<(f64, u64)> =
            self.slots.iter().filter(|slot| slot.1 > 0).map(|slot| (f64::from_bits(slot.0), slot.1)).collect();
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        pairs
    }
}

/// From low to high.
impl Stored for NumberCounts {
    fn store(&self, out: &mut Vec<u8>) {
        self.sorted().store(out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let mut counts = Self::default();
        for (value, count) in Vec::<(f64, u64)>::load(input)? {
            let sound = value.is_finite() && count > 0 && counts.add(value, count);
            input.expect(sound, "counts of numbers are out of order")?;
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_zeros_are_one_number_and_the_bound_holds() {
        let mut counts = NumberCounts::default();
        assert!(counts.add(0.0, 2) && counts.add(-0.0, 3));
        assert_eq!(counts.sorted(), [(0.0, 5)]);
        let many: Vec<f64> = (0..=DISTINCT_NUMBERS_MAX).map(|i| i as f64 * 0.25).collect();
        assert_eq!(counts.add_all(&many), DISTINCT_NUMBERS_MAX);
        assert_eq!(counts.sorted().len(), DISTINCT_NUMBERS_MAX);
        assert!(counts.add(0.25, 1), "a known number still counts");
    }
}
