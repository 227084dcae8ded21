//! Statistics that another program computed, under names of its own.

use serde::{Deserialize, Serialize};

use super::{Histogram, RankBucket};

/// A statistic that is kept as it was read: what a generator of TFDV added, or somebody's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomStatistic {
    /// What its maker calls it.
    pub name: String,
    /// What it says.
    #[serde(flatten)]
    pub value: CustomValue,
}

/// The forms that a custom statistic has in TFDV.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomValue {
    /// A finite number.
    Number(f64),
    /// A text; also a number that JSON cannot hold, as `NaN`.
    Text(String),
    /// Counts in buckets.
    Histogram(Histogram),
    /// Counts of values by rank.
    Ranks(Vec<RankBucket>),
    /// A message of any type: its name, and its bytes in hexadecimal.
    Message {
        /// The type's URL.
        type_url: String,
        /// Two digits a byte.
        hex: String,
    },
}

impl CustomStatistic {
    /// The number it is, or the counts of its ranks together.
    pub fn amount(&self) -> Option<f64> {
        match &self.value {
            CustomValue::Number(number) => Some(*number),
            CustomValue::Ranks(ranks) => Some(ranks.iter().map(|rank| rank.count).sum()),
            _ => None,
        }
    }

    /// What it says on one line.
    pub fn in_words(&self) -> String {
        match &self.value {
            CustomValue::Number(number) => number.to_string(),
            CustomValue::Text(text) => text.clone(),
            CustomValue::Histogram(histogram) => match (histogram.buckets.first(), histogram.buckets.last()) {
                (Some(first), Some(last)) => {
                    format!("{} to {} in {} buckets", first.low, last.high, histogram.buckets.len())
                }
                _ => "an empty histogram".to_owned(),
            },
            CustomValue::Ranks(ranks) => {
                let shown: Vec<String> =
                    ranks.iter().take(3).map(|rank| format!("{} {}", rank.label, rank.count)).collect();
                let more = if ranks.len() > shown.len() {
                    format!(" and {} more", ranks.len() - shown.len())
                } else {
                    String::new()
                };
                format!("{}{more}", shown.join(", "))
            }
            CustomValue::Message { type_url, hex } => format!("{} bytes of `{type_url}`", hex.len() / 2),
        }
    }
}
