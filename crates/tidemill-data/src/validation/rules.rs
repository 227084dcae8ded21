//! What a schema asks of the statistics of one feature.

use tidemill_core::{
    Anomaly, AnomalyType, Domain, Feature, FeatureStatistics, FeatureType, Lifecycle, NumericStatistics, Severity,
    StringStatistics,
};

use super::text::{grouped, percent, quoted, value_list};
use super::validate::STRAY_SHARE;
use super::value::ValueRule;

/// Judges the statistics of one feature.
pub(super) struct FeatureRules<'a> {
    pub feature: &'a Feature,
    pub statistics: &'a FeatureStatistics,
    pub rule: ValueRule<'a>,
    pub found: Vec<Anomaly>,
}

/// Whether `feature` must have a value in some examples.
pub(super) fn is_required(feature: &Feature) -> bool {
    let demanded = feature.presence.min_count.is_some_and(|count| count > 0)
        || feature.presence.min_fraction.is_some_and(|fraction| fraction > 0.0);
    demanded && !is_exempt(feature)
}

/// Whether the feature's lifecycle frees it from presence checks.
fn is_exempt(feature: &Feature) -> bool {
    use Lifecycle::{Alpha, DebugOnly, Deprecated, Disabled, Planned};
    matches!(feature.lifecycle, Some(Planned | Alpha | DebugOnly | Deprecated | Disabled))
}

