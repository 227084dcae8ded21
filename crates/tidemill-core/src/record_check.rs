//! One record against a schema, by the rules that whole datasets are held against.

use std::collections::HashMap;
use std::fmt;

use crate::value_rule::{FeatureValue, ValueRule, Violation};
use crate::{AnomalyType, Feature, Schema, Severity, ValueCount, shortened};

/// A schema made ready to judge single records: a request, a row. Cheap to share, nothing is allocated for a record that is fine.
///
/// What takes many records to tell is left to the validation of datasets: shares of missing or unexpected values, counts,
/// distances. So a value outside a domain that tolerates some (`min_domain_mass` below 1) is a `WARNING`, and only
/// `presence: { min_fraction: 1 }` asks for a value in every record.
///
/// ```
/// # use tidemill_core::{Domain, Feature, FeatureType, FeatureValue, RecordCheck, Schema};
/// let mut fare = Feature::new(FeatureType::Float);
/// fare.domain = Some(Domain::Float { min: Some(0.0), max: None, disallow_nan: true, disallow_inf: false });
/// let schema = Schema { version: 1, features: [("fare".to_owned(), fare)].into(), ..Schema::default() };
///
/// let check = RecordCheck::new(&schema, "SERVING");
/// assert!(check.check("fare", FeatureValue::Float(12.5)).is_none());
/// let finding = check.check("fare", FeatureValue::Float(-2.0)).unwrap();
/// assert_eq!(finding.to_string(), "`fare`: `-2` is below the least allowed (`float` domain, min 0)");
/// ```
#[derive(Debug, Clone)]
pub struct RecordCheck {
    features: HashMap<Box<str>, FeatureCheck>,
    /// Features of the schema that are not looked at in this environment.
    others: Vec<Box<str>>,
    new_column: Severity,
}

/// The part of a [`RecordCheck`] for one feature, to be looked up once and used for many values.
#[derive(Debug, Clone)]
pub struct FeatureCheck {
    name: Box<str>,
    rule: ValueRule,
    /// Every record must have a value.
    required: bool,
    value_count: Option<ValueCount>,
    /// The share of values outside a domain of strings that is still allowed.
    tolerated: f64,
    severities: HashMap<AnomalyType, Severity>,
}

/// Where a record breaks a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The feature.
    pub feature: String,
    /// What kind of anomaly it is.
    pub anomaly_type: AnomalyType,
    /// How bad it is.
    pub severity: Severity,
    /// What the value is, cut where it is long; `None` where it is missing.
    pub value: Option<String>,
    /// What is wrong with it: "is below the least allowed".
    pub problem: &'static str,
    /// What the schema asks for: "`float` domain, min 0".
    pub rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: ", self.feature)?;
        if let Some(value) = &self.value {
            write!(f, "`{value}` ")?;
        }
        f.write_str(self.problem)?;
        if self.rule.is_empty() { Ok(()) } else { write!(f, " ({})", self.rule) }
    }
}

impl RecordCheck {
    /// Makes `schema` ready for records of `environment`. Features that do not belong to it are not looked at.
    pub fn new(schema: &Schema, environment: &str) -> Self {
        let (looked_at, others): (Vec<_>, Vec<_>) =
            schema.features.iter().partition(|(_, feature)| feature.belongs_to(environment));
        let features = looked_at
            .into_iter()
            .map(|(name, feature)| (name.as_str().into(), FeatureCheck::new(name, feature, schema)));
        Self {
            features: features.collect(),
            others: others.into_iter().map(|(name, _)| name.as_str().into()).collect(),
            new_column: schema.severity_of("", AnomalyType::SchemaNewColumn, Severity::Warning),
        }
    }

    /// The check of the feature `name`, if the schema has it in this environment.
    pub fn feature(&self, name: &str) -> Option<&FeatureCheck> {
        self.features.get(name)
    }

    /// What is wrong with `value` as the feature `name`. A feature that the schema does not know is a `SCHEMA_NEW_COLUMN`.
    pub fn check(&self, name: &str, value: FeatureValue<'_>) -> Option<Finding> {
        match self.features.get(name) {
            Some(feature) => feature.check(value),
            None if self.others.iter().any(|other| **other == *name) => None,
            None => Some(Finding {
                feature: name.to_owned(),
                anomaly_type: AnomalyType::SchemaNewColumn,
                severity: self.new_column,
                value: None,
                problem: "the schema has no such feature",
                rule: String::new(),
            }),
        }
    }

