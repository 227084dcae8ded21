//! What a schema asks of the statistics of one feature.

use std::collections::HashMap;

use tidemill_core::{
    Anomaly, AnomalyType, Bounds, Bucket, BytesStatistics, Domain, Feature, FeatureStatistics, FeatureType,
    LevelStatistics, Lifecycle, NumericStatistics, Severity, StringStatistics, ValueRule,
};

use super::tally::{Found, TextTally, allowance, bounds, tolerated, unexpected_severity};
use super::text::{percent, quoted, value_list};
use super::validate::STRAY_SHARE;
use crate::counted::{Counted, CountedTexts, weight};
use tidemill_core::grouped;

/// Two to the power of 63: no whole number of 64 bits is larger.
const WHOLE_MAX: f64 = 9_223_372_036_854_775_808.0;

/// The custom statistic of a feature that a validator derived, with the name of the deriver.
pub(crate) const DERIVED_SOURCE: &str = "validation_derived_source";

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
        self.derived();
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

    /// A feature that validation made itself must say so in the schema.
    fn derived(&mut self) {
        let is_derived = self.statistics.custom.iter().any(|custom| custom.name == DERIVED_SOURCE);
        match &self.feature.derived_by {
            None if is_derived => {
                let text = "the feature is derived, and the schema does not say with what (`derived_by`)";
                self.error(AnomalyType::DerivedFeatureInvalidSource, "derived, and not said so", text);
            }
            Some(_) if self.feature.lifecycle != Some(Lifecycle::ValidationDerived) && !self.feature.is_exempt() => {
                let text = "a derived feature has the lifecycle `validation_derived`";
                self.error(AnomalyType::DerivedFeatureBadLifecycle, "another lifecycle", text);
            }
            _ => {}
        }
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
                let tolerance = presence.tolerance.unwrap_or(STRAY_SHARE);
                let severity = if floor - share <= tolerance + 1e-12 { Severity::Warning } else { Severity::Error };
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
        let spelt_bools = expected == FeatureType::Bool && found == FeatureType::String && self.has_spelt_bools();
        // Bytes of which none is known not to be text are text to those that have one type for both.
        let text_as_bytes = expected == FeatureType::String
            && found == FeatureType::Bytes
            && self.statistics.bytes.as_ref().is_none_or(|bytes| bytes.invalid_utf8_count == 0);
        if text_as_bytes && self.rule.judges_text() {
            let text = format!("the values are `bytes`, of which a {} cannot be judged", self.rule);
            self.error(AnomalyType::DomainInvalidForType, "bytes with a domain of text", &text);
        }
        // Text is bytes too.
        let bytes_as_text = expected == FeatureType::Bytes && found == FeatureType::String;
        if spelt_bools || text_as_bytes || bytes_as_text {
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
        let statistics = self.statistics;
        let text = statistics.string.as_ref().map(|text| (text.unique, text.unique_is_estimate));
        let bytes = statistics.bytes.as_ref().map(|bytes| (bytes.unique, bytes.unique_is_estimate));
        let numbers = statistics.numeric.as_ref().and_then(|numbers| Some((numbers.distinct?, false)));
        let Some((unique, is_estimate)) = text.or(bytes).or(numbers) else {
            return self.error(
                AnomalyType::FeatureTypeNoUnique,
                "not counted",
                "the distinct values are not counted, so `unique` cannot be judged",
            );
        };
        let found = format!("{}{}", if is_estimate { "about " } else { "" }, grouped(unique));
        if let Some(least) = allowed.min.filter(|least| unique < *least) {
            let text = format!("{found} distinct values, at least {} are expected", grouped(least));
            self.error(AnomalyType::FeatureTypeLowUnique, "too few distinct values", &text);
        } else if let Some(most) = allowed.max.filter(|most| unique > *most) {
            let text = format!("{found} distinct values, at most {} are expected", grouped(most));
            self.error(AnomalyType::FeatureTypeHighUnique, "too many distinct values", &text);
        }
    }

    fn value_count(&mut self) {
        self.value_counts();
        let Some(count) = self.feature.value_count else { return };
        let common = self.statistics.common;
        let levels = self.statistics.levels.len();
        if levels > 1 {
            let text =
                format!("the values are nested {levels} times, `value_count` is of one level; use `value_counts`");
            return self.error(AnomalyType::ValueNestednessMismatch, "another nesting", &text);
        }
        if let Some(least) = count.min.filter(|least| common.min_num_values < *least) {
            let text = format!("an example has {} values, at least {least} are asked for", common.min_num_values);
            self.error(AnomalyType::FeatureTypeLowNumberValues, "too few values in an example", &text);
        }
        if let Some(most) = count.max.filter(|most| common.max_num_values > *most) {
            let text = format!("an example has {} values, at most {most} are allowed", common.max_num_values);
            self.error(AnomalyType::FeatureTypeHighNumberValues, "too many values in an example", &text);
        }
    }

    /// How many values each level of nesting has.
    fn value_counts(&mut self) {
        let (counts, levels) = (&self.feature.value_counts, &self.statistics.levels);
        if counts.is_empty() {
            return;
        }
        if counts.len() != levels.len().max(1) {
            let text = format!(
                "the values are nested {} times, `value_counts` has {} levels",
                levels.len().max(1),
                counts.len()
            );
            return self.error(AnomalyType::ValueNestednessMismatch, "another nesting", &text);
        }
        for (level, (count, found)) in counts.iter().zip(levels).enumerate() {
            if let Some(least) = count.min.filter(|least| found.min_num_values < *least) {
                let text = format!(
                    "a list of level {level} has {} values, at least {least} are asked for",
                    found.min_num_values
                );
                self.error(AnomalyType::FeatureTypeLowNumberValues, "too few values in a list", &text);
            }
            if let Some(most) = count.max.filter(|most| found.max_num_values > *most) {
                let text =
                    format!("a list of level {level} has {} values, at most {most} are allowed", found.max_num_values);
                self.error(AnomalyType::FeatureTypeHighNumberValues, "too many values in a list", &text);
            }
        }
    }

    /// A fixed shape: every example has all of its values, at every level of nesting.
    fn shape(&mut self) {
        let Some(shape) = &self.feature.shape else { return };
        let common = self.statistics.common;
        let expected: u64 = shape.iter().product();
        let levels = &self.statistics.levels;
        let (min, max) = if levels.is_empty() {
            (common.min_num_values, common.max_num_values)
        } else {
            let product = |of: fn(&LevelStatistics) -> u64| levels.iter().map(of).fold(1u64, u64::saturating_mul);
            (product(|level| level.min_num_values), product(|level| level.max_num_values))
        };
        let text = if common.num_missing > 0 {
            format!("{} examples lack a value, a shape of {expected} needs all", grouped(common.num_missing))
        } else if let Some(level) = levels.iter().position(|level| level.num_missing > 0) {
            format!("lists of level {level} are missing, a shape of {expected} needs all")
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
                return;
            }
            if self.feature.feature_type == FeatureType::Int && self.rule.is_of_numbers() {
                self.categories(text);
            } else if self.feature.feature_type == FeatureType::Bool {
                self.spelt_bools(text);
            } else if self.rule.judges_text() {
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
        let beyond = numbers.min < -WHOLE_MAX || numbers.max > WHOLE_MAX;
        if finite > 0 && self.rule.whole() && beyond && self.rule.min().or(self.rule.max()).is_some() {
            let text = format!("values from {} to {} are no whole numbers of 64 bits", numbers.min, numbers.max);
            self.error(AnomalyType::DomainInvalidForType, "not a whole number", &text);
        } else if finite > 0 {
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
            let inside = |bucket: &Bucket| bucket.count > 0.0 && bucket.low > 0.0 && bucket.high < 1.0;
            let between = match numbers.distinct {
                Some(distinct) => distinct > 2,
                // Nothing else is known of other tools' numbers.
                None => numbers.quantiles.buckets.iter().any(inside),
            };
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

    /// Whole numbers that statistics count as categories, as text.
    fn categories(&mut self, text: &StringStatistics) {
        let mut extremes: Option<(f64, f64)> = None;
        for value in known_values(text) {
            let Ok(number) = value.parse::<i64>() else {
                if self.rule.min().or(self.rule.max()).is_some() {
                    let text =
                        format!("{} is no whole number of 64 bits, so its bounds cannot be judged", quoted(value));
                    self.error(AnomalyType::DomainInvalidForType, "not a whole number", &text);
                }
                return;
            };
            let (min, max) = extremes.unwrap_or((number as f64, number as f64));
            extremes = Some((min.min(number as f64), max.max(number as f64)));
        }
        if let Some((min, max)) = extremes {
            self.take(bounds(&self.rule, min, max, None));
        }
    }

    /// Whether text is a boolean spelt out, at least in part.
    fn has_spelt_bools(&self) -> bool {
        self.statistics.string.as_ref().is_some_and(|text| known_values(text).any(is_spelt_bool))
    }

    /// Booleans spelt out in text: everything else is unexpected.
    fn spelt_bools(&mut self, text: &StringStatistics) {
        if let Some(other) = known_values(text).find(|value| !is_spelt_bool(value)) {
            let text = format!("{} is neither true nor false", quoted(other));
            self.error(AnomalyType::BoolTypeUnexpectedString, "neither true nor false", &text);
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
        if self.rule.listed().is_none() {
            // Those that are known are judged one by one; the others are not known.
            let mut tally = TextTally::new(self.feature, &self.rule, false);
            text.top_values.iter().for_each(|top| tally.add(&top.value, top.frequency.max(1), 0.0));
            let found = tally.found();
            self.take(found);
        }
        let tolerated = tolerated(self.feature);
        let total = self.counted.values();
        let least = self.rule.listed().map_or(0.0, |listed| self.outside_at_least(&counted, listed, total));
        // Where nothing may lie outside, a value that does is one too many, whatever its count.
        let stray =
            text.top_values.iter().any(|top| self.rule.listed().is_some() && !self.rule.allows_text(&top.value));
        let least = if stray { least.max(1.0) } else { least };
        let share = if total > 0.0 { least / total } else { f64::from(u8::from(stray)) };
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

/// The values that statistics list.
fn known_values(text: &StringStatistics) -> impl Iterator<Item = &str> {
    let all = text.values.iter().flat_map(|values| values.iter().map(|(value, _)| value));
    let top = text.values.is_none().then_some(&text.top_values).into_iter().flatten();
    all.chain(top.map(|top| top.value.as_str()))
}

fn is_spelt_bool(value: &str) -> bool {
    value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
}

/// What is expected, where `number` lies outside.
fn outside(bounds: Bounds, number: f64) -> Option<String> {
    let below = bounds.min.filter(|min| number < *min).map(|min| format!("at least {min} is expected"));
    below.or_else(|| bounds.max.filter(|max| number > *max).map(|max| format!("at most {max} is expected")))
}