impl FeatureRules<'_> {
    pub fn run(mut self) -> Vec<Anomaly> {
        if !is_exempt(self.feature) {
            self.presence();
        }
        if self.statistics.common.num_non_missing > 0 && self.data_type() {
            self.value_count();
            self.unique();
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
        let presence = self.feature.presence;
        if common.num_non_missing == 0 {
            if is_required(self.feature) {
                let text = format!("all of {} examples lack a value", grouped(examples));
                self.error(AnomalyType::FeatureTypeNotPresent, "missing everywhere", &text);
            }
            return;
        }
        if let Some(floor) = presence.min_fraction {
            let share = common.present_fraction();
            if share < floor {
                let allowed =
                    if floor >= 1.0 { "none may".to_owned() } else { format!("at most {} may", percent(1.0 - floor)) };
                let text = format!(
                    "{} of {} examples ({}) lack a value, {allowed}",
                    grouped(common.num_missing),
                    grouped(examples),
                    percent(1.0 - share),
                );
                let severity = if floor - share <= STRAY_SHARE { Severity::Warning } else { Severity::Error };
                self.add(AnomalyType::FeatureTypeLowFractionPresent, severity, "missing too often", &text);
            }
        }
        if let Some(least) = presence.min_count.filter(|least| common.num_non_missing < *least) {
            let text =
                format!("{} examples have a value, at least {} must", grouped(common.num_non_missing), grouped(least));
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

    fn domain(&mut self) {
        let statistics = self.statistics;
        if let Some(numbers) = &statistics.numeric {
            self.numbers(numbers);
        }
        if let Some(text) = &statistics.string {
            if text.invalid_utf8_count > 0 {
                let message = format!("{} values are not UTF-8", grouped(text.invalid_utf8_count));
                self.error(AnomalyType::EnumTypeInvalidUtf8, "not UTF-8", &message);
            }
            match self.feature.domain {
                Some(Domain::Values(_) | Domain::Shared(_)) => self.strings(text),
                Some(Domain::Int { .. } | Domain::Float { .. }) => self.numbers_in_text(text),
                None => {}
            }
        }
    }

    fn numbers(&mut self, numbers: &NumericStatistics) {
        let values = self.statistics.common.tot_num_values;
        let finite = values.saturating_sub(numbers.num_nan + numbers.num_inf);
        if finite > 0 {
            let negative = (self.rule.min == Some(0.0)).then_some(numbers.num_negative);
            self.bounds(numbers.min, numbers.max, negative);
        }
        if self.rule.disallow_nan && numbers.num_nan > 0 {
            let text = format!("{} of {} values are NaN", grouped(numbers.num_nan), grouped(values));
            self.error(AnomalyType::FloatTypeHasNan, "NaN", &text);
        }
        if self.rule.disallow_inf && numbers.num_inf > 0 {
            let text = format!("{} of {} values are infinite", grouped(numbers.num_inf), grouped(values));
            self.error(AnomalyType::FloatTypeHasInf, "infinite", &text);
        }
    }

    fn bounds(&mut self, min: f64, max: f64, negative: Option<u64>) {
        let (small, big) = if self.rule.whole {
            (AnomalyType::IntTypeSmallInt, AnomalyType::IntTypeBigInt)
        } else {
            (AnomalyType::FloatTypeSmallFloat, AnomalyType::FloatTypeBigFloat)
        };
        let values = self.statistics.common.tot_num_values;
        if let Some(least) = self.rule.min.filter(|_| self.rule.too_small(min)) {
            let many = negative.map_or_else(String::new, |count| {
                let share = count as f64 / values.max(1) as f64;
                format!("{} of {} values ({}) are negative; ", grouped(count), grouped(values), percent(share))
            });
            let text = format!("{many}the smallest is {min}, the least allowed {least}");
            self.error(small, "below the least allowed", &text);
        }
        if let Some(most) = self.rule.max.filter(|_| self.rule.too_big(max)) {
            self.error(big, "above the most allowed", &format!("the largest is {max}, the most allowed {most}"));
        }
    }

    /// Text that must hold numbers.
    fn numbers_in_text(&mut self, text: &StringStatistics) {
        let Some(values) = &text.values else {
            return self.not_available(text, "to read them all as numbers");
        };
        let mut numbers: Vec<f64> = Vec::new();
        let mut rest: Vec<(&str, u64)> = Vec::new();
        for (value, count) in values.iter() {
            match self.rule.number_in(value) {
                Some(number) => numbers.push(number),
                None => rest.push((value, count)),
            }
        }
        if !rest.is_empty() {
            let kind =
                if self.rule.whole { AnomalyType::IntTypeNotIntString } else { AnomalyType::FloatTypeStringNotFloat };
            let count: u64 = rest.iter().map(|value| value.1).sum();
            let text = format!("{} values are not numbers: {}", grouped(count), value_list(&rest));
            self.error(kind, "not a number", &text);
        }
        if !numbers.is_empty() {
            let min = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let max = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            self.bounds(min, max, None);
        }
    }

    /// Text that must be one of the strings listed.
    fn strings(&mut self, text: &StringStatistics) {
        if self.rule.allowed.is_none() {
            return;
        }
        let total = self.statistics.common.tot_num_values;
        let tolerated = 1.0 - self.feature.min_domain_mass.unwrap_or(1.0);
        let kind = AnomalyType::EnumTypeUnexpectedStringValues;
        if let Some(values) = &text.values {
            let outside: Vec<(&str, u64)> = values.iter().filter(|(value, _)| !self.rule.allows_text(value)).collect();
            if outside.is_empty() {
                return;
            }
            let count: u64 = outside.iter().map(|value| value.1).sum();
            let share = count as f64 / total.max(1) as f64;
            let text = format!(
                "{} of {} values ({}) are not in the domain{}: {}",
                grouped(count),
                grouped(total),
                percent(share),
                allowance(tolerated),
                value_list(&outside)
            );
            let severity = unexpected_severity(share, tolerated);
            self.add(kind, severity, "unexpected values", &text);
            return;
        }
        let least = self.outside_at_least(text, total);
        let share = least as f64 / total.max(1) as f64;
        if unexpected_severity(share, tolerated) == Severity::Error {
            let text = format!(
                "at least {} of {} values ({}) are not in the domain{}; there are about {} distinct ones, for example {}",
                grouped(least),
                grouped(total),
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
            self.not_available(text, "to hold each against the domain");
        }
    }

    /// How many values certainly lie outside the domain where only the most frequent are known.
    fn outside_at_least(&self, text: &StringStatistics, total: u64) -> u64 {
        let seen: u64 =
            text.top_values.iter().filter(|top| !self.rule.allows_text(&top.value)).map(|top| top.frequency).sum();
        // A value that is not among the top ones occurs no more often than the last of them may.
        let last = text.top_values.last().map_or(total, |top| top.frequency) + text.frequency_error;
        let allowed = self.rule.allowed.as_ref().map_or(0, std::collections::HashSet::len) as u64;
        let listed: Vec<u64> = text
            .top_values
            .iter()
            .filter(|top| self.rule.allows_text(&top.value))
            .map(|top| top.frequency + text.frequency_error)
            .collect();
        let inside = listed.iter().sum::<u64>().saturating_add((allowed - listed.len() as u64).saturating_mul(last));
        seen.max(total.saturating_sub(inside))
    }

    fn not_available(&mut self, text: &StringStatistics, what: &str) {
        let text = format!("about {} distinct values are too many {what}", grouped(text.unique));
        self.add(AnomalyType::StatsNotAvailable, Severity::Warning, "not checked", &text);
    }
}

/// `, at most 1 % may be`, or nothing where none may.
pub(super) fn allowance(tolerated: f64) -> String {
    if tolerated > 0.0 { format!(", at most {} may be", percent(tolerated)) } else { String::new() }
}

/// How bad it is that `share` of the values lies outside a domain that tolerates `tolerated`.
pub(super) fn unexpected_severity(share: f64, tolerated: f64) -> Severity {
    // The guard keeps a share that equals what is tolerated on the right side of rounding.
    if share > tolerated + 1e-12 { Severity::Error } else { Severity::Warning }
}
