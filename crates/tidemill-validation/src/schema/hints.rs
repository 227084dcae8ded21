//! What values seem to be to a person: offered when a schema is inferred, never imposed.

use std::collections::BTreeMap;

use serde::Serialize;
use tidemill_core::{DatasetStatistics, FeatureStatistics, Semantic, StringStatistics};

/// Nothing is offered from fewer values than this.
const VALUES_MIN: u64 = 20;
/// Share of the values looked at that must have the form.
const FORM_SHARE: f64 = 0.95;
/// Share of values that occur once, above which they name things.
const UNIQUE_SHARE: f64 = 0.99;
/// Mean length in characters from which text with spaces is prose.
const PROSE_LENGTH: f64 = 30.0;

/// What the values of a feature seem to be, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Offer {
    /// What to write at `semantic:`, if it is right.
    pub semantic: Semantic,
    /// What speaks for it.
    pub reason: String,
}

/// What the features of `datasets` seem to be, where that is clear.
///
/// * `url`, `email`: at least 95 % of the values known have the form.
/// * `free_text`: text of at least 30 characters on average, most values with a space, more than half of them distinct;
///   or what the statistics take for running text, more than a tenth of it distinct.
/// * `identifier`: at least 99 % of the values are distinct (text or whole numbers), and there are at least 20.
///
/// Values known are all of them up to 10,000 distinct ones, the most frequent ones beyond.
pub fn semantic_offers(datasets: &[&DatasetStatistics]) -> BTreeMap<String, Offer> {
    let mut offers = BTreeMap::new();
    for dataset in datasets {
        for feature in &dataset.features {
            if !offers.contains_key(&feature.name)
                && let Some(offer) = offer(feature)
            {
                offers.insert(feature.name.clone(), offer);
            }
        }
    }
    offers
}

/// What one feature seems to be.
pub(crate) fn offer(feature: &FeatureStatistics) -> Option<Offer> {
    let values = feature.common.tot_num_values;
    if values < VALUES_MIN {
        return None;
    }
    if let Some(text) = &feature.string {
        // A category may read like words and be a name all the same: text that repeats so much is not free.
        let free = text.unique as f64 / values as f64 > 0.1;
        let prose = feature.language.as_ref().filter(|language| language.is_text && free);
        return of_text(text, values).or_else(|| {
            let share = prose?.sentence_share * 100.0;
            Some(Offer { semantic: Semantic::FreeText, reason: format!("{share:.0} % look like running text") })
        });
    }
    // Whole numbers that never repeat; a float never repeats either, and names nothing.
    let numbers = feature.numeric.as_ref().filter(|_| feature.feature_type == tidemill_core::FeatureType::Int)?;
    let distinct = numbers.distinct?;
    identifier(distinct, values)
}

fn of_text(text: &StringStatistics, values: u64) -> Option<Offer> {
    let known: Vec<(&str, u64)> = match &text.values {
        Some(values) => values.iter().collect(),
        None => text.top_values.iter().map(|top| (top.value.as_str(), top.frequency)).collect(),
    };
    let total: u64 = known.iter().map(|(_, count)| count).sum();
    let share = |has: fn(&str) -> bool| {
        let having: u64 = known.iter().filter(|(value, _)| has(value)).map(|(_, count)| count).sum();
        having as f64 / total.max(1) as f64
    };
    for (semantic, has) in [(Semantic::Url, is_url as fn(&str) -> bool), (Semantic::Email, is_email)] {
        let found = share(has);
        if found >= FORM_SHARE {
            let reason = format!("{:.0} % of the values have the form", found * 100.0);
            return Some(Offer { semantic, reason });
        }
    }
    let distinct = text.unique as f64 / values as f64;
    let spaced = share(|value| value.trim().contains(' '));
    if text.avg_length >= PROSE_LENGTH && spaced > 0.5 && distinct > 0.5 {
        let reason = format!("{:.0} characters on average, {:.0} % with spaces", text.avg_length, spaced * 100.0);
        return Some(Offer { semantic: Semantic::FreeText, reason });
    }
    identifier(text.unique.min(values), values)
}

fn identifier(distinct: u64, values: u64) -> Option<Offer> {
    let share = distinct as f64 / values as f64;
    let reason = format!("{distinct} distinct values of {values}");
    (share >= UNIQUE_SHARE).then_some(Offer { semantic: Semantic::Identifier, reason })
}

/// `scheme://host…`, without spaces.
fn is_url(value: &str) -> bool {
    let value = value.trim();
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https" | "ftp" | "s3" | "gs")
        && !host.is_empty()
        && !value.contains(char::is_whitespace)
}

/// `name@host.tld`, without spaces.
fn is_email(value: &str) -> bool {
    let Some((name, host)) = value.trim().split_once('@') else { return false };
    let labels: Vec<&str> = host.split('.').collect();
    let plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '@' || c == ',');
    plain(name) && labels.len() > 1 && labels.iter().all(|label| plain(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        for value in ["https://example.com/a?b=c", "http://x", " ftp://a/b "] {
            assert!(is_url(value) && !is_email(value), "{value}");
        }
        for value in ["a.b@example.com", "x+y@mail.example.co"] {
            assert!(is_email(value) && !is_url(value), "{value}");
        }
        for value in ["", "@", "a@b", "a@@b.c", "a b@c.d", "https://", "://x", "mailto:a@b c.d", "a@.c", "http//x"] {
            assert!(!is_url(value) && !is_email(value), "{value}");
        }
    }
}
