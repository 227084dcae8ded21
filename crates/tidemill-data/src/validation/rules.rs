//! What a schema asks of the statistics of one feature.

use std::collections::HashMap;

use tidemill_core::{
    Anomaly, AnomalyType, Bounds, BytesStatistics, Domain, Feature, FeatureStatistics, FeatureType, NumericStatistics,
    Severity, StringStatistics, ValueRule,
};

use super::tally::{Found, TextTally, allowance, bounds, tolerated, unexpected_severity};
use super::text::{grouped, percent, quoted, value_list};
use super::validate::STRAY_SHARE;
use crate::counted::{Counted, CountedTexts, weight};

/// Judges the statistics of one feature.
pub(super) struct FeatureRules<'a> {
    pub feature: &'a Feature,
    pub statistics: &'a FeatureStatistics,
    pub counted: Counted<'a>,
    pub rule: ValueRule,
    pub found: Vec<Anomaly>,
}

impl FeatureRules<'_> {
    pub fn run(mut self) -> Vec<Anomaly> {
        if !self.feature.is_exempt() {
            self.presence();
            self.shape();
        }
        if self.counted.present() > 0.0 && self.data_type() {
            self.value_count();
            self.unique();
            self.balance();
            self.domain();
        }
        self.found
    }

    fn add(&mut self, anomaly_type: AnomalyType, severity: Severity, short: &str, description: &str) {
        self.found.push(Anomaly {
            feature: self.statistics.name.clone(),
            anomaly_type,
            severity,
            short_description: short.to_owned(),
            description: format!("`{}`: {description}", self.statistics.name),
            evidence: Vec::new(),
        });
    }

    fn error(&mut self, anomaly_type: AnomalyType, short: &str, description: &str) {
        self.add(anomaly_type, Severity::Error, short, description);
    }

    fn presence(&mut self) {
        let common = self.statistics.common;
        let examples = common.num_examples();
        if examples == 0 {
            return;
        }
        let (presence, counted) = (self.feature.presence, self.counted);
        if counted.present() == 0.0 {
            if self.feature.is_required() {
                let weighing = if common.num_non_missing > 0 { " that have a weight" } else { "" };
                let text = format!("all of {} examples{weighing} lack a value", grouped(examples));
                self.error(AnomalyType::FeatureTypeNotPresent, "missing everywhere", &text);
            }
            return;
        }
        if let Some(floor) = presence.min_fraction {
            let share = counted.present_share();
            // A weight can be too small for the share to show it.
            if share < floor || (floor >= 1.0 && counted.missing() > 0.0) {
                let allowed =
                    if floor >= 1.0 { "none may".to_owned() } else { format!("at most {} may", percent(1.0 - floor)) };
                let text = format!(
                    "{} of {} examples ({}{}) lack a value, {allowed}",
                    grouped(common.num_missing),
                    grouped(examples),
                    percent(1.0 - share),
                    if counted.by_weight { " of the weight" } else { "" },
                );
                let severity = if floor - share <= STRAY_SHARE { Severity::Warning } else { Severity::Error };
                self.add(AnomalyType::FeatureTypeLowFractionPresent, severity, "missing too often", &text);
            }
        }
        if let Some(least) = presence.min_count.filter(|least| counted.present() < *least as f64) {
            let have = if counted.by_weight { "has" } else { "examples have" };
            let text =
                format!("{} {have} a value, at least {} must", counted.amount(counted.present()), grouped(least));
            self.error(AnomalyType::FeatureTypeLowNumberPresent, "too few values", &text);
        }
    }

    /// Whether the type is right, so that the values can be judged.
    fn data_type(&mut self) -> bool {
        let (expected, found) = (self.feature.feature_type, self.statistics.feature_type);
        // Whole numbers are numbers; a file in which every fare is whole is no other column.
        if expected == found || (expected == FeatureType::Float && found == FeatureType::Int) {
            return true;
        }
        let mut text = format!("the values are `{found}`, the schema says `{expected}`");
        if matches!(expected, FeatureType::Int | FeatureType::Float)
            && let Some(values) = self.statistics.string.as_ref().and_then(|text| text.values.as_ref())
        {
            let rest: Vec<(&str, u64)> =
                values.iter().filter(|(value, _)| self.rule.number_in(value).is_none()).collect();
            if !rest.is_empty() {
                text = format!("{text}; not numbers: {}", value_list(&rest));
            }
        }
        self.error(AnomalyType::UnexpectedDataType, "another type", &text);
        false
    }

    fn unique(&mut self) {
        let Some(allowed) = self.feature.unique else { return };
        let Some(text) = &self.statistics.string else {
            return self.error(
                AnomalyType::FeatureTypeNoUnique,
                "not counted",
                "distinct values are counted for text only",
            );
        };
        let found = format!("{}{}", if text.unique_is_estimate { "about " } else { "" }, grouped(text.unique));
        if let Some(least) = allowed.min.filter(|least| text.unique < *least) {
            let text = format!("{found} distinct values, at least {} are expected", grouped(least));
            self.error(AnomalyType::FeatureTypeLowUnique, "too few distinct values", &text);
        } else if let Some(most) = allowed.max.filter(|most| text.unique > *most) {
            let text = format!("{found} distinct values, at most {} are expected", grouped(most));
            self.error(AnomalyType::FeatureTypeHighUnique, "too many distinct values", &text);
        }
    }

    fn value_count(&mut self) {
        let Some(count) = self.feature.value_count else { return };
        let common = self.statistics.common;
        if let Some(least) = count.min.filter(|least| common.min_num_values < *least) {
            let text = format!("an example has {} values, at least {least} are asked for", common.min_num_values);
            self.error(AnomalyType::FeatureTypeLowNumberValues, "too few values in an example", &text);
        }
        if let Some(most) = count.max.filter(|most| common.max_num_values > *most) {
            let text = format!("an example has {} values, at most {most} are allowed", common.max_num_values);
            self.error(AnomalyType::FeatureTypeHighNumberValues, "too many values in an example", &text);
        }
    }

    /// A fixed shape: every example has all of its values.
    fn shape(&mut self) {
        let Some(shape) = &self.feature.shape else { return };
        let common = self.statistics.common;
        let expected: u64 = shape.iter().product();
        let (min, max) = (common.min_num_values, common.max_num_values);
        let text = if common.num_missing > 0 {
            format!("{} examples lack a value, a shape of {expected} needs all", grouped(common.num_missing))
        } else if common.num_non_missing > 0 && (min != expected || max != expected) {
            format!("examples have {min} to {max} values, the shape asks for {expected}")
        } else {
            return;
        };
        self.error(AnomalyType::InvalidFeatureShape, "another shape", &text);
    }

    /// Bounds on the mean and on the share of single values.
    fn balance(&mut self) {
        let (feature, counted) = (self.feature, self.counted);
        let weighted = if counted.by_weight { "weighted " } else { "" };
        if let Some(bounds) = feature.mean
            && let Some(mean) = counted.mean()
            && let Some(said) = outside(bounds, mean)
        {
            self.error(AnomalyType::CustomValidation, "mean", &format!("the {weighted}mean is {mean}, {said}"));
        }
        for (value, bounds) in &feature.shares {
            let Some(count) = counted.of(value) else {
                let text = format!("too many distinct values to know how often {} occurs", quoted(value));
                self.add(AnomalyType::StatsNotAvailable, Severity::Warning, "not checked", &text);
                continue;
            };
            let share = if counted.values() > 0.0 { count / counted.values() } else { 0.0 };
            if let Some(said) = outside(*bounds, share) {
                let text = format!("the {weighted}share of {} is {share:.4}, {said}", quoted(value));
                self.error(AnomalyType::CustomValidation, "share of a value", &text);
            }
        }
    }

    fn domain(&mut self) {
        let statistics = self.statistics;
        if let Some(numbers) = &statistics.numeric {
            self.numbers(numbers);
        }
        if let (Some(Domain::Image { min_supported_fraction, max_bytes }), Some(bytes)) =
            (&self.feature.domain, &statistics.bytes)
        {
            self.images(bytes, *min_supported_fraction, *max_bytes);
        }
        if let Some(text) = &statistics.string {
            if text.invalid_utf8_count > 0 {
                let message = format!("{} values are not UTF-8", grouped(text.invalid_utf8_count));
                self.error(AnomalyType::EnumTypeInvalidUtf8, "not UTF-8", &message);
            }
            if self.rule.judges_text() {
                self.texts(text);
            }
        }
    }

    /// Bytes that must be pictures.
    fn images(&mut self, bytes: &BytesStatistics, min_supported: Option<f64>, max_bytes: Option<u64>) {
        let values = self.statistics.common.tot_num_values;
        let readable =
            bytes.images.as_ref().map_or(0, |images| images.num_images.saturating_sub(images.num_unreadable));
        let share = readable as f64 / values.max(1) as f64;
        if let Some(least) = min_supported.filter(|least| share < *least) {
            let text = format!(
                "{} of {} values ({}) are pictures of a known format, at least {} must be",
                grouped(readable),
                grouped(values),
                percent(share),
                percent(least)
            );
            self.error(AnomalyType::LowSupportedImageFraction, "too few pictures", &text);
        }
        if let Some(most) = max_bytes.filter(|most| bytes.max_num_bytes > *most) {
            let text = format!(
                "the largest has {} bytes, at most {} are allowed",
                grouped(bytes.max_num_bytes),
                grouped(most)
            );
            self.error(AnomalyType::MaxImageByteSizeExceeded, "too many bytes", &text);
        }
    }

    fn take(&mut self, found: Vec<Found>) {
        self.found.extend(found.into_iter().map(|found| found.of(&self.statistics.name)));
    }

    fn numbers(&mut self, numbers: &NumericStatistics) {
        let values = self.statistics.common.tot_num_values;
        let finite = values.saturating_sub(numbers.num_nan + numbers.num_inf);
        if self.rule.is_of_bools() {
            return self.zero_or_one(numbers, finite);
        }
        if finite > 0 {
            let negative = Some((numbers.num_negative, values));
            self.take(bounds(&self.rule, numbers.min, numbers.max, negative));
        }
        if self.rule.disallows_nan() && numbers.num_nan > 0 {
            let text = format!("{} of {} values are NaN", grouped(numbers.num_nan), grouped(values));
            self.error(AnomalyType::FloatTypeHasNan, "NaN", &text);
        }
        if self.rule.disallows_inf() && numbers.num_inf > 0 {
            let text = format!("{} of {} values are infinite", grouped(numbers.num_inf), grouped(values));
            self.error(AnomalyType::FloatTypeHasInf, "infinite", &text);
        }
    }

    /// Numbers that stand for true and false.
    fn zero_or_one(&mut self, numbers: &NumericStatistics, finite: u64) {
        let within = |x: f64| x == 0.0 || x == 1.0;
        if self.statistics.feature_type == FeatureType::Float {
            // Two values, both extremes being 0 or 1, leave nothing between them.
            let between = numbers.distinct.is_none_or(|distinct| distinct > 2);
            let odd = finite > 0 && (!within(numbers.min) || !within(numbers.max) || between);
            if odd || numbers.num_nan + numbers.num_inf > 0 {
                let text = format!(
                    "values from {} to {}{}, only 0 and 1 are expected",
                    numbers.min,
                    numbers.max,
                    if numbers.num_nan > 0 { " and NaN" } else { "" }
                );
                self.error(AnomalyType::BoolTypeUnexpectedFloat, "neither true nor false", &text);
            }
            return;
        }
        if finite > 0 && numbers.min < 0.0 {
            let text = format!("the smallest is {}, only 0 and 1 are expected", numbers.min);
            self.error(AnomalyType::BoolTypeSmallInt, "below 0", &text);
        }
        if finite > 0 && numbers.max > 1.0 {
            let text = format!("the largest is {}, only 0 and 1 are expected", numbers.max);
            self.error(AnomalyType::BoolTypeBigInt, "above 1", &text);
        }
    }

    /// Text that must lie in a domain.
    fn texts(&mut self, text: &StringStatistics) {
        let Some(counted) = self.counted.texts() else { return };
        if let Some(values) = text.values.as_ref().filter(|_| counted.all) {
            let weights: HashMap<&str, f64> = counted.listed.into_iter().collect();
            let mut tally = TextTally::new(self.feature, &self.rule, self.counted.by_weight);
            let weight = |value: &str| weights.get(value).copied().unwrap_or(0.0);
            values.iter().for_each(|(value, count)| tally.add(value, count, weight(value)));
            let found = tally.found();
            return self.take(found);
        }
        let tolerated = tolerated(self.feature);
        let total = self.counted.values();
        let least = self.rule.listed().map_or(0.0, |listed| self.outside_at_least(&counted, listed, total));
        let share = if total > 0.0 { least / total } else { 0.0 };
        if least > 0.0 && unexpected_severity(share, tolerated) == Severity::Error {
            let kind = if self.rule.is_of_bools() {
                AnomalyType::BoolTypeUnexpectedString
            } else {
                AnomalyType::EnumTypeUnexpectedStringValues
            };
            let text = format!(
                "at least {} of {} values ({}) are not in the domain{}; there are about {} distinct ones, for example {}",
                self.counted.amount(least),
                weight(total),
                percent(share),
                allowance(tolerated),
                grouped(text.unique),
                text.top_values
                    .iter()
                    .find(|top| !self.rule.allows_text(&top.value))
                    .map_or_else(|| "rare ones".to_owned(), |top| quoted(&top.value)),
            );
            self.error(kind, "unexpected values", &text);
        } else {
            let what = if self.rule.is_of_numbers() {
                "to read them all as numbers"
            } else {
                "to hold each against the domain"
            };
            let text = format!("about {} distinct values are too many {what}", grouped(text.unique));
            self.add(AnomalyType::StatsNotAvailable, Severity::Warning, "not checked", &text);
        }
    }

    /// How many values certainly lie outside the domain where only the most frequent are known.
    fn outside_at_least(&self, texts: &CountedTexts<'_>, allowed: usize, total: f64) -> f64 {
        let (inside, outside): (Vec<_>, Vec<_>) =
            texts.listed.iter().copied().partition(|(value, _)| self.rule.allows_text(value));
        let seen: f64 = outside.iter().map(|(_, count)| count).sum();
        // A value that is not among the top ones occurs no more often than the last of them may.
        let last = texts.listed.last().map_or(total, |(_, count)| *count) + texts.error;
        let known: f64 = inside.iter().map(|(_, count)| count + texts.error).sum();
        seen.max(total - known - allowed.saturating_sub(inside.len()) as f64 * last)
    }
}

/// What is expected, where `number` lies outside.
fn outside(bounds: Bounds, number: f64) -> Option<String> {
    let below = bounds.min.filter(|min| number < *min).map(|min| format!("at least {min} is expected"));
    below.or_else(|| bounds.max.filter(|max| number > *max).map(|max| format!("at most {max} is expected")))
}
