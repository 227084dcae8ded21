//! A sample of the values of a column that has too many to count each.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ValueMap;

/// Exact counts of the values whose 64-bit XXH3 hash is below a limit.
///
/// The hash decides, so the samples of two datasets hold the same values as far as both have them, and can be compared
/// value by value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueSample {
    /// Every value with a smaller hash is in the sample.
    #[serde(with = "hex")]
    pub below: u64,
    /// How often each value occurs, by its hash in ascending order.
    #[serde(with = "hex_counts")]
    pub counts: Vec<(u64, u64)>,
}

impl ValueSample {
    /// The share of all values that is expected in the sample.
    pub fn rate(&self) -> f64 {
        self.below as f64 / 2f64.powi(64)
    }

    /// How often the value with this hash occurs; `None` for a value outside of the sample.
    pub fn count(&self, hash: u64) -> Option<u64> {
        let found = || self.counts.binary_search_by_key(&hash, |(known, _)| *known);
        (hash < self.below).then(|| found().map_or(0, |at| self.counts[at].1))
    }
}

mod hex {
    use serde::de::Error;

    use super::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes every member by reference")]
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{value:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(Error::custom)
    }

    pub fn parse(text: &str) -> Result<u64, String> {
        u64::from_str_radix(text, 16).map_err(|_| format!("`{text}` is not a hash in hexadecimal digits"))
    }
}

mod hex_counts {
    use serde::de::Error;

    use super::{Deserialize, Deserializer, Serialize, Serializer, ValueMap, hex};

    pub fn serialize<S: Serializer>(counts: &[(u64, u64)], serializer: S) -> Result<S::Ok, S::Error> {
        ValueMap::new(counts.iter().map(|(hash, count)| (format!("{hash:016x}"), *count)).collect())
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(u64, u64)>, D::Error> {
        let counts = ValueMap::<u64>::deserialize(deserializer)?;
        let parsed: Result<Vec<_>, String> =
            counts.iter().map(|(hash, count)| Ok((hex::parse(hash)?, count))).collect();
        let mut counts = parsed.map_err(Error::custom)?;
        counts.sort_unstable();
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_keeps_every_bit_of_its_hashes() {
        let sample = ValueSample { below: u64::MAX / 3, counts: vec![(7, 2), ((1 << 53) + 1, 5)] };
        let written = serde_json::to_string(&sample).unwrap();
        assert_eq!(written, r#"{"below":"5555555555555555","counts":{"0000000000000007":2,"0020000000000001":5}}"#);
        assert_eq!(serde_json::from_str::<ValueSample>(&written).unwrap(), sample);
        assert_eq!((sample.count(7), sample.count(8), sample.count(u64::MAX / 2)), (Some(2), Some(0), None));
        assert!((sample.rate() - 1.0 / 3.0).abs() < 1e-12);
        assert!(serde_json::from_str::<ValueSample>(r#"{"below":"x","counts":{}}"#).is_err());
    }
}
