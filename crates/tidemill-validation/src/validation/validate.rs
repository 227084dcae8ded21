//! A dataset's statistics against a schema.

use std::collections::{BTreeMap, HashMap};

use tidemill_core::{
    Anomaly, AnomalyType, CustomValue, DatasetStatistics, Feature, FeatureStatistics, Schema, Severity, ValueRule,
    suggest,
};

use super::composed::composed_in_statistics;
use super::rules::FeatureRules;
use crate::counted::{Counted, weight};
use crate::schema::{problems, semantic_offers};
use tidemill_core::grouped;

/// The environment data is validated in unless another is named.
pub const DEFAULT_ENVIRONMENT: &str = "TRAINING";

/// A shortfall of presence up to this share of the examples is a warning, unless the schema states a `tolerance`: a stray
/// empty cell in ten thousand rows is no reason to stop a run, a burst of them is.
pub const STRAY_SHARE: f64 = 0.001;

/// Everything in which `statistics` break `schema`, errors first, then by feature and type.
///
/// Types and conditions are those of TensorFlow Data Validation. Every anomaly is an ERROR but
/// * values outside a string domain within the share that `min_domain_mass` tolerates: WARNING (there: silence);
/// * a shortfall of presence within its `tolerance` ([`STRAY_SHARE`] where none is stated): WARNING;
/// * a column the schema does not know: WARNING, because no step uses what it does not name;
/// * a rule that the statistics cannot decide (`STATS_NOT_AVAILABLE`): WARNING;
/// * a type for which `severity` of the feature or of the schema says otherwise.
///
/// Where examples have weights ([`DatasetStatistics::by_weight`]), presence, the mass of a domain, the balance of values and the
/// number of examples go by weight; extremes, valency and numbers of distinct values do not.
///
/// A feature that does not belong to `environment` is not looked at.
pub fn validate(statistics: &DatasetStatistics, schema: &Schema, environment: &str) -> Vec<Anomaly> {
    let mut found: Vec<Anomaly> = problems(schema)
        .into_iter()
        .map(|problem| Anomaly {
            feature: problem.feature,
            anomaly_type: problem.anomaly_type,
            severity: Severity::Error,
            short_description: "the schema contradicts itself".to_owned(),
            description: problem.message,
            evidence: Vec::new(),
        })
        .collect();
    found.extend(schema.invalid.iter().flat_map(|(feature, entries)| {
        entries.iter().map(|entry| Anomaly {
            feature: feature.clone(),
            anomaly_type: entry.anomaly_type,
            severity: Severity::Error,
            short_description: "an entry of the schema cannot hold".to_owned(),
            description: entry.message.clone(),
            evidence: Vec::new(),
        })
    }));
    let columns: HashMap<&str, _> = statistics.features.iter().map(|column| (column.name.as_str(), column)).collect();
    let by_weight = statistics.by_weight();
    for (name, feature) in &schema.features {
        // Data is not judged by an entry that cannot hold.
        if !feature.belongs_to(environment) || schema.invalid.contains_key(name) {
            continue;
        }
        match columns.get(name.as_str()) {
            Some(column) => {
                let rule = ValueRule::new(feature, schema);
                let counted = Counted::new(column, by_weight.is_some());
                found.extend(FeatureRules { feature, statistics: column, counted, rule, found: Vec::new() }.run());
            }
            None if feature.is_required() => found.push(missing_column(name, statistics, schema)),
            None => {}
        }
    }
    for column in &statistics.features {
        let composed =
            schema.sparse_features.contains_key(&column.name) || schema.weighted_features.contains_key(&column.name);
        let composed = composed || schema.invalid.contains_key(&column.name);
        if !composed && !schema.features.contains_key(&column.name) {
            found.push(new_column(&column.name, &schema.features));
        }
    }
    found.extend(composed_in_statistics(statistics, schema));
    found.extend(dataset_size(statistics.num_examples, by_weight, schema));
    found.extend(semantics(statistics, schema, environment));
    finish(&mut found, schema);
    found
}

/// Gives anomalies the severities that `schema` asks for, and puts them in order: errors first, then by feature and type.
pub(crate) fn finish(found: &mut [Anomaly], schema: &Schema) {
    for anomaly in &mut *found {
        anomaly.severity = schema.severity_of(&anomaly.feature, anomaly.anomaly_type, anomaly.severity);
    }
    found.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| a.feature.cmp(&b.feature)).then(a.anomaly_type.cmp(&b.anomaly_type))
    });
}