    /// The features that every record must have and this one has not, by name. `has` says which ones are there, with a value or without.
    pub fn missing(&self, has: impl Fn(&str) -> bool) -> Vec<Finding> {
        let mut found: Vec<Finding> = self
            .features
            .values()
            .filter(|feature| feature.required && !has(&feature.name))
            .map(|feature| feature.lacking(AnomalyType::SchemaMissingColumn))
            .collect();
        found.sort_by(|a, b| a.feature.cmp(&b.feature));
        found
    }
}

impl FeatureCheck {
    fn new(name: &str, feature: &Feature, schema: &Schema) -> Self {
        let severities = AnomalyType::ALL.iter().filter_map(|kind| {
            let own = feature.severity.get(kind).or_else(|| schema.severity.get(kind));
            own.map(|severity| (*kind, *severity))
        });
        Self {
            name: name.into(),
            rule: ValueRule::new(feature, schema),
            required: feature.presence.min_fraction.is_some_and(|least| least >= 1.0) && !feature.is_exempt(),
            value_count: feature.value_count,
            tolerated: 1.0 - feature.min_domain_mass.unwrap_or(1.0),
            severities: severities.collect(),
        }
    }

    /// What is wrong with `value`.
    pub fn check(&self, value: FeatureValue<'_>) -> Option<Finding> {
        if value == FeatureValue::Missing {
            return self.required.then(|| self.lacking(AnomalyType::FeatureTypeLowFractionPresent));
        }
        let violation = self.rule.judge(value)?;
        let anomaly_type = self.rule.anomaly_type(violation, value);
        let tolerated = violation == Violation::NotListed && self.tolerated > 0.0;
        let usual = if tolerated { Severity::Warning } else { Severity::Error };
        Some(Finding {
            feature: self.name.to_string(),
            anomaly_type,
            severity: self.severity(anomaly_type, usual),
            value: Some(match value {
                FeatureValue::Bytes(bytes) if violation == Violation::TooManyBytes => format!("{} bytes", bytes.len()),
                _ => shortened(&value.to_string()),
            }),
            problem: problem(violation),
            rule: match violation {
                Violation::Type => format!("type `{}`, this is `{}`", self.rule.feature_type(), value.kind()),
                _ => self.rule.to_string(),
            },
        })
    }

    /// What is wrong with a list of `count` values in one record.
    pub fn check_count(&self, count: usize) -> Option<Finding> {
        let bounds = self.value_count?;
        let few = bounds.min.is_some_and(|min| (count as u64) < min);
        if !few && bounds.max.is_none_or(|max| count as u64 <= max) {
            return None;
        }
        let (anomaly_type, problem) = if few {
            (AnomalyType::FeatureTypeLowNumberValues, "values are too few")
        } else {
            (AnomalyType::FeatureTypeHighNumberValues, "values are too many")
        };
        let bound = |name: &str, bound: Option<u64>| bound.map(|bound| format!("{name} {bound}"));
        let rule: Vec<String> = [bound("min", bounds.min), bound("max", bounds.max)].into_iter().flatten().collect();
        Some(Finding {
            feature: self.name.to_string(),
            anomaly_type,
            severity: self.severity(anomaly_type, Severity::Error),
            value: Some(count.to_string()),
            problem,
            rule: format!("`value_count` {}", rule.join(", ")),
        })
    }

    fn lacking(&self, anomaly_type: AnomalyType) -> Finding {
        Finding {
            feature: self.name.to_string(),
            anomaly_type,
            severity: self.severity(anomaly_type, Severity::Error),
            value: None,
            problem: "the value is missing, every record must have one",
            rule: "`presence` min_fraction 1".to_owned(),
        }
    }

    fn severity(&self, anomaly_type: AnomalyType, usual: Severity) -> Severity {
        self.severities.get(&anomaly_type).copied().unwrap_or(usual)
    }
}

const fn problem(violation: Violation) -> &'static str {
    match violation {
        Violation::Type => "has another type",
        Violation::NotUtf8 => "is not UTF-8",
        Violation::NotListed => "is not in the domain",
        Violation::NotANumber => "is not a number",
        Violation::TooSmall => "is below the least allowed",
        Violation::TooBig => "is above the most allowed",
        Violation::Nan => "is not a number, which is disallowed",
        Violation::Infinite => "is infinite, which is disallowed",
        Violation::NotABool => "is neither true nor false",
        Violation::NotATime => "is no moment of the format",
        Violation::TooManyBytes => "has too many bytes",
    }
}
