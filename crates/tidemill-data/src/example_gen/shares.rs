//! The parameter `splits` of `ExampleGen`: names of splits and their shares.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

/// Digits after the point of a share, at most.
const DIGITS_MAX: usize = 6;

/// Names of splits with their shares as whole numbers, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "std::collections::BTreeMap<String, f64>")]
pub(super) struct Shares(pub(super) Vec<(String, u32)>);

impl<'de> Deserialize<'de> for Shares {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Shares;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from the names of splits to their shares, as in `{ train: 2, eval: 1 }`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Shares, E> {
                match text.split_once('/') {
                    Some((train, eval)) => {
                        let texts = [("train".to_owned(), train.trim()), ("eval".to_owned(), eval.trim())];
                        whole(texts.map(|(name, text)| (name, text.to_owned())).into()).map_err(E::custom)
                    }
                    None => Err(E::custom(format!("`{text}` is not the shares of two splits, as in `2/1` or `80/20`"))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shares, A::Error> {
                let mut entries: Vec<(String, String)> = Vec::new();
                while let Some((name, share)) = map.next_entry::<String, Share>()? {
                    if entries.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("split `{name}` is there twice")));
                    }
                    entries.push((name, share.0));
                }
                whole(entries).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(Entries)
    }
}

/// A share as its digits.
struct Share(String);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a share, such as 2 or 0.8,")
            }

            fn visit_u64<E>(self, share: u64) -> Result<Share, E> {
                Ok(Share(share.to_string()))
            }

            fn visit_f64<E: serde::de::Error>(self, share: f64) -> Result<Share, E> {
                if share.is_finite() && share >= 0.0 {
                    Ok(Share(share.to_string()))
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Float(share), &self))
                }
            }
        }

        deserializer.deserialize_any(Number)
    }
}

/// The smallest whole numbers in the same proportion, where some shares are fractions; whole numbers stay as they are.
fn whole(texts: Vec<(String, String)>) -> Result<Shares, String> {
    let mut shares: Vec<(String, u64, u32)> = Vec::new();
    for (name, text) in texts {
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if text.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > DIGITS_MAX {
            return Err(format!(
                "`{text}` is not a share: write a number such as 2 or 0.8, with at most {DIGITS_MAX} decimals"
            ));
        }
        let digits = format!("{whole}{fraction}").parse().map_err(|_| format!("the share `{text}` is too large"))?;
        shares.push((name, digits, fraction.len() as u32));
    }
    let decimals = shares.iter().map(|(_, _, decimals)| *decimals).max().unwrap_or(0);
    let scaled = |(_, digits, of): &(String, u64, u32)| u128::from(*digits) * 10_u128.pow(decimals - of);
    let divisor = if decimals == 0 { 1 } else { shares.iter().map(scaled).fold(0, gcd).max(1) };
    let share = |of: &(String, u64, u32)| {
        let share = scaled(of) / divisor;
        u32::try_from(share)
            .map(|share| (of.0.clone(), share))
            .map_err(|_| format!("the share of `{}` is too large", of.0))
    };
    Ok(Shares(shares.iter().map(share).collect::<Result<_, _>>()?))
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shares(value: Value) -> Result<Vec<u32>, String> {
        let shares: Result<Shares, _> = serde_json::from_value(value);
        shares.map(|shares| shares.0.into_iter().map(|(_, share)| share).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn fractions_become_whole_numbers() {
        assert_eq!(shares(json!({ "train": 0.8, "eval": 0.2 })), Ok(vec![4, 1]));
        assert_eq!(shares(json!({ "train": 0.7, "eval": 0.15, "test": 0.15 })), Ok(vec![14, 3, 3]));
        assert_eq!(shares(json!({ "train": 2, "eval": 0.5 })), Ok(vec![4, 1]));
        assert_eq!(shares(json!("0.8/0.2")), Ok(vec![4, 1]));
        // Whole numbers are buckets as they stand: the splits of rows depend on their sum.
        assert_eq!(shares(json!({ "train": 80, "eval": 20 })), Ok(vec![80, 20]));
        assert_eq!(shares(json!("80 / 20")), Ok(vec![80, 20]));
        for (value, message) in [
            (json!({ "train": -1 }), "a share, such as 2 or 0.8"),
            (json!({ "train": "much" }), "a share, such as 2 or 0.8"),
            (json!({ "train": 0.333_333_33 }), "at most 6 decimals"),
            (json!("80"), "as in `2/1` or `80/20`"),
        ] {
            let error = shares(value.clone()).unwrap_err();
            assert!(error.contains(message), "{value}: {error}");
        }
    }
}