/// What values seem to be and the schema does not say, where anybody asked for it by giving it a severity.
fn semantics(statistics: &DatasetStatistics, schema: &Schema, environment: &str) -> Vec<Anomaly> {
    let kind = AnomalyType::SemanticDomainUpdate;
    let said = said_by_others(statistics, schema, environment);
    let asked = |feature: &Feature| schema.severity.contains_key(&kind) || feature.severity.contains_key(&kind);
    let silent = |feature: &&Feature| feature.semantic.is_none() && feature.domain.is_none();
    if !schema.severity.contains_key(&kind) && !schema.features.values().any(asked) {
        return said;
    }
    let offered = semantic_offers(&[statistics])
        .into_iter()
        .filter(|(name, _)| {
            let feature = schema.features.get(name).filter(|feature| feature.belongs_to(environment));
            feature.filter(silent).is_some_and(asked)
        })
        .map(|(name, offer)| Anomaly {
            description: format!("`{name}`: the values seem to be `{}`: {}", offer.semantic.name(), offer.reason),
            feature: name,
            anomaly_type: kind,
            severity: Severity::Warning,
            short_description: "a meaning not said".to_owned(),
            evidence: Vec::new(),
        });
    said.into_iter().chain(offered).collect()
}

/// Domains that another tool's statistics state (`domain_info`) for features of which the schema says nothing.
fn said_by_others(statistics: &DatasetStatistics, schema: &Schema, environment: &str) -> Vec<Anomaly> {
    let stated = |column: &FeatureStatistics| {
        let custom = column.custom.iter().find(|custom| custom.name == "domain_info")?;
        let CustomValue::Text(domain) = &custom.value else { return None };
        let feature = schema.features.get(&column.name).filter(|feature| feature.belongs_to(environment))?;
        (feature.semantic.is_none() && feature.domain.is_none()).then(|| Anomaly {
            feature: column.name.clone(),
            anomaly_type: AnomalyType::SemanticDomainUpdate,
            severity: Severity::Warning,
            short_description: "a meaning not said".to_owned(),
            description: format!("`{}`: the statistics say that the values are of `{domain}`", column.name),
            evidence: Vec::new(),
        })
    };
    statistics.features.iter().filter_map(stated).collect()
}

fn dataset_size(examples: u64, by_weight: Option<f64>, schema: &Schema) -> Option<Anomaly> {
    let bounds = schema.dataset?;
    let size = by_weight.unwrap_or(examples as f64);
    let (anomaly_type, short_description, bound) =
        if let Some(least) = bounds.min_examples.filter(|min| size < *min as f64) {
            (AnomalyType::DatasetLowNumExamples, "too few examples", format!("at least {}", grouped(least)))
        } else {
            let most = bounds.max_examples.filter(|max| size > *max as f64)?;
            (AnomalyType::DatasetHighNumExamples, "too many examples", format!("at most {}", grouped(most)))
        };
    Some(Anomaly {
        feature: String::new(),
        anomaly_type,
        severity: Severity::Error,
        short_description: short_description.to_owned(),
        description: match by_weight {
            Some(size) => format!("the examples have a weight of {}, {bound} is expected", weight(size)),
            None => format!("there are {} examples, {bound} are expected", grouped(examples)),
        },
        evidence: Vec::new(),
    })
}

fn missing_column(name: &str, statistics: &DatasetStatistics, schema: &Schema) -> Anomaly {
    let strangers = statistics.features.iter().map(|column| column.name.as_str());
    let near = suggest(name, strangers.filter(|column| !schema.features.contains_key(*column)));
    let renamed = near.map_or_else(String::new, |near| format!("; was it renamed to `{near}`?"));
    let rows = grouped(statistics.num_examples);
    Anomaly {
        feature: name.to_owned(),
        anomaly_type: AnomalyType::SchemaMissingColumn,
        severity: Severity::Error,
        short_description: "column missing".to_owned(),
        description: format!("`{name}`: the column is missing from the {rows} examples{renamed}"),
        evidence: Vec::new(),
    }
}

fn new_column(name: &str, known: &BTreeMap<String, Feature>) -> Anomaly {
    let near = suggest(name, known.keys().map(String::as_str));
    let meant = near.map_or_else(String::new, |near| format!("; the nearest it knows is `{near}`"));
    Anomaly {
        feature: name.to_owned(),
        anomaly_type: AnomalyType::SchemaNewColumn,
        severity: Severity::Warning,
        short_description: "new column".to_owned(),
        description: format!("`{name}`: the schema has no such feature{meant}"),
        evidence: Vec::new(),
    }
}
