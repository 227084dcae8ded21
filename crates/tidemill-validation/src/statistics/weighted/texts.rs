//! Weighted texts.

use std::collections::HashMap;

use tidemill_core::{ValueMap, ValueWeight, WeightedStringStatistics};

use crate::statistics::state::{Input, StateError, Stored, text};
use crate::statistics::text::TOP_VALUES;

/// Texts that are weighed one by one, and the bytes of the longest.
const TEXTS_MAX: usize = 8192;
const TEXT_BYTES_MAX: usize = 256;

/// Accumulates the weight of texts: exact to 8,192 different ones of at most 256 bytes.
///
/// Beyond, all are lightened by the weight of the middle one and those left with nothing are dropped (Misra and
/// Gries, 1982); what is listed is then too low by at most the sum of these, which is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct WeightedTexts {
    weights: HashMap<String, f64>,
    error: f64,
    /// Some text was too long to be weighed.
    passed_over: bool,
}

impl WeightedTexts {
    pub fn add(&mut self, text: &str, weight: f64) {
        if weight <= 0.0 {
            return;
        }
        if text.len() > TEXT_BYTES_MAX {
            self.passed_over = true;
            return;
        }
        if let Some(so_far) = self.weights.get_mut(text) {
            *so_far += weight;
            return;
        }
        self.weights.insert(text.to_owned(), weight);
        if self.weights.len() > TEXTS_MAX {
            self.lighten();
        }
    }

    fn lighten(&mut self) {
        let mut weights: Vec<f64> = self.weights.values().copied().collect();
        let half = weights.len() / 2;
        let (_, middle, _) = weights.select_nth_unstable_by(half, f64::total_cmp);
        let middle = *middle;
        self.weights.retain(|_, weight| {
            *weight -= middle;
            *weight > 0.0
        });
        self.error += middle;
    }

    /// Takes in what another accumulator has seen.
    pub fn merge(&mut self, other: &Self) {
        self.error += other.error;
        self.passed_over |= other.passed_over;
        for (text, weight) in other.ranked() {
            self.add(text, weight);
        }
    }

    fn ranked(&self) -> Vec<(&str, f64)> {
        let mut ranked: Vec<(&str, f64)> = self.weights.iter().map(|(text, weight)| (text.as_str(), *weight)).collect();
        ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(a.0)));
        ranked
    }

    pub fn finish(&self) -> WeightedStringStatistics {
        let listed = |(value, weight): &(&str, f64)| ValueWeight { value: (*value).to_owned(), weight: *weight };
        let ranked = self.ranked();
        let exact = self.error == 0.0 && !self.passed_over;
        WeightedStringStatistics {
            top_values: ranked.iter().take(TOP_VALUES).map(listed).collect(),
            weight_error: self.error,
            values: exact
                .then(|| ValueMap::new(ranked.into_iter().map(|(value, weight)| (value.to_owned(), weight)).collect())),
        }
    }
}

/// The error, and the texts with their weights, heaviest first.
impl Stored for WeightedTexts {
    fn store(&self, out: &mut Vec<u8>) {
        self.error.store(out);
        self.passed_over.store(out);
        self.weights.len().store(out);
        for (value, weight) in self.ranked() {
            text(value, out);
            weight.store(out);
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let (error, passed_over) = <(f64, bool)>::load(input)?;
        let length = input.length()?;
        let mut weights = HashMap::new();
        for _ in 0..length {
            let (text, weight) = <(String, f64)>::load(input)?;
            input.expect(weight.is_finite() && weight > 0.0, "a weight is out of order")?;
            weights.insert(text, weight);
        }
        let sound = error >= 0.0 && weights.len() == length && length <= TEXTS_MAX;
        input.expect(sound, "weights of texts are out of order")?;
        Ok(Self { weights, error, passed_over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_texts_survive_any_number_of_light_ones() {
        let mut texts = WeightedTexts::default();
        for i in 0..100_000 {
            texts.add(&format!("light {i}"), 1.0);
            texts.add("heavy", 0.5);
        }
        let found = texts.finish();
        let top = &found.top_values[0];
        assert_eq!(top.value, "heavy");
        assert!(
            top.weight <= 50_000.0 && top.weight + found.weight_error >= 50_000.0,
            "{top:?} {}",
            found.weight_error
        );
        assert!(found.weight_error < 150_000.0 * 2.0 / TEXTS_MAX as f64 * 1.1);
    }
}
