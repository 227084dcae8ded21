//! The cases of TensorFlow Data Validation's own tests: the same anomalies for the same schema and statistics.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tidemill_core::{AnomalyType, DatasetStatistics, Severity};
use tidemill_validation::{
    Comparison, DEFAULT_ENVIRONMENT, compare, read_statistics_file, schema_from_pbtxt, schema_yaml, validate,
};

const CASES: &str = include_str!("../tfdv/anomalies.txt");

/// Cases in which we differ, and why. `docs/conformance.md` lists them for readers.
const DIFFERENT: &[(&str, &str)] = &[
    ("schema_anomalies.CreateNewField", STRUCTURES),
    ("schema_anomalies.CreateNewFieldSome", STRUCTURES),
    ("schema_anomalies.FindChangesCreateDeep", STRUCTURES),
    ("schema_anomalies.FindChangesCreateDeepDeprecated", STRUCTURES),
    ("schema_anomalies.FeatureIsDeprecated", STRUCTURES),
    ("schema_anomalies.NansDisallowedNoNansFound", NO_NUMBER),
    ("schema_anomalies.InfsDisallowedNoInfsFound", NO_NUMBER),
    ("schema_anomalies.FindChangesOnlyValidateSchemaFeatures", NO_COUNTS),
    ("feature_util.Shape.9", LEGACY_SHAPES),
    ("schema.ShapeMissingLegacy", LEGACY_SHAPES),
];

const STRUCTURES: &str = "a structure is no feature of its own: its members are";
const NO_NUMBER: &str = "statistics without a number of examples have as many as values that are there or missing";
const NO_COUNTS: &str = "a histogram that lists fewer values than there are leaves values that no domain allows";
const LEGACY_SHAPES: &str = "an option of the test that no schema file has lets a shape be missing";

/// A case: what its lines say by their first word.
struct Case {
    name: &'static str,
    parts: BTreeMap<&'static str, &'static str>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        if key == "case" {
            cases.push(Case { name: rest, parts: BTreeMap::new() });
        } else {
            cases.last_mut().unwrap().parts.insert(key, rest);
        }
    }
    cases
}

fn statistics(text: &str) -> DatasetStatistics {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("statistics.pbtxt");
    std::fs::write(&path, format!("datasets {{ {text} }}")).unwrap();
    read_statistics_file(&path).map_or_else(|_| DatasetStatistics::default(), |mut found| found.remove(0))
}

/// Feature and type of each anomaly; `*` is the dataset.
type Found = BTreeSet<(String, String)>;

fn expected(case: &Case) -> Found {
    let features = case.parts["expect"].split(' ').filter_map(|entry| entry.split_once('='));
    let types = features.flat_map(|(name, types)| types.split(',').map(move |kind| (name.to_owned(), kind.to_owned())));
    types.collect()
}

fn found(case: &Case) -> Result<Found, String> {
    let part = |key: &str| case.parts.get(key).copied();
    let (schema, _) =
        schema_from_pbtxt(part("schema").unwrap_or_default(), Path::new("schema.pbtxt")).map_err(|e| e.to_string())?;
    let now = statistics(part("statistics").unwrap_or_default());
    let environment = part("environment").unwrap_or(DEFAULT_ENVIRONMENT);
    let mut anomalies = validate(&now, &schema, environment);
    for (key, comparison) in
        [("previous", Comparison::Drift), ("serving", Comparison::Skew), ("version", Comparison::Version)]
    {
        if let Some(other) = part(key) {
            anomalies.extend(compare(&statistics(other), &now, &schema, environment, comparison).anomalies);
        }
    }
    let only: Option<Vec<&str>> = part("only").map(|only| only.split(',').collect());
    let named = |feature: &str| only.as_ref().is_none_or(|only| only.contains(&feature));
    // There, silence is what we say of values within the mass that a domain tolerates, and of what cannot be judged.
    let silent = |kind: AnomalyType, severity: Severity| {
        kind == AnomalyType::StatsNotAvailable
            || (kind == AnomalyType::EnumTypeUnexpectedStringValues && severity == Severity::Warning)
    };
    Ok(anomalies
        .iter()
        .filter(|anomaly| !silent(anomaly.anomaly_type, anomaly.severity) && named(&anomaly.feature))
        .map(|anomaly| {
            let name = if anomaly.feature.is_empty() { "*" } else { &anomaly.feature };
            (name.to_owned(), anomaly.anomaly_type.to_string())
        })
        .collect())
}

#[test]
fn the_cases_of_tfdv_have_the_same_anomalies() {
    let different: BTreeMap<&str, &str> = DIFFERENT.iter().copied().collect();
    let mut wrong = Vec::new();
    let all = cases();
    for case in &all {
        let agrees = found(case).as_ref() == Ok(&expected(case));
        if agrees == different.contains_key(case.name) {
            wrong.push(format!("{}: expected {:?}, found {:?}", case.name, expected(case), found(case)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    assert!(different.len() * 10 <= all.len(), "{} of {} differ", different.len(), all.len());
}

#[test]
fn schemas_with_entries_that_cannot_hold_can_be_kept_and_read_again() {
    for case in cases() {
        let (schema, _) = schema_from_pbtxt(case.parts["schema"], Path::new("schema.pbtxt")).unwrap();
        let text = schema_yaml(&schema);
        // Only columns of composed features may be unknown to a schema by hand.
        if schema.sparse_features.is_empty() && schema.weighted_features.is_empty() {
            let read = tidemill_validation::parse_schema(&text, Path::new("schema.yaml"));
            assert_eq!(read.map_err(|error| error.to_string()), Ok(schema), "{}\n{text}", case.name);
        }
    }
}
