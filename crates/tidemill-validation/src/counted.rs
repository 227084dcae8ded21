//! What validation and distances count: examples, or the weight of examples.

use tidemill_core::{FeatureStatistics, ValueSample};

use crate::validation::grouped;

/// The counts of one feature, each example for one or for its weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub feature: &'a FeatureStatistics,
    pub by_weight: bool,
}

/// How often the texts of a feature occur, as far as it is known.
pub(crate) struct CountedTexts<'a> {
    /// Most frequent first.
    pub listed: Vec<(&'a str, f64)>,
    /// Every value is listed.
    pub all: bool,
    /// By how much a count may be too low.
    pub error: f64,
    /// A sample of the values, where they are counted by example and too many to list.
    pub sample: Option<&'a ValueSample>,
}

impl<'a> Counted<'a> {
    /// The counts of `feature`: by weight if it is asked for and there are weights.
    pub fn new(feature: &'a FeatureStatistics, by_weight: bool) -> Self {
        Self { feature, by_weight: by_weight && feature.weighted.is_some() }
    }

    fn weighted(&self) -> Option<&'a tidemill_core::WeightedStatistics> {
        self.feature.weighted.as_ref().filter(|_| self.by_weight)
    }

    /// Examples with a value.
    pub fn present(&self) -> f64 {
        self.weighted().map_or(self.feature.common.num_non_missing as f64, |weighted| weighted.num_non_missing)
    }

    /// Examples without.
    pub fn missing(&self) -> f64 {
        self.weighted().map_or(self.feature.common.num_missing as f64, |weighted| weighted.num_missing)
    }

    /// Share of examples with a value. Nothing missing is a share of one, whatever rounding says.
    pub fn present_share(&self) -> f64 {
        let (present, missing) = (self.present(), self.missing());
        if missing == 0.0 { 1.0 } else { present / (present + missing) }
    }

    /// Share of examples without a value; 0 where there are no examples.
    pub fn missing_share(&self) -> f64 {
        if self.missing() == 0.0 { 0.0 } else { 1.0 - self.present_share() }
    }

    /// Values altogether.
    pub fn values(&self) -> f64 {
        self.weighted().map_or(self.feature.common.tot_num_values as f64, |weighted| weighted.tot_num_values)
    }

    /// Mean of numbers, or share of true.
    pub fn mean(&self) -> Option<f64> {
        let numbers = match self.weighted() {
            Some(weighted) => weighted.numeric.as_ref().map(|numbers| numbers.mean),
            None => self.feature.numeric.as_ref().map(|numbers| numbers.mean),
        };
        let share = |(yes, no): (f64, f64)| if yes + no > 0.0 { yes / (yes + no) } else { 0.0 };
        numbers.or_else(|| self.booleans().map(share))
    }

    /// How often true and false occur.
    pub fn booleans(&self) -> Option<(f64, f64)> {
        match self.weighted() {
            Some(weighted) => weighted.boolean.map(|counts| (counts.num_true, counts.num_false)),
            None => self.feature.boolean.map(|counts| (counts.num_true as f64, counts.num_false as f64)),
        }
    }

    /// How often texts occur.
    pub fn texts(&self) -> Option<CountedTexts<'a>> {
        if let Some(weighted) = self.weighted() {
            let texts = weighted.string.as_ref()?;
            let top = || texts.top_values.iter().map(|top| (top.value.as_str(), top.weight)).collect();
            return Some(CountedTexts {
                listed: texts.values.as_ref().map_or_else(top, |values| values.iter().collect()),
                all: texts.values.is_some(),
                error: texts.weight_error,
                sample: None,
            });
        }
        let texts = self.feature.string.as_ref()?;
        let top = || texts.top_values.iter().map(|top| (top.value.as_str(), top.frequency as f64)).collect();
        let values = texts.values.as_ref().map(|values| values.iter().map(|(value, count)| (value, count as f64)));
        Some(CountedTexts {
            listed: values.map_or_else(top, Iterator::collect),
            all: texts.values.is_some(),
            error: texts.frequency_error as f64,
            sample: texts.sample.as_ref(),
        })
    }

    /// How often `value` occurs, if that is known.
    pub fn of(&self, value: &str) -> Option<f64> {
        if let Some((yes, no)) = self.booleans() {
            return Some(match value {
                "true" => yes,
                "false" => no,
                _ => 0.0,
            });
        }
        let texts = self.texts()?;
        let found = texts.listed.iter().find(|(known, _)| *known == value).map(|(_, count)| *count);
        found.or(texts.all.then_some(0.0))
    }

    /// `examples`, or `of the weight`.
    pub fn amount(&self, count: f64) -> String {
        if self.by_weight { format!("a weight of {}", weight(count)) } else { grouped(count as u64) }
    }
}

/// A sum of weights with as many digits as say something.
pub(crate) fn weight(sum: f64) -> String {
    if sum.fract() == 0.0 && sum.abs() < 1e15 {
        return grouped(sum as u64);
    }
    let digits = (4.0 - sum.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{sum:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
