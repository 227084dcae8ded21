//! A lookup table from values to codes, built once when a graph is loaded.

use xxhash_rust::xxh3::xxh3_64;

use super::Keys;

const EMPTY: u32 = u32::MAX;

/// A fixed hash table from values to their positions, by open addressing.
///
/// One hash serves the lookup and the out-of-vocabulary bucket.
#[derive(Debug)]
pub(super) struct CodeTable {
    keys: Keys,
    oov_buckets: u32,
    /// Upper hash bits and position; a power of two of slots, at most half of them used.
    slots: Vec<(u32, u32)>,
}

impl CodeTable {
    pub(super) fn new(keys: &Keys, oov_buckets: u32) -> Self {
        let mut table =
            Self { keys: keys.clone(), oov_buckets, slots: vec![(0, EMPTY); (keys.len() * 2).next_power_of_two()] };
        for code in 0..keys.len() {
            let hash = match keys {
                Keys::Integers(values) => hash_integer(values[code]),
                Keys::Strings(values) => xxh3_64(values[code].as_bytes()),
            };
            let mut slot = table.slot(hash);
            while table.slots[slot].1 != EMPTY {
                slot = (slot + 1) & (table.slots.len() - 1);
            }
            table.slots[slot] = (upper(hash), code as u32);
        }
        table
    }

    /// Whether its keys are text rather than whole numbers.
    pub(super) fn holds_text(&self) -> bool {
        matches!(self.keys, Keys::Strings(_))
    }

    /// The code of a text; NaN if it has none.
    pub(super) fn text(&self, text: &str) -> f64 {
        let hash = xxh3_64(text.as_bytes());
        let Keys::Strings(values) = &self.keys else { return f64::NAN };
        self.find(hash, |code| values[code] == text)
    }

    /// The code of a whole number; NaN if it has none.
    pub(super) fn integer(&self, value: i64) -> f64 {
        let hash = hash_integer(value);
        let Keys::Integers(values) = &self.keys else { return f64::NAN };
        self.find(hash, |code| values[code] == value)
    }

    fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> f64 {
        let mut slot = self.slot(hash);
        loop {
            let (tag, code) = self.slots[slot];
            if code == EMPTY {
                break;
            }
            if tag == upper(hash) && is_it(code as usize) {
                return f64::from(code);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        if self.oov_buckets == 0 {
            f64::NAN
        } else {
            (self.keys.len() as u64 + hash % u64::from(self.oov_buckets)) as f64
        }
    }

    fn slot(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }
}

fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The hash of a whole number's decimal digits, so that a column keeps its buckets when it becomes text.
fn hash_integer(value: i64) -> u64 {
    with_digits(value, xxh3_64)
}

/// The result of `hash` for the decimal digits of a whole number.
pub(super) fn with_digits<T>(value: i64, hash: impl Fn(&[u8]) -> T) -> T {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    hash(&digits[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_values_get_their_position_and_others_a_stable_bucket() {
        let table = CodeTable::new(&Keys::Strings(vec!["Cash".into(), "Credit Card".into()]), 3);
        assert_eq!(table.text("Cash"), 0.0);
        assert_eq!(table.text("Credit Card"), 1.0);
        // Python, package xxhash 4.1: 2 + xxhash.xxh3_64_intdigest(b"Prcard") % 3
        assert_eq!(table.text("Prcard"), 2.0);
        let without = CodeTable::new(&Keys::Strings(vec!["Cash".into()]), 0);
        assert!(without.text("Prcard").is_nan());
    }

    #[test]
    fn a_whole_number_hashes_as_its_digits() {
        for value in [0, 7, -7, i64::MAX, i64::MIN, 17_031_839_100] {
            assert_eq!(hash_integer(value), xxh3_64(value.to_string().as_bytes()));
        }
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        assert!(CodeTable::new(&Keys::Integers(Vec::new()), 0).integer(1).is_nan());
        assert_eq!(CodeTable::new(&Keys::Strings(Vec::new()), 1).text("x"), 0.0);
    }
}
